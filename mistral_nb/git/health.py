"""Whether protection holds in a folder: asked of git, for `protect --status` and for `doctor`."""

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mistral_nb.git import attributes, driver, prepush
from mistral_nb.git.places import Places, PlacesUnreadable
from mistral_nb.git.plumbing import Git, GitFailed
from mistral_nb.git.protect import NoRepository, find
from mistral_nb.report import Row

_AGAIN = "Run: mistral-nb protect"


class Standing(NamedTuple):
    """``protects``: a notebook that is added here goes through our filter, and the filter starts."""

    protects: bool
    rows: tuple[Row, ...]


def standing(git: Git, home: str) -> Standing:
    """Raises `NoRepository`, `GitFailed`."""
    where = find(git)
    paths = attributes.notebooks(where.git) if where.top else []
    has = attributes.filters(where.git, paths)
    ours = driver.configured(where.git)
    others = {name: at for name, at in has.items() if name != driver.NAME}
    rows = [_driver_row(where.git, ours, home)]
    if driver.NAME in has:
        many = len(has[driver.NAME])
        value = (
            "1 notebook here goes through the filter" if many == 1 else f"{many} notebooks here go through the filter"
        )
        rows.append(Row("attributes", value, "ok"))
    for name, at in others.items():
        what = "no filter" if name in (attributes.NONE, "unset") else f"the filter {name}"
        shown = ", ".join(at[:3]) + (f" and {len(at) - 3} more" if len(at) > 3 else "") or "new notebooks"
        repair = _AGAIN if name == attributes.NONE else f"{_AGAIN} --wrap, or change that attribute"
        rows.append(Row("NOT covered", f"{shown}: {what}", "bad", repair))
    rows.append(_hook_row(os.path.join(where.git.path("hooks"), "pre-push")))
    return Standing(rows[0].state == "ok" and driver.NAME in has, tuple(rows))


def checks(folder: str | None, environ: Mapping[str, str], home: str) -> Iterator[Row]:
    """For `doctor`: the repository around the working directory, and all that were set up."""
    git = Git(folder, environ)
    try:
        if driver.NAME in attributes.filters(git, ()):
            yield from (row for row in standing(git, home).rows if row.label != "pre-push" or row.state == "bad")
        else:
            yield Row("git", "the repository here is not protected", "", _AGAIN)
    except (GitFailed, NoRepository):
        yield Row("git", "no repository here", "")
    yield from _elsewhere(home)


def _driver_row(git: Git, ours: "driver.Driver | None", home: str) -> Row:
    if ours is None:
        return Row("filter", "git's configuration does not have it here", "bad", _AGAIN)
    if not ours.works:
        return Row("filter", f"what it starts is gone: {ours.python} with {ours.root}", "bad", _AGAIN)
    if not driver.is_whole(git, ours):
        return Row("filter", "its settings were changed, or are of another version", "warn", _AGAIN)
    if not os.path.isdir(ours.home):
        return Row("filter", f"the list of keys that it reads is gone: {ours.home}", "warn", _AGAIN)
    if os.path.realpath(ours.home) != os.path.realpath(home):
        return Row("filter", f"it reads the keys of {ours.home}, and you use {home}", "warn", _AGAIN)
    return Row("filter", "set up" + (f", with {ours.wraps} inside" if ours.wraps else ""), "ok")


def _hook_row(path: str) -> Row:
    hook = prepush.installed(path)
    if hook is None:
        return Row("pre-push", "pushes are not scanned", "", "mistral-nb protect --pre-push")
    if not hook.works:
        return Row("pre-push", f"what it starts is gone: {hook.python} with {hook.root}", "bad", f"{_AGAIN} --pre-push")
    if not os.access(path, os.X_OK):
        return Row("pre-push", f"git does not run {path}: it may not be executed", "bad", f"{_AGAIN} --pre-push")
    return Row("pre-push", "pushes are scanned", "ok")


def _elsewhere(home: str) -> Iterator[Row]:
    try:
        places = Places(home).all()
    except PlacesUnreadable as error:
        yield Row("protected", error.failed, "warn", error.todo)
        return
    for place in places:
        if place.git_dir and os.path.isdir(place.git_dir):
            ours = driver.configured(Git(place.git_dir), "--file", os.path.join(place.git_dir, "config"))
            if ours and not ours.works:
                yield Row("git", f"{place.folder}: its filter starts {ours.python}, which is gone", "bad", _AGAIN)
