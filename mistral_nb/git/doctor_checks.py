"""Whether protection is effective in a folder, according to git, for `protect --status` and `doctor`."""

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mistral_nb.git import attributes, clone_attributes, filter_config, pre_push_hook
from mistral_nb.git.hook_place import HookPlace, find_place
from mistral_nb.git.protected_repos import ProtectedRepos, ProtectedReposUnreadable
from mistral_nb.git.repository_protection import NoRepository, Repository, expected_lines, find_repository
from mistral_nb.git.run_git import Git, GitFailed
from mistral_nb.report import Row
from mistral_nb.wording import name_first, plural

_RUN_PROTECT = "Run: mistral-nb protect"


class ProtectionStatus(NamedTuple):
    """``is_protected``: a notebook added here uses our filter, and the filter starts."""

    is_protected: bool
    rows: tuple[Row, ...]


def protection_status(git: Git, home: str) -> ProtectionStatus:
    """Raises `NoRepository`, `GitFailed`."""
    repository = find_repository(git)
    paths = attributes.list_notebooks(repository.git) if repository.top else []
    has = attributes.find_filters(repository.git, paths)
    ours = filter_config.read_driver(repository.git)
    others = {name: at for name, at in has.items() if name != filter_config.NAME}
    rows = [_driver_row(repository.git, ours, home)]
    if filter_config.NAME in has:
        rows.append(_attributes_row(repository, paths, has[filter_config.NAME], ours))
    for name, at in others.items():
        what = "no filter" if name in (attributes.UNSPECIFIED, "unset") else f"the filter {name}"
        shown = name_first(at, 3) or "new notebooks"
        repair = _RUN_PROTECT if name == attributes.UNSPECIFIED else f"{_RUN_PROTECT} --wrap, or change that attribute"
        rows.append(Row("NOT covered", f"{shown}: {what}", "bad", repair))
    rows.append(_hook_row(find_place(repository.git)))
    return ProtectionStatus(rows[0].state == "ok" and filter_config.NAME in has, tuple(rows))


def checks(folder: str | None, environ: Mapping[str, str], home: str) -> Iterator[Row]:
    """For `doctor`: the repository around the working directory, and all protected ones."""
    git = Git(folder, environ)
    try:
        if filter_config.NAME in attributes.find_filters(git, ()):
            yield from (
                row for row in protection_status(git, home).rows if row.label != "pre-push" or row.state == "bad"
            )
        else:
            yield Row("git", "this repository is not protected: git add takes notebooks as they are", "", _RUN_PROTECT)
    except (GitFailed, NoRepository):
        yield Row("git", "this folder is in no git repository")
    yield from _other_repository_rows(home)


def _driver_row(git: Git, ours: filter_config.FilterDriver | None, home: str) -> Row:
    if ours is None:
        return Row("filter", "not in git's configuration here", "bad", _RUN_PROTECT)
    if not ours.can_start:
        return Row("filter", _missing_sentence(ours), "bad", _RUN_PROTECT)
    if not filter_config.is_up_to_date(git, ours):
        return Row("filter", "its configuration is modified or out of date", "warn", _RUN_PROTECT)
    if not os.path.isdir(ours.home):
        return Row("filter", f"the key index it reads no longer exists: {ours.home}", "warn", _RUN_PROTECT)
    if os.path.realpath(ours.home) != os.path.realpath(home):
        return Row("filter", f"it reads the key index in {ours.home}, but you use {home}", "warn", _RUN_PROTECT)
    return Row("filter", "set up" + (f", with {ours.wraps} inside" if ours.wraps else ""), "ok")


def _attributes_row(
    repository: Repository, paths: list[str], covered: list[str], ours: filter_config.FilterDriver | None
) -> Row:
    """Which notebooks have our filter, and whether our lines are as `protect` would write them here."""
    count = plural(len(covered), "notebook")
    if ours is None:
        return Row("attributes", f"{count} here assigned the filter, which is not set up: git stores them as they are")
    value = f"{count} here {'uses' if len(covered) == 1 else 'use'} the filter"
    now = clone_attributes.read_our_lines(clone_attributes.file_path(repository.git))
    if now and now != expected_lines(repository, paths, ours.wraps):
        return Row("attributes", f"{value}; on this branch other filters have other notebooks", "warn", _RUN_PROTECT)
    if not now:
        value += ", by .gitattributes alone: a branch without it is not covered"
    return Row("attributes", value, "ok")


def _hook_row(place: HookPlace) -> Row:
    hook = pre_push_hook.installed_driver(place.path)
    if hook is None:
        return Row("pre-push", "pushes are not scanned", "", _RUN_PROTECT)
    if not hook.can_start:
        return Row("pre-push", _missing_sentence(hook), "bad", _RUN_PROTECT)
    if not os.access(place.path, os.X_OK):
        return Row("pre-push", f"git does not run {place.path}: it is not executable", "bad", _RUN_PROTECT)
    if not place.is_called:
        value = f"pushes are not scanned: {place.caller} does not start the scan"
        return Row("pre-push", value, "warn", f"{_RUN_PROTECT}, which prints the lines to add")
    return Row("pre-push", f"pushes are scanned{place.caller and f', by {place.caller}'}", "ok")


def _other_repository_rows(home: str) -> Iterator[Row]:
    try:
        repos = ProtectedRepos(home).read_all()
    except ProtectedReposUnreadable as error:
        yield Row("protected", error.failed, "warn", error.todo)
        return
    for repo in repos:
        if repo.git_dir and os.path.isdir(repo.git_dir):
            ours = filter_config.read_driver(Git(repo.git_dir), "--file", os.path.join(repo.git_dir, "config"))
            if ours and not ours.can_start:
                yield Row("git", f"{repo.folder}: {_missing_sentence(ours)}", "bad", _RUN_PROTECT)


def _missing_sentence(driver: filter_config.FilterDriver) -> str:
    return f"the interpreter {driver.python} or the package in {driver.root} no longer exists"
