"""Sets up and removes protection: the driver in git's configuration, one line of attributes, the hook."""

import os
from typing import NamedTuple

from mistral_nb.errors import MistralNbError
from mistral_nb.git import attributes, clone_attributes, filter_config, pre_push_hook
from mistral_nb.git.attributes import AttributesChange
from mistral_nb.git.filter_config import ATTRIBUTES_LINE, NAME, FilterDriver
from mistral_nb.git.hook_place import HookPlace, find_place
from mistral_nb.git.protected_repos import ProtectedRepo, ProtectedRepos
from mistral_nb.git.run_git import Git, GitFailed
from mistral_nb.paths import is_inside

LOCAL, GLOBAL = "--local", "--global"


class NoRepository(MistralNbError):
    """There is no git repository around the folder."""


class FilterConflict(MistralNbError):
    """Notebooks have another filter: git runs one filter per path, and ours would never run."""


class ProtectionResult(NamedTuple):
    """What was set up. ``covers_new_notebooks``: a new notebook goes through it. ``uncovered``: other filters, with the
    notebooks that they have all the same. ``hook``: None where pushes are not to be scanned."""

    repo: ProtectedRepo
    driver: FilterDriver
    changed: bool
    attributes: list[str]
    covers_new_notebooks: bool
    uncovered: dict[str, list[str]]
    hook: HookPlace | None


class Repository(NamedTuple):
    """The repository around a folder. ``top``: its working tree; None in a bare one."""

    git: Git  # in the top folder
    git_dir: str  # the configuration's folder, shared by linked worktrees
    top: str | None


def find_repository(git: Git) -> Repository:
    """Raises `NoRepository`."""
    try:
        top = git.top()
        folder = git.common_dir()
    except GitFailed as error:
        raise NoRepository(
            f"No protection here: {error.said}", "Go into a repository, or use --global for all of them."
        ) from None
    return Repository(git.in_folder(top or git.folder), folder, top)


def protect(
    git: Git, home: str, *, local: bool = False, wrap: bool = False, pre_push: bool = False
) -> ProtectionResult:
    """Set up the repository around ``git.folder``; idempotent. Raises `NoRepository`, `FilterConflict`,
    `GitFailed`, and OSError where a file can't be written.
    """
    repository = find_repository(git)
    paths = attributes.list_notebooks(repository.git) if repository.top else []
    inside = filter_config.read_driver(repository.git, LOCAL)
    wraps = _choose_wrapped_filter(repository.git, paths, wrap, inside.wraps if inside else "")
    new = filter_config.own_driver(home, wraps)
    files = _choose_attributes_files(repository, local=local or bool(wraps))
    lines = expected_lines(repository, paths, wraps)
    hook = find_place(repository.git) if pre_push else None
    repo = ProtectedRepo(repository.git_dir, repository.top or repository.git_dir, wraps=wraps)
    repos = ProtectedRepos(home)
    repos.record(repo)
    changed = filter_config.write_driver(repository.git, new, LOCAL)
    for file in files:
        added = _put_lines(file, lines)
        if added.changed:
            repos.record(repo._replace(attributes=file, created=added.created, newline=added.newline))
        changed |= added.changed
    if hook:
        pre_push_hook.install_hook(hook, new)
        repo = repo._replace(hook=hook.path)
        repos.record(repo)
    has = attributes.find_filters(repository.git, paths)
    return _make_result(repo, new, changed, files, has)._replace(hook=hook)


def expected_lines(repository: Repository, paths: list[str], wraps: str) -> list[str]:
    """What our lines in ``.git/info/attributes`` are to be, for these notebooks. Raises `GitFailed`."""
    if wraps or not repository.top:
        return [ATTRIBUTES_LINE]
    return clone_attributes.make_lines(repository.git, paths)


def _choose_attributes_files(repository: Repository, *, local: bool) -> list[str]:
    """The file of this clone, for every branch of it, and unless ``local`` the one that is committed."""
    own = clone_attributes.file_path(repository.git)
    if not is_inside(os.path.realpath(own), repository.git_dir):
        raise FilterConflict(f"Nothing was set up: {own} is a link that leads out of the repository.", "Remove it.")
    shared = os.path.join(repository.top or "", ".gitattributes")
    can_share = repository.top is not None and not os.path.islink(shared)  # git follows no link there
    return [shared, own] if can_share and not local else [own]


def _put_lines(file: str, lines: list[str]) -> AttributesChange:
    if os.path.basename(file) == ".gitattributes":
        return attributes.add_line(file, ATTRIBUTES_LINE)
    return clone_attributes.put_lines(file, lines)


def protect_all(git: Git, home: str) -> ProtectionResult:
    """As `protect`, for every repository of this person. Raises the same."""
    others = {
        name for name in attributes.find_global_filters(git.given) if name not in clone_attributes.NO_OTHER_FILTER
    }
    if others:
        raise _conflict_error(
            others, "in your own attributes file", "Go into each repository, and protect it with --wrap."
        )
    new = filter_config.own_driver(home)
    file = attributes.global_attributes_file(git)
    repos = ProtectedRepos(home)
    repos.record(ProtectedRepo("", ""))
    changed = filter_config.write_driver(git, new, GLOBAL)
    added = attributes.add_line(file, ATTRIBUTES_LINE)
    repo = ProtectedRepo("", "", file if added.changed else "", added.created, added.newline)
    repos.record(repo)
    return _make_result(repo, new, changed or added.changed, [file], attributes.find_global_filters(git.given))


def _make_result(
    repo: ProtectedRepo, new: FilterDriver, changed: bool, files: list[str], has: dict[str, list[str]]
) -> ProtectionResult:
    uncovered = {name: at for name, at in has.items() if name != NAME}
    return ProtectionResult(repo, new, changed, files, NAME in has, uncovered, None)


def unprotect(git: Git, home: str) -> list[str]:
    """Undo `protect` here; returns what was removed, in words. Raises `NoRepository`, `ProtectedReposUnreadable`,
    OSError."""
    repository = find_repository(git)
    repos = ProtectedRepos(home)
    noted = repos.find(repository.git_dir)
    done = ["the filter, from git's configuration"] if filter_config.remove_driver(repository.git, LOCAL) else []
    for repo in noted:
        done += _undo(repo)
    file = clone_attributes.file_path(repository.git)  # untracked, so its lines are ours
    if clone_attributes.remove_lines(file, AttributesChange()):  # the list of repositories does not have it
        done.append(f"our lines in {file}")
    if pre_push_hook.remove_hook(find_place(repository.git).path):
        done.append("the pre-push hook")
    repos.remove(repository.git_dir)
    return done


def unprotect_all(git: Git, home: str) -> list[str]:
    """Undo `protect --global`."""
    repos = ProtectedRepos(home)
    done = ["the filter, from your git configuration"] if filter_config.remove_driver(git, GLOBAL) else []
    for repo in repos.find(""):
        done += _undo(repo)
    repos.remove("")
    return done


def _undo(repo: ProtectedRepo) -> list[str]:
    done = []
    if repo.attributes and _take_lines(repo):
        done.append(f"the line in {repo.attributes}")
    if repo.hook and pre_push_hook.remove_hook(repo.hook):
        done.append("the pre-push hook")
    return done


def _take_lines(repo: ProtectedRepo) -> bool:
    if repo.git_dir and os.path.basename(repo.attributes) != ".gitattributes":
        return clone_attributes.remove_lines(repo.attributes, repo.attributes_change)
    return attributes.remove_line(repo.attributes, ATTRIBUTES_LINE, repo.attributes_change)


def _choose_wrapped_filter(git: Git, paths: list[str], wrap: bool, wrapped: str) -> str:
    """The filter to run inside ours, "" for none; where only some notebooks have one, they keep it.
    Raises `FilterConflict`.
    """
    others = clone_attributes.find_other_filters(git, paths)
    names = set(others.values())
    if wrapped and names <= {wrapped}:
        return wrapped
    if not wrap and "" in others:
        raise _conflict_error(names, "", "Run both: mistral-nb protect --wrap, or remove that filter first.")
    if not (wrap and names):
        return ""
    if len(names) > 1 or len(others) <= len(paths):
        raise _conflict_error(names, "for some of the notebooks", "Give all of them one filter first, then --wrap it.")
    name = names.pop()
    if git.config(f"filter.{name}.process") and not git.config(f"filter.{name}.clean"):
        raise _conflict_error({name}, "as a process without a clean command", "It can't run inside another filter.")
    return name


def _conflict_error(names: set[str], how: str, todo: str) -> FilterConflict:
    listed = ", ".join(sorted(names))
    return FilterConflict(
        f"Nothing was set up: *.ipynb has the filter {listed}{f' {how}' if how else ''}, and git runs one per file.",
        todo,
    )
