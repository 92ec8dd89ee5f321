"""What is found in one object of a repository: in a blob and the archive it may be, in a commit's or a tag's text."""

from collections.abc import Iterator
from typing import NamedTuple

from mistral_nb.git.object_text import split_object
from mistral_nb.key_records import MESSAGE
from mistral_nb.redaction.archive_members import is_archive, read_members
from mistral_nb.redaction.binary_data import is_binary, may_hold_keys
from mistral_nb.redaction.findings import Finding, WatchlistLike, select_counted
from mistral_nb.redaction.redact import redact

BLOB, COMMIT, TAG = b"blob", b"commit", b"tag"
_MAX_PEOPLE = 10_000  # that are noted: most commits are written by a few


class PartFindings(NamedTuple):
    """The keys in one part of an object. ``place``: of a commit or a tag; ``member``: of an archive."""

    findings: tuple[Finding, ...]
    place: str = ""
    member: str = ""


class UnreadPart(NamedTuple):
    member: str
    reason: str


class BinaryContent(NamedTuple):
    """In it, or in this member, only keys in one piece are found."""

    member: str = ""


PartResult = PartFindings | UnreadPart | BinaryContent


class ObjectSearch:
    """Searches objects for the keys of one watchlist."""

    def __init__(self, watchlist: WatchlistLike) -> None:
        self._watchlist = watchlist
        self._by_person: dict[bytes, tuple[Finding, ...]] = {}

    def search(self, kind: bytes, data: bytes, *, may_be_binary: bool) -> Iterator[PartResult]:
        """``may_be_binary``: whether a blob's name says so little that its content decides."""
        if kind == BLOB:
            yield from self._search_content(data, "", may_be_binary)
            if is_archive(data):
                yield from self._search_members(data)
        else:
            for place, text in split_object(data):
                findings = self._find(text) if place == MESSAGE else self._find_in_person(text)
                if findings:
                    yield PartFindings(findings, place)

    def _search_members(self, data: bytes) -> Iterator[PartResult]:
        for member in read_members(data):
            if member.data is None:
                yield UnreadPart(member.name, member.reason)
            else:
                yield from self._search_content(member.data, member.name, may_be_binary=True)

    def _search_content(self, data: bytes, member: str, may_be_binary: bool) -> Iterator[PartResult]:
        binary = may_be_binary and is_binary(data)
        if binary and not is_archive(data):
            yield BinaryContent(member)
        if (not binary or may_hold_keys(data, self._watchlist)) and (findings := self._find(data)):
            yield PartFindings(findings, member=member)

    def _find_in_person(self, text: bytes) -> tuple[Finding, ...]:
        if text not in self._by_person:
            if len(self._by_person) >= _MAX_PEOPLE:
                self._by_person.clear()
            self._by_person[text] = self._find(text)
        return self._by_person[text]

    def _find(self, data: bytes) -> tuple[Finding, ...]:
        return select_counted(redact(data, self._watchlist).findings)
