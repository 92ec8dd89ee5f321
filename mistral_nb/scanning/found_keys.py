"""The keys of findings once more, which hold no key: to ask Mistral about them, and to take them out of names."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from mistral_nb.api_key import Key
from mistral_nb.bounded_read import read_with_status
from mistral_nb.command_context import Context
from mistral_nb.key_records import KeyRecord
from mistral_nb.redaction.findings import KNOWN, REMEMBERED
from mistral_nb.redaction.redact import redact, redact_text, redact_values
from mistral_nb.report import Dialog, Step
from mistral_nb.scanning.scan_findings import LIVE, NOT_ASKED, REFUSED, ScanFinding, ScanReport, sort_live_first
from mistral_nb.storage import index
from mistral_nb.watchlist import Watchlist
from mistral_nb.wording import plural

MAX_ASKED = 100  # keys of one scan that Mistral is asked about
_LENGTH = 32  # characters of Mistral's keys: what is only reported has no other length
_NAMED_BY = frozenset({KNOWN, REMEMBERED})
Reader = Callable[[ScanFinding], bytes]


class Asked(NamedTuple):
    """The findings with Mistral's answers, live ones first. ``problem``: why a key could not be asked about."""

    findings: tuple[ScanFinding, ...]
    problem: str = ""


def watch_for_found(records: Iterable[KeyRecord], watchlist: Watchlist) -> Watchlist:
    """A watchlist by which everything that was found is found again, as a key that is remembered."""
    here = {entry.fingerprint for entry in watchlist.remembered}
    tails = {one.fingerprint: one.tail for one in records if one.fingerprint}
    found = (
        index.RememberedKey(fingerprint, _LENGTH, tail, index.LIVE, "", True)
        for fingerprint, tail in tails.items()
        if fingerprint not in here
    )
    return Watchlist(known=watchlist.known, remembered=(*watchlist.remembered, *found))


class NameMask:
    """Takes the keys of ``records``, and those known or remembered here, out of names and of what is in them."""

    def __init__(self, records: Iterable[KeyRecord], watchlist: Watchlist) -> None:
        watched = watch_for_found(records, watchlist)
        self._watched = watched if watched.known or watched.remembered else None
        self._masked: dict[str, str] = {}

    def text(self, text: str) -> str:
        if self._watched is None:
            return text
        if text not in self._masked:
            self._masked[text] = redact_text(text, self._watched, tiers=_NAMED_BY)[0]
        return self._masked[text]

    def findings(self, findings: Iterable[ScanFinding]) -> tuple[ScanFinding, ...]:
        return tuple(map(self._hide_in_finding, findings))

    def report(self, report: ScanReport) -> ScanReport:
        return replace(
            report,
            rows=tuple(row._replace(value=self.text(row.value)) for row in report.rows),
            notes=tuple(map(self.text, report.notes)),
            data=self._hide_in_values(report.data),
            findings=self.findings(report.findings),
        )

    def _hide_in_finding(self, finding: ScanFinding) -> ScanFinding:
        record = finding.record
        hidden = record._replace(file=self.text(record.file), path=self.text(record.path))
        more = {name: self.text(value) if isinstance(value, str) else value for name, value in finding.more.items()}
        return finding._replace(record=hidden, more=more)  # an author's name may hold a key

    def _hide_in_values(self, values: Any) -> Any:
        """JSON-like values."""
        return values if self._watched is None else redact_values(values, self._watched, tiers=_NAMED_BY)[0]


def ask_mistral(context: Context, findings: Sequence[ScanFinding], watchlist: Watchlist, read: Reader) -> Dialog[Asked]:
    """Ask about each found key once. It stops where Mistral can't be reached. The host was agreed to before.

    Nothing is asked about a part of a key, and about a key that is no longer where it was found.
    """
    keys = _collect_keys(findings, watchlist, read)
    answers: dict[str, str] = {}
    problem = ""
    if len(keys) > MAX_ASKED:
        problem = f"Mistral was asked about {MAX_ASKED} of {len(keys)} keys: these come first."
    for key in list(keys.values())[:MAX_ASKED]:
        yield Step(f"Asking Mistral about …{key.tail}")
        verdict = context.verify(key)
        if verdict.accepts_key is None:
            left = len(keys) - len(answers)
            problem = f"{plural(left, 'key')} could not be asked about: {verdict.sentence}"
            break
        answers[key.fingerprint] = LIVE if verdict.accepts_key else REFUSED
    answered = [one._replace(answer=answers.get(one.record.fingerprint, NOT_ASKED)) for one in findings]
    return Asked(sort_live_first(answered), problem)


def read_work_file(folder: str | None, finding: ScanFinding) -> bytes:
    """The file that a finding of the working tree is in. Raises OSError."""
    return read_with_status(os.path.join(folder or "", finding.record.file))[0]


def _collect_keys(findings: Sequence[ScanFinding], watchlist: Watchlist, read: Reader) -> dict[str, Key]:
    """By fingerprint, in the order of the findings. Each file is read once at most, and no more than are needed."""
    watched = watch_for_found((one.record for one in findings), watchlist)
    keys = {secret.fingerprint: secret for secret in watchlist.known if isinstance(secret, Key)}
    wanted: dict[str, Key] = {}
    for finding in findings:
        fingerprint = finding.record.fingerprint
        if not fingerprint:
            continue
        if fingerprint not in keys:
            with suppress(OSError):
                keys |= redact(read(finding), watched, name=finding.record.file).keys
        if fingerprint in keys:
            wanted[fingerprint] = keys[fingerprint]
    return wanted
