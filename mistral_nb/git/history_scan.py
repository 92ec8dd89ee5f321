"""Scans a repository's history: reads every blob once, and traces those with a key to their commits."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.git.blob_commits import BlobAppearance, Commit, find_appearances
from mistral_nb.git.blob_scanner import BlobFindings, ScanProgress, UnreadableBlob, scan_blobs
from mistral_nb.git.run_git import SUBMODULE, Git, GitFailed, error_line, list_staged_entries
from mistral_nb.key_records import KeyRecord, format_file_place, group_by_key, make_records, strongest_tier
from mistral_nb.redaction.findings import Finding
from mistral_nb.watchlist import Watchlist, build_watchlist

ALL_REVISIONS = ("--all", "HEAD")


class BlobListing(NamedTuple):
    """The blobs of a range of history, and the objects it names that are not here (a partial clone)."""

    blobs: dict[str, str]  # name → one of its paths
    missing: tuple[str, ...]
    shallow: bool


class BlobFinding(NamedTuple):
    """A key in one place of one blob at one path. ``appearance``: None where no commit of the range holds it."""

    record: KeyRecord
    blob: str
    appearance: BlobAppearance | None


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
    findings: tuple[BlobFinding, ...]
    blobs: int
    bytes: int
    unreadable: tuple[str, ...]
    shallow: bool


def list_blobs(git: Git, revisions: Sequence[str] = ALL_REVISIONS) -> BlobListing:
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
    trees = _missing_objects(lazy.run(*words, "--filter=blob:none", *revisions, "--").stdout)
    for line in done.stdout.split(b"\n"):
        name, space, path = line.partition(b" ")
        if space and not name.startswith(b"?"):
            blobs.setdefault(name.decode(), os.fsdecode(path))
    missing = dict.fromkeys([*trees, *_missing_objects(done.stdout)])
    shallow = git.text("rev-parse", "--is-shallow-repository") == "true"
    return BlobListing(blobs, tuple(missing), shallow)


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
    processes: int | None = None,
) -> Iterator[ScanProgress | HistoryScan]:
    """Progress, and at the end the history. Raises as `list_blobs`.

    ``may_be_binary``: whether a path says so little that its content decides, as in `scan_blobs`.
    """
    listed = list_blobs(git, revisions)
    yield ScanProgress(0, len(listed.blobs))
    findings_by_blob: dict[str, tuple[Finding, ...]] = {}
    unreadable, blobs, size = list(listed.missing), 0, 0
    unnamed = {blob for blob, path in listed.blobs.items() if may_be_binary(path)}
    for event in scan_blobs(git, list(listed.blobs), may_be_binary=unnamed, processes=processes):
        if isinstance(event, BlobFindings):
            findings_by_blob[event.blob] = event.findings
        elif isinstance(event, UnreadableBlob):
            unreadable.append(event.blob)
        else:
            blobs, size = blobs + event.blobs, size + event.bytes
            yield event
    found = _trace_to_commits(git, revisions, findings_by_blob, listed.blobs) if findings_by_blob else ()
    yield HistoryScan(found, blobs, size, tuple(unreadable), listed.shallow)


def make_key_histories(found: Sequence[BlobFinding]) -> list[LeakedKeyHistory]:
    """Each key once, in the order of its first commit."""
    by_record: dict[KeyRecord, list[BlobFinding]] = {}
    for one in found:
        by_record.setdefault(one.record, []).append(one)
    groups = group_by_key(one.record for one in found).values()
    result = [_make_history([one for record in dict.fromkeys(group) for one in by_record[record]]) for group in groups]
    return sorted(result, key=lambda key: key.first.time if key.first else 0)


def _make_history(group: Sequence[BlobFinding]) -> LeakedKeyHistory:
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
        len({one.blob for one in group}),
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
    for event in scan_blobs(git, list(blobs)):
        if isinstance(event, UnreadableBlob):
            raise GitFailed(f"git can't read {event.blob}, which is staged as {blobs[event.blob][0]}.", "Try: git fsck")
        if isinstance(event, BlobFindings):
            for path in blobs[event.blob]:
                found[path] = make_records(path, event.findings, watchlist)
        if isinstance(event, ScanProgress):
            yield event
    yield dict(sorted(found.items()))


def _trace_to_commits(
    git: Git, revisions: Sequence[str], findings_by_blob: dict[str, tuple[Finding, ...]], paths: dict[str, str]
) -> tuple[BlobFinding, ...]:
    traced = find_appearances(git, revisions, findings_by_blob)
    found, watchlist = [], _watchlist(git)
    for blob, findings in findings_by_blob.items():
        appearances: Sequence[BlobAppearance | None] = traced.get(blob) or [None]
        for appearance in appearances:
            path = appearance.path if appearance else paths[blob]
            found += [BlobFinding(record, blob, appearance) for record in make_records(path, findings, watchlist)]
    return tuple(sorted(found, key=lambda one: (one.appearance.first.time if one.appearance else 0, one.record.file)))


def _watchlist(git: Git) -> Watchlist:
    """What the processes that scan blobs look for: it says which of the keys are stored."""
    return build_watchlist(git.folder, environ=git.given)
