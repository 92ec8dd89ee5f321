"""Scans a repository's history: reads every object once, and traces those with a key to their commits."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.git.history_findings import HistoryFinding, KeyOrigins, trace_to_commits
from mistral_nb.git.key_commits import Commit
from mistral_nb.git.key_names import Reference, find_in_names, list_added_paths, list_references
from mistral_nb.git.object_scanner import ObjectFindings, ScanProgress, UnreadableObject, UnreadMember, scan_objects
from mistral_nb.git.run_git import SUBMODULE, Git, GitFailed, error_line, list_staged_entries
from mistral_nb.key_records import KeyRecord, format_file_place, group_by_key, make_records, strongest_tier
from mistral_nb.watchlist import Watchlist, build_watchlist

ALL_REVISIONS = ("--all", "HEAD")


class ObjectListing(NamedTuple):
    """The objects of a range of history, and those that it names that are not here (a partial clone)."""

    blobs: dict[str, str]  # name → one of its paths
    texts: tuple[str, ...]  # commits and tags
    missing: tuple[str, ...]
    shallow: bool


class LeakedKeyHistory(NamedTuple):
    """One key over all of history. ``places``: one record for each file and place, of whatever commit."""

    fingerprint: str
    tail: str
    tier: str
    first: Commit | None
    last: Commit | None
    paths: tuple[str, ...]
    blobs: int
    places: tuple[KeyRecord, ...]


class HistoryScan(NamedTuple):
    """``binary``: how many of the blobs are binary, so that only keys in one piece are found in them. ``unread``: of
    archives."""

    findings: tuple[HistoryFinding, ...]
    blobs: int
    bytes: int
    unreadable: tuple[str, ...]
    shallow: bool
    binary: int = 0
    unread: tuple[UnreadMember, ...] = ()


def list_objects(git: Git, revisions: Sequence[str] = ALL_REVISIONS) -> ObjectListing:
    """Raises `WrongUsage` for a range git does not know, `GitFailed` outside a repository."""
    git.text("rev-parse", "--git-dir")
    if tuple(revisions) == ALL_REVISIONS and git.run("rev-parse", "-q", "--verify", "HEAD").returncode:
        revisions = ("--all",)
    words = ("rev-list", "--objects", "--missing=print")
    lazy = Git(git.folder, git.given | {"LC_ALL": "C"}, git_dir=git.git_dir)
    done = lazy.run(*words, "--filter=object:type=blob", *revisions, "--")
    if done.returncode and b"filter" in done.stderr:  # before git 2.32; trees are then told by their content
        done = lazy.run(*words, *revisions, "--")
    if done.returncode:
        raise _listing_error(done.stderr, revisions)
    blobs: dict[str, str] = {}
    # that filter does not tell of trees that are not here, and of what is in them
    others = lazy.run(*words, "--filter=blob:none", *revisions, "--").stdout
    tags = lazy.run(*words, "--filter=object:type=tag", *revisions, "--").stdout  # without it, tags came as blobs
    for line in done.stdout.split(b"\n"):
        name, space, path = line.partition(b" ")
        if space and not name.startswith(b"?"):
            blobs.setdefault(name.decode(), os.fsdecode(path))
    missing = dict.fromkeys([*_missing_objects(others), *_missing_objects(done.stdout)])
    commits = (line for line in others.split(b"\n") if line and b" " not in line and not line.startswith(b"?"))
    texts = dict.fromkeys(line.decode() for line in (*commits, *(line.split(b" ")[0] for line in tags.splitlines())))
    shallow = git.text("rev-parse", "--is-shallow-repository") == "true"
    return ObjectListing(blobs, tuple(text for text in texts if text not in blobs), tuple(missing), shallow)


def _missing_objects(listed: bytes) -> list[str]:
    return [line[1:].decode() for line in listed.split(b"\n") if line.startswith(b"?")]


def _listing_error(said: bytes, revisions: Sequence[str]) -> MistralNbError:
    """Why git can't list objects: an invalid range, or a damaged history."""
    if any(words in said for words in (b"unknown revision", b"bad revision", b"ambiguous argument", b"usage:")):
        return WrongUsage(f"git does not know the range {' '.join(revisions)}.", "Give one as for git log: main..HEAD.")
    return GitFailed(error_line(said) or "git can't list what is in the history.", "See what is damaged: git fsck")


def scan_history(
    git: Git,
    revisions: Sequence[str] = ALL_REVISIONS,
    *,
    may_be_binary: Callable[[str], bool] = lambda _: False,
    references: Sequence[Reference] = (),
    processes: int | None = None,
) -> Iterator[ScanProgress | HistoryScan]:
    """Progress, and at the end the history: blobs, the text of commits and tags, and names. Raises as `list_objects`.

    ``may_be_binary``: whether a path says so little that its content decides, as in `scan_objects`. ``references``:
    whose names are looked at; with `ALL_REVISIONS` those of all.
    """
    listed = list_objects(git, revisions)
    yield ScanProgress(0, len(listed.blobs))
    found: list[ObjectFindings] = []
    unreadable, unread, total = list(listed.missing), [], ScanProgress(0, 0)
    unnamed = {blob for blob, path in listed.blobs.items() if may_be_binary(path)}
    for event in scan_objects(git, [*listed.blobs, *listed.texts], may_be_binary=unnamed, processes=processes):
        if isinstance(event, ObjectFindings):
            found.append(event)
        elif isinstance(event, UnreadMember):
            unread.append(event)
        elif isinstance(event, UnreadableObject):
            unreadable.append(event.name)
        else:
            total = ScanProgress(*(a + b for a, b in zip(total, event, strict=True)))
            yield event
    names = (*references, *(list_references(git) if tuple(revisions) == ALL_REVISIONS else ()))
    findings = _trace(git, revisions, found, listed.blobs, names)
    yield HistoryScan(
        findings, total.blobs, total.bytes, tuple(unreadable), listed.shallow, total.binary, tuple(unread)
    )


def _trace(
    git: Git,
    revisions: Sequence[str],
    found: Sequence[ObjectFindings],
    blobs: dict[str, str],
    references: Sequence[Reference],
) -> tuple[HistoryFinding, ...]:
    watchlist = _watchlist(git)
    paths = find_in_names([*blobs.values(), *list_added_paths(git, revisions)], watchlist)
    names = find_in_names([reference.name for reference in references], watchlist)
    named = {reference: names[reference.name] for reference in references if reference.name in names}
    return trace_to_commits(git, revisions, KeyOrigins(found, paths, named), blobs, watchlist)


def make_key_histories(found: Sequence[HistoryFinding]) -> list[LeakedKeyHistory]:
    """Each key once, in the order of its first commit."""
    by_record: dict[KeyRecord, list[HistoryFinding]] = {}
    for one in found:
        by_record.setdefault(one.record, []).append(one)
    groups = group_by_key(one.record for one in found).values()
    result = [_make_history([one for record in dict.fromkeys(group) for one in by_record[record]]) for group in groups]
    return sorted(result, key=lambda key: key.first.time if key.first else 0)


def _make_history(group: Sequence[HistoryFinding]) -> LeakedKeyHistory:
    records = [one.record for one in group]
    appearances = [one.appearance for one in group if one.appearance]
    places = {format_file_place(record): record for record in reversed(records)}
    return LeakedKeyHistory(
        next((record.fingerprint for record in records if record.fingerprint), ""),
        records[0].tail,
        strongest_tier(records),
        min((each.first for each in appearances), key=lambda commit: commit.time, default=None),
        max((each.last for each in appearances), key=lambda commit: commit.time, default=None),
        tuple(dict.fromkeys(record.file for record in records)),
        len({one.name for one in group if one.is_in_blob}),
        tuple(reversed(places.values())),
    )


def list_staged_blobs(git: Git) -> dict[str, list[str]]:
    """The blobs of the index, each with its paths, seen from the top. Raises `GitFailed`."""
    found: dict[str, list[str]] = {}
    for entry in list_staged_entries(git):
        if entry.mode != SUBMODULE:
            found.setdefault(entry.blob, []).append(entry.path)
    return found


def scan_staged(git: Git, blobs: dict[str, list[str]]) -> Iterator[ScanProgress | dict[str, tuple[KeyRecord, ...]]]:
    """Progress, and at the end the keys at each path of these blobs. Raises `GitFailed` if one can't be read."""
    found: dict[str, tuple[KeyRecord, ...]] = {}
    watchlist = _watchlist(git)
    for event in scan_objects(git, list(blobs)):
        if isinstance(event, UnreadableObject):
            raise GitFailed(f"git can't read {event.name}, which is staged as {blobs[event.name][0]}.", "Try: git fsck")
        if isinstance(event, ObjectFindings):
            for path in blobs[event.name]:
                found[path] = (*found.get(path, ()), *make_records(path, event.findings, watchlist))
        if isinstance(event, ScanProgress):
            yield event
    yield dict(sorted(found.items()))


def _watchlist(git: Git) -> Watchlist:
    """What the processes that scan blobs look for: it says which of the keys are stored."""
    return build_watchlist(git.folder, environ=git.given)
