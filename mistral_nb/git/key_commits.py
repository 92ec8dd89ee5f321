"""Which commits contain a blob, or a path: one walk over the history, comparing first parents."""

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import partial
from subprocess import DEVNULL, PIPE
from typing import NamedTuple

from mistral_nb.git.run_git import Git

_COMMIT_MARK = b"\x01"
_FORMAT = "--format=%x01%H%x00%P%x00%ct%x00%an%x00%aI"
LOG_OPTIONS = (
    *("-z", "--no-abbrev", "--no-renames", "--diff-merges=first-parent", "--topo-order", "--reverse"),
    *(
        "--root",
        "--no-show-signature",
        "--no-ext-diff",
        "--no-textconv",
        "--no-relative",
        "-O/dev/null",
    ),  # regardless of the user's settings
)
_CHUNK = 1 << 20


class Commit(NamedTuple):
    name: str
    time: int  # of committing, seconds since 1970
    author: str
    date: str  # the author's, ISO


class BlobAppearance(NamedTuple):
    """A blob at a path: the first and the last commit, by time, whose tree holds it there."""

    path: str
    first: Commit
    last: Commit


class Appearances(NamedTuple):
    """``of_blobs``: for each blob the paths it had; a blob that no commit contains (staged only) has none."""

    of_blobs: dict[str, list[BlobAppearance]]
    of_paths: dict[str, BlobAppearance]


def find_appearances(
    git: Git, revisions: Sequence[str], blobs: Iterable[str], paths: Container[bytes] = ()
) -> Appearances:
    """Where the blobs were, and when the paths were in use."""
    wanted_blobs = {os.fsencode(blob) for blob in blobs}
    states: dict[str, frozenset[tuple[bytes, bytes]]] = {}  # commit → paths and wanted blobs in its tree
    found: dict[tuple[bytes, bytes], tuple[Commit, Commit]] = {}
    for commit, parent, changes in _walk_commits(git, revisions):
        state = states.get(parent, frozenset())
        touched = {path for path, _ in changes}
        if touched:
            kept = {entry for entry in state if entry[0] not in touched}
            state = frozenset(kept | {change for change in changes if _is_wanted(change, wanted_blobs, paths)})
        if not state:
            continue
        states[commit.name] = state
        for entry in state:
            first, last = found.get(entry, (commit, commit))
            earliest = min(first, commit, key=lambda one: one.time)
            found[entry] = earliest, max(commit, last, key=lambda one: one.time)
    of_blobs: dict[str, list[BlobAppearance]] = {}
    of_paths: dict[str, BlobAppearance] = {}
    for (path, blob), (first, last) in found.items():
        one = BlobAppearance(os.fsdecode(path), first, last)
        of_blobs.setdefault(blob.decode(), []).append(one)
        if path in paths:
            of_paths[one.path] = _merge(of_paths.get(one.path, one), one)
    return Appearances(of_blobs, of_paths)


def read_commit(git: Git, name: str) -> Commit | None:
    """The commit of this name, or that a tag of this name leads to."""
    done = git.run("log", "-1", "--no-show-signature", _FORMAT, name, "--")
    fields = done.stdout.lstrip(b"\n").removeprefix(_COMMIT_MARK).rstrip(b"\n").split(b"\0")
    return _make_commit(fields[0], *fields[2:]) if not done.returncode and len(fields) == 5 else None


def _is_wanted(change: tuple[bytes, bytes], blobs: Container[bytes], paths: Container[bytes]) -> bool:
    path, blob = change
    return blob in blobs or (path in paths and bool(blob.strip(b"0")))


def _merge(one: BlobAppearance, other: BlobAppearance) -> BlobAppearance:
    first = min(one.first, other.first, key=lambda commit: commit.time)
    return BlobAppearance(one.path, first, max(one.last, other.last, key=lambda commit: commit.time))


def _make_commit(name: bytes, time: bytes, author: bytes, date: bytes) -> Commit:
    return Commit(name.decode(), int(time or 0), author.decode("utf-8", "replace"), date.decode())


def _walk_commits(git: Git, revisions: Sequence[str]) -> Iterator[tuple[Commit, str, list[tuple[bytes, bytes]]]]:
    """Each commit, parents first, with its first parent and what it changed: paths and new blobs."""
    words = ("log", "--raw", *LOG_OPTIONS, _FORMAT, *revisions, "--")
    with git.start(*words, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL) as process:
        assert process.stdout  # noqa: S101, for the type checker
        tokens = split_tokens(iter(partial(process.stdout.read, _CHUNK), b""))
        token = next(tokens, None)
        while token is not None:
            name = token.lstrip(b"\n").removeprefix(_COMMIT_MARK)
            parents, time, author, date = (next(tokens, b"") for _ in range(4))
            changes: list[tuple[bytes, bytes]] = []
            for token in tokens:
                entry = token.lstrip(b"\n")
                if entry.startswith(_COMMIT_MARK):
                    break
                if entry.startswith(b":"):
                    changes.append((next(tokens, b""), entry.split(b" ")[3]))
            else:
                token = None
            yield _make_commit(name, time, author, date), parents.partition(b" ")[0].decode(), changes


def split_tokens(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What stands between NULs, read piece by piece."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest.strip():
        yield rest
