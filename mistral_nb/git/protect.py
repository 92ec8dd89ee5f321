"""Protection set up and taken away: the driver in git's configuration, one line of attributes, the hook."""

import os
from typing import NamedTuple

from mistral_nb.errors import MistralNbError
from mistral_nb.git import attributes, driver, prepush
from mistral_nb.git.driver import LINE, NAME, Driver
from mistral_nb.git.places import Place, Places
from mistral_nb.git.plumbing import Git, GitFailed

LOCAL, GLOBAL = "--local", "--global"
_NOBODY = frozenset({NAME, attributes.NONE, "unset"})


class NoRepository(MistralNbError):
    """There is no git repository around the folder."""


class OtherFilter(MistralNbError):
    """Another filter has the notebooks: git runs one filter a path, and ours would never be asked."""


class Protected(NamedTuple):
    """What was set up. ``covers``: a new notebook goes through it. ``uncovered``: other filters, with the
    notebooks that they have all the same."""

    place: Place
    driver: Driver
    changed: bool
    attributes: str
    covers: bool
    uncovered: dict[str, list[str]]


class Where(NamedTuple):
    """The repository around a folder. ``top``: its working tree; None in a bare one."""

    git: Git  # in the top folder
    git_dir: str  # the configuration's folder, shared by linked worktrees
    top: str | None


def find(git: Git) -> Where:
    """Raises `NoRepository`."""
    try:
        top = git.top()
        folder = os.path.realpath(os.path.join(git.folder, git.text("rev-parse", "--git-common-dir")))
    except GitFailed as error:
        raise NoRepository(
            f"No protection here: {error.said}", "Go into a repository, or use --global for all of them."
        ) from None
    return Where(Git(top or git.folder, git.environ), folder, top)


def protect(git: Git, home: str, *, local: bool = False, wrap: bool = False, pre_push: bool = False) -> Protected:
    """Set up the repository around ``git.folder``; twice is once. Raises `NoRepository`, `OtherFilter`,
    `GitFailed`, `prepush.HookElsewhere`, and OSError where a file can't be written.
    """
    where = find(git)
    paths = attributes.notebooks(where.git) if where.top else []
    inside = driver.configured(where.git, LOCAL)
    wraps = _wrapped(where.git, paths, wrap, inside.wraps if inside else "")
    new = driver.ours(home, wraps)
    shared = os.path.join(where.top or "", ".gitattributes")
    to_all = not (local or wraps) and where.top is not None and not os.path.islink(shared)  # git follows no link there
    file = shared if to_all else where.git.path("info/attributes")
    if pre_push:
        prepush.place(where.git)  # says no before anything is changed
    place = Place(where.git_dir, where.top or where.git_dir, wraps=wraps)
    places = Places(home)
    places.note(place)
    changed = driver.write(where.git, new, LOCAL)
    added = attributes.add_line(file, LINE)
    if added.changed:
        place = place._replace(attributes=file, created=added.created, newline=added.newline)
    if pre_push:
        place = place._replace(hook=prepush.install(where.git, new))
    places.note(place)
    return _protected(place, new, changed or added.changed, file, attributes.filters(where.git, paths))


def protect_all(git: Git, home: str) -> Protected:
    """As `protect`, for every repository of this person. Raises the same."""
    others = {name for name in attributes.filters_everywhere(git.environ) if name not in _NOBODY}
    if others:
        raise _refused(others, "in your own attributes file", "Go into each repository, and protect it with --wrap.")
    new = driver.ours(home)
    file = attributes.global_file(git)
    places = Places(home)
    places.note(Place("", ""))
    changed = driver.write(git, new, GLOBAL)
    added = attributes.add_line(file, LINE)
    place = Place("", "", file if added.changed else "", added.created, added.newline)
    places.note(place)
    return _protected(place, new, changed or added.changed, file, attributes.filters_everywhere(git.environ))


def _protected(place: Place, new: Driver, changed: bool, file: str, has: dict[str, list[str]]) -> Protected:
    return Protected(place, new, changed, file, NAME in has, {name: at for name, at in has.items() if name != NAME})


def unprotect(git: Git, home: str) -> list[str]:
    """Undo `protect` here; what was taken away, in words. Raises `NoRepository`, `PlacesUnreadable`, OSError."""
    where = find(git)
    places = Places(home)
    noted = places.of(where.git_dir)
    done = ["the filter, from git's configuration"] if driver.remove(where.git, LOCAL) else []
    for place in noted:
        done += _undone(place)
    file = where.git.path("info/attributes")  # nobody else's, so its line is ours
    if not noted and attributes.remove_line(file, LINE, attributes.Added()):
        done.append(f"the line in {file}")
    hook = os.path.join(where.git.path("hooks"), "pre-push")
    if prepush.remove(hook):
        done.append("the pre-push hook")
    places.forget(where.git_dir)
    return done


def unprotect_all(git: Git, home: str) -> list[str]:
    """Undo `protect --global`."""
    places = Places(home)
    done = ["the filter, from your git configuration"] if driver.remove(git, GLOBAL) else []
    for place in places.of(""):
        done += _undone(place)
    places.forget("")
    return done


def _undone(place: Place) -> list[str]:
    done = []
    if place.attributes and attributes.remove_line(place.attributes, LINE, place.added):
        done.append(f"the line in {place.attributes}")
    if place.hook and prepush.remove(place.hook):
        done.append("the pre-push hook")
    return done


def _wrapped(git: Git, paths: list[str], wrap: bool, wrapped: str) -> str:
    """The name of the filter to run inside ours, "" for none. Raises `OtherFilter`."""
    has = attributes.filters(git, paths)
    others = {name: at for name, at in has.items() if name not in _NOBODY}
    if not others:
        return wrapped if NAME in has else ""
    if not wrap:
        raise _refused(set(others), "", "Run both: mistral-nb protect --wrap, or take that filter away first.")
    (name, *more) = others
    if more or attributes.NONE in has or name == "set":
        raise _refused(set(others), "for some of the notebooks", "Give all of them one filter first, then --wrap it.")
    if git.config(f"filter.{name}.process") and not git.config(f"filter.{name}.clean"):
        raise _refused({name}, "as a process without a clean command", "It can't run inside another filter.")
    return name


def _refused(names: set[str], how: str, todo: str) -> OtherFilter:
    listed = ", ".join(sorted(names))
    return OtherFilter(
        f"Nothing was set up: *.ipynb has the filter {listed}{f' {how}' if how else ''}, and git runs one a file.", todo
    )
