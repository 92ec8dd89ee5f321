"""Where in history a key is: the file and the commits of a blob, and the text or the name that has it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mistral_nb.git.key_commits import Appearances, BlobAppearance, Commit, find_appearances, read_commit
from mistral_nb.git.key_names import Reference, describe_reference, hide_keys
from mistral_nb.git.object_scanner import ObjectFindings
from mistral_nb.git.run_git import Git
from mistral_nb.key_records import GIT_PLACES, NAME, KeyRecord, make_records
from mistral_nb.redaction.archive_members import SEPARATOR
from mistral_nb.redaction.findings import Finding
from mistral_nb.watchlist import Watchlist

_SHORT = 10  # digits of a commit's name that are shown


class HistoryFinding(NamedTuple):
    """A key in one place of one blob at one path, of a commit, a tag, or a name. ``name``: of that object; "" for a
    name. ``appearance``: None where no commit of the range holds it."""

    record: KeyRecord
    name: str
    appearance: BlobAppearance | None

    @property
    def is_in_blob(self) -> bool:
        return self.record.place not in GIT_PLACES


class KeyOrigins(NamedTuple):
    """What was found: in objects, in the paths of files, and in the names of references."""

    objects: Sequence[ObjectFindings]
    paths: Mapping[str, tuple[Finding, ...]]
    references: Mapping[Reference, tuple[Finding, ...]]


def trace_to_commits(
    git: Git, revisions: Sequence[str], found: KeyOrigins, blobs: Mapping[str, str], watchlist: Watchlist
) -> tuple[HistoryFinding, ...]:
    """The findings in the order of their commits, without a key in any name. ``blobs``: a path of each."""
    if not any(found):
        return ()
    contents = [one for one in found.objects if not one.place]
    paths = frozenset(map(os.fsencode, found.paths))
    appearances = Appearances({}, {})
    if contents or paths:
        appearances = find_appearances(git, revisions, [one.name for one in contents], paths)
    trace = _Trace(git, watchlist, appearances)
    findings = [
        *(finding for one in contents for finding in trace.in_blob(one, blobs[one.name])),
        *(finding for one in found.objects if one.place for finding in trace.in_text(one)),
        *(finding for path, found_in in found.paths.items() for finding in trace.in_path(path, found_in)),
        *(finding for name, found_in in found.references.items() for finding in trace.in_reference(name, found_in)),
    ]
    return tuple(sorted(findings, key=_order))


def _order(finding: HistoryFinding) -> tuple[int, str]:
    return finding.appearance.first.time if finding.appearance else 0, finding.record.file


class _Trace:
    def __init__(self, git: Git, watchlist: Watchlist, appearances: Appearances) -> None:
        self.git = git
        self.watchlist = watchlist
        self.appearances = appearances

    def in_blob(self, found: ObjectFindings, path: str) -> Iterator[HistoryFinding]:
        appearances: Sequence[BlobAppearance | None] = self.appearances.of_blobs.get(found.name) or [None]
        for appearance in appearances:
            file = appearance.path if appearance else path
            file += SEPARATOR + found.member if found.member else ""
            yield from self._make(file, found.findings, found.name, appearance)

    def in_text(self, found: ObjectFindings) -> Iterator[HistoryFinding]:
        commit = read_commit(self.git, found.name)
        kind = "commit" if commit and commit.name == found.name else "tag"
        appearance = BlobAppearance("", commit, commit) if commit else None
        yield from self._make(f"{kind} {found.name[:_SHORT]}", found.findings, found.name, appearance, found.place)

    def in_path(self, path: str, findings: Sequence[Finding]) -> Iterator[HistoryFinding]:
        yield from self._make(path, findings, "", self.appearances.of_paths.get(path), NAME)

    def in_reference(self, reference: Reference, findings: Sequence[Finding]) -> Iterator[HistoryFinding]:
        commit = read_commit(self.git, reference.target) if reference.target else None
        appearance = BlobAppearance("", commit, commit) if commit else None
        yield from self._make(describe_reference(reference.name), findings, "", appearance, NAME)

    def _make(
        self, file: str, findings: Sequence[Finding], name: str, appearance: BlobAppearance | None, place: str = ""
    ) -> Iterator[HistoryFinding]:
        shown = appearance and BlobAppearance(
            self._hide(appearance.path), self._hide_author(appearance.first), self._hide_author(appearance.last)
        )
        for record in make_records(self._hide(file), findings, self.watchlist, place):
            yield HistoryFinding(record, name, shown)

    def _hide(self, text: str) -> str:
        return hide_keys(text, self.watchlist)

    def _hide_author(self, commit: Commit) -> Commit:
        return commit._replace(author=self._hide(commit.author))
