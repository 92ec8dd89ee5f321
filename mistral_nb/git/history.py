"""What is in a repository's history: every blob read once, and what holds a key traced to its commits."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.git.carriers import Carried, Commit, carriers
from mistral_nb.git.plumbing import SUBMODULE, Git, GitFailed, first_line, staged
from mistral_nb.git.reading import Holds, Progress, Unreadable, look_through
from mistral_nb.scrub.findings import Finding

EVERYTHING = ("--all", "HEAD")


class Listing(NamedTuple):
    """The blobs of a range of history, and the objects it names that are not here (a partial clone)."""

    blobs: dict[str, str]  # name → one of its paths
    missing: tuple[str, ...]
    shallow: bool


class Found(NamedTuple):
    """One finding in one blob at one path. ``carried``: None where no commit of the range holds it."""

    finding: Finding
    blob: str
    path: str
    carried: Carried | None


class Key(NamedTuple):
    """One key over all of history."""

    fingerprint: str
    tail: str
    tier: str
    first: Commit | None
    last: Commit | None
    paths: tuple[str, ...]
    blobs: int


class History(NamedTuple):
    found: tuple[Found, ...]
    blobs: int
    bytes: int
    unreadable: tuple[str, ...]
    shallow: bool


def listing(git: Git, revisions: Sequence[str] = EVERYTHING) -> Listing:
    """Raises `WrongUsage` for a range git does not know, `GitFailed` outside a repository."""
    git.text("rev-parse", "--git-dir")
    if tuple(revisions) == EVERYTHING and git.run("rev-parse", "-q", "--verify", "HEAD").returncode:
        revisions = ("--all",)
    words = ("rev-list", "--objects", "--missing=print")
    lazy = Git(git.folder, git.environ | {"GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"})
    done = lazy.run(*words, "--filter=object:type=blob", *revisions, "--")
    if done.returncode and b"filter" in done.stderr:  # before git 2.32; trees are then told by their content
        done = lazy.run(*words, *revisions, "--")
    if done.returncode:
        raise _no_listing(done.stderr, revisions)
    blobs: dict[str, str] = {}
    # that filter does not tell of trees that are not here, and of what is in them
    trees = _missing(lazy.run(*words, "--filter=blob:none", *revisions, "--").stdout)
    for line in done.stdout.split(b"\n"):
        name, space, path = line.partition(b" ")
        if space and not name.startswith(b"?"):
            blobs.setdefault(name.decode(), os.fsdecode(path))
    missing = dict.fromkeys([*trees, *_missing(done.stdout)])
    shallow = git.text("rev-parse", "--is-shallow-repository") == "true"
    return Listing(blobs, tuple(missing), shallow)


def _missing(listed: bytes) -> list[str]:
    return [line[1:].decode() for line in listed.split(b"\n") if line.startswith(b"?")]


def _no_listing(said: bytes, revisions: Sequence[str]) -> MistralNbError:
    """Why git lists no objects: the words are off, or something of the history is damaged."""
    if any(words in said for words in (b"unknown revision", b"bad revision", b"ambiguous argument", b"usage:")):
        return WrongUsage(f"git does not know the range {' '.join(revisions)}.", "Give one as for git log: main..HEAD.")
    return GitFailed(first_line(said) or "git can't list what is in the history.", "See what is damaged: git fsck")


def scan(
    git: Git, revisions: Sequence[str] = EVERYTHING, *, processes: int | None = None
) -> Iterator[Progress | History]:
    """Progress, and at the end the history. Raises as `listing`."""
    listed = listing(git, revisions)
    yield Progress(0, len(listed.blobs))
    held: dict[str, tuple[Finding, ...]] = {}
    unreadable, blobs, size = list(listed.missing), 0, 0
    for event in look_through(git, list(listed.blobs), processes=processes):
        if isinstance(event, Holds):
            held[event.blob] = event.findings
        elif isinstance(event, Unreadable):
            unreadable.append(event.blob)
        else:
            blobs, size = blobs + event.blobs, size + event.bytes
            yield event
    found = _traced(git, revisions, held, listed.blobs) if held else ()
    yield History(found, blobs, size, tuple(unreadable), listed.shallow)


def keys(found: Sequence[Found]) -> list[Key]:
    """Each key once, in the order of its first commit."""
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.finding.fingerprint, one.finding.tail), []).append(one)
    result = []
    for (name, tail), group in groups.items():
        carried = [one.carried for one in group if one.carried]
        first = min((c.first for c in carried), key=lambda commit: commit.time, default=None)
        last = max((c.last for c in carried), key=lambda commit: commit.time, default=None)
        paths = tuple(dict.fromkeys(one.path for one in group))
        result.append(Key(name, tail, group[0].finding.tier, first, last, paths, len({one.blob for one in group})))
    return sorted(result, key=lambda key: key.first.time if key.first else 0)


def in_index(git: Git) -> dict[str, list[str]]:
    """The blobs of the index, each with its paths, seen from the top. Raises `GitFailed`."""
    found: dict[str, list[str]] = {}
    for entry in staged(git):
        if entry.mode != SUBMODULE:
            found.setdefault(entry.blob, []).append(entry.path)
    return found


def held_by(git: Git, blobs: dict[str, list[str]]) -> dict[str, list[Finding]]:
    """The findings at each path of these blobs. Raises `GitFailed` where one can't be read."""
    found: dict[str, list[Finding]] = {}
    for event in look_through(git, list(blobs)):
        if isinstance(event, Unreadable):
            raise GitFailed(f"git can't read {event.blob}, which is staged as {blobs[event.blob][0]}.", "Try: git fsck")
        if isinstance(event, Holds):
            for path in blobs[event.blob]:
                found[path] = list(event.findings)
    return dict(sorted(found.items()))


def _traced(
    git: Git, revisions: Sequence[str], held: dict[str, tuple[Finding, ...]], paths: dict[str, str]
) -> tuple[Found, ...]:
    traced = carriers(git, revisions, held)
    found = []
    for blob, findings in held.items():
        places: Sequence[Carried | None] = traced.get(blob) or [None]
        for place in places:
            path = place.path if place else paths[blob]
            found += [Found(finding, blob, path, place) for finding in findings]
    return tuple(sorted(found, key=lambda one: (one.carried.first.time if one.carried else 0, one.path)))
