"""Which commits contain a blob, at which path: one walk over the history, comparing first parents."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from subprocess import DEVNULL, PIPE
from typing import NamedTuple

from mistral_nb.git.run_git import Git

_COMMIT_MARK = b"\x01"
_FORMAT = "--format=%x01%H%x00%P%x00%ct%x00%an%x00%aI"
_LOG_OPTIONS = (
    *("--raw", "-z", "--no-abbrev", "--no-renames", "--diff-merges=first-parent", "--topo-order", "--reverse"),
    *(
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


def find_appearances(git: Git, revisions: Sequence[str], blobs: Iterable[str]) -> dict[str, list[BlobAppearance]]:
    """For each blob the paths it had. A blob that no commit contains (staged only) has none."""
    wanted_blobs = {os.fsencode(blob) for blob in blobs}
    states: dict[str, frozenset[tuple[bytes, bytes]]] = {}  # commit → paths and wanted blobs in its tree
    found: dict[tuple[bytes, bytes], tuple[Commit, Commit]] = {}
    for commit, parent, changes in _walk_commits(git, revisions):
        state = states.get(parent, frozenset())
        touched = {path for path, _ in changes}
        if touched:
            kept = {entry for entry in state if entry[0] not in touched}
            state = frozenset(kept | {(path, blob) for path, blob in changes if blob in wanted_blobs})
        if not state:
            continue
        states[commit.name] = state
        for entry in state:
            first, last = found.get(entry, (commit, commit))
            earliest = min(first, commit, key=lambda one: one.time)
            found[entry] = earliest, max(commit, last, key=lambda one: one.time)
    result: dict[str, list[BlobAppearance]] = {}
    for (path, blob), (first, last) in found.items():
        result.setdefault(blob.decode(), []).append(BlobAppearance(os.fsdecode(path), first, last))
    return result


def _walk_commits(git: Git, revisions: Sequence[str]) -> Iterator[tuple[Commit, str, list[tuple[bytes, bytes]]]]:
    """Each commit, parents first, with its first parent and what it changed: paths and new blobs."""
    words = ("log", *_LOG_OPTIONS, _FORMAT, *revisions, "--")
    with git.start(*words, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL) as process:
        assert process.stdout  # noqa: S101, for the type checker
        tokens = _split_tokens(iter(partial(process.stdout.read, _CHUNK), b""))
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
            commit = Commit(name.decode(), int(time or 0), author.decode("utf-8", "replace"), date.decode())
            yield commit, parents.partition(b" ")[0].decode(), changes


def _split_tokens(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest.strip():
        yield rest
