"""What `scan` found, as its reports, the baseline and the question to Mistral take it: one finding a key and place.

A finding is named by its key and a number: the second place of a key is ``…:2``, wherever it is. So lines, cells and
files may move, and a key that is copied to a further place is a further finding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mistral_nb.key_records import KeyRecord, format_place, group_by_key, to_json
from mistral_nb.report import Report

NEW, BASELINED = "new", "baselined"
LIVE, REFUSED, NOT_ASKED = "live", "refused", "not asked"
RULE, RULE_TITLE = "mistral-api-key", "Mistral API key"
_PERSONALISATION = b"mistral-nb-place"


class ScanFinding(NamedTuple):
    """A key in one place. ``more``: what a history scan adds to the record: blob, commit, author, date.

    ``key_id`` and ``number`` are its name; ``number_in_file`` counts the key's places in its file alone. ``answer``:
    what Mistral said of the key.
    """

    record: KeyRecord
    more: Mapping[str, Any]
    key_id: str
    number: int
    number_in_file: int
    state: str = NEW
    answer: str = NOT_ASKED

    @property
    def id(self) -> str:
        return f"{self.key_id}:{self.number}"

    @property
    def commit(self) -> str:
        """The first commit that carries it; "" in the working tree."""
        return str(self.more.get("commit") or "")

    @property
    def is_in_history(self) -> bool:
        """Whether git's history has it, rather than a file of the working tree."""
        return "blob" in self.more

    @property
    def is_counted(self) -> bool:
        """Whether it makes the scan fail: it is new, or the key works."""
        return self.state == NEW or self.answer == LIVE


@dataclass(frozen=True)
class ScanReport(Report):
    """A scan's report, with its findings. ``advice``: notes that hold only where a finding counts."""

    findings: tuple[ScanFinding, ...] = field(default=(), kw_only=True)
    advice: tuple[str, ...] = field(default=(), kw_only=True)


def make_findings(found: Iterable[tuple[KeyRecord, Mapping[str, Any]]]) -> tuple[ScanFinding, ...]:
    """Findings of records, each with what else is told of it. Those of a blob at one path in several commits, whose
    line may differ, have one number."""
    given = list(found)
    key_ids = _key_ids([record for record, _ in given])
    in_version: dict[tuple[str, str, object], int] = {}
    numbers: dict[str, dict[tuple[str, int], int]] = {}
    result = []
    for record, more in given:
        key_id, version = key_ids[record], more.get("blob")
        place = in_version[key_id, record.file, version] = in_version.get((key_id, record.file, version), 0) + 1
        known = numbers.setdefault(key_id, {})
        number = known.setdefault((record.file, place), len(known) + 1)
        result.append(ScanFinding(record, more, key_id, number, place))
    return tuple(result)


def hash_key(fingerprint: str, tail: str = "") -> str:
    """What names a key in reports that others may read: it cannot be turned back into the key or its fingerprint.

    Of a part of a key nothing but the tail is known; of a passphrase nothing is hashed, since it could be guessed.
    """
    text = fingerprint or f"part of {tail}"
    return hashlib.blake2b(text.encode(), digest_size=16, person=_PERSONALISATION).hexdigest()


def finding_to_json(finding: ScanFinding) -> dict[str, Any]:
    """A finding as `scan --json` has it."""
    names = {"id": finding.id, "state": finding.state, "answer": finding.answer}
    return to_json(finding.record) | dict(finding.more) | names


def describe_finding(finding: ScanFinding) -> str:
    """``Mistral API key …e6M2 in cell 2``, for reports that others may read: nothing of this machine is in it."""
    record = finding.record
    what = f"{RULE_TITLE} …{record.tail}" if record.tail else "Passphrase of the stored keys"
    if record.tail and not record.fingerprint:
        what = f"Part of the {what}"
    place = f" in {format_place(record)}" if record.path or record.place else ""
    commit = f", commit {finding.commit[:10]}" if finding.commit else ""
    live = " Mistral accepts it: revoke it now." if finding.answer == LIVE else ""
    return f"{what}{place}{commit}.{live}"


def sort_live_first(findings: Iterable[ScanFinding]) -> tuple[ScanFinding, ...]:
    order = (LIVE, NOT_ASKED, REFUSED)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.answer)))


def _key_ids(records: Sequence[KeyRecord]) -> dict[KeyRecord, str]:
    groups = group_by_key(records).items()
    return {record: hash_key(*key) for key, group in groups for record in group}
