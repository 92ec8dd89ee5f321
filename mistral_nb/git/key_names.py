"""Names in a repository that hold a key: of files, branches and tags."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from subprocess import DEVNULL, PIPE
from typing import NamedTuple

from mistral_nb.api_key import MARKER
from mistral_nb.git.key_commits import LOG_OPTIONS, split_tokens
from mistral_nb.git.run_git import Git
from mistral_nb.redaction.binary_data import may_hold_keys
from mistral_nb.redaction.findings import Finding, WatchlistLike, select_counted
from mistral_nb.redaction.redact import redact_text

_BATCH = 500  # names that are looked at together first: few repositories have a key in one
_CHUNK = 1 << 20
_KINDS = (("refs/heads/", "branch "), ("refs/remotes/", "branch "), ("refs/tags/", "tag "))


class Reference(NamedTuple):
    """A branch or a tag. ``target``: the object that it points to; "" if that is not known."""

    name: str
    target: str = ""


def list_references(git: Git) -> list[Reference]:
    """Every reference here, by its full name. Raises `GitFailed`."""
    lines = git.text("for-each-ref", "--format=%(objectname) %(refname)").split("\n")
    return [Reference(name, target) for target, _, name in (line.partition(" ") for line in lines if line)]


def list_added_paths(git: Git, revisions: Sequence[str]) -> Iterator[str]:
    """The paths that the commits add, some more than once; none of commits whose trees are missing."""
    words = ("log", "--name-only", "--diff-filter=A", "--format=", *LOG_OPTIONS, *revisions, "--")
    with git.start(*words, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL) as process:
        assert process.stdout  # noqa: S101, for the type checker
        yield from map(os.fsdecode, split_tokens(iter(partial(process.stdout.read, _CHUNK), b"")))


def find_in_names(names: Iterable[str], watchlist: WatchlistLike) -> dict[str, tuple[Finding, ...]]:
    """Those of the names that hold a key in one piece, plain or encoded."""
    distinct = list(dict.fromkeys(names))
    found: dict[str, tuple[Finding, ...]] = {}
    for start in range(0, len(distinct), _BATCH):
        batch = distinct[start : start + _BATCH]
        if may_hold_keys(b"\n".join(map(os.fsencode, batch)), watchlist):
            each = {name: _find(name, watchlist) for name in batch}
            found |= {name: findings for name, findings in each.items() if findings}
    return found


def hide_keys(text: str, watchlist: WatchlistLike) -> str:
    """A name or an author as it may be shown."""
    shown, findings = redact_text(text, watchlist)
    return MARKER if findings and _find(shown, watchlist) else shown  # one that is only reported is not taken out


def describe_reference(name: str) -> str:
    """``branch topic``, ``tag v1``, or the full name of another reference."""
    for prefix, kind in _KINDS:
        if name.startswith(prefix):
            return kind + name.removeprefix(prefix)
    return f"reference {name}"


def _find(name: str, watchlist: WatchlistLike) -> tuple[Finding, ...]:
    return select_counted(redact_text(name, watchlist)[1])
