"""What a scan comes to, once the baseline was applied and Mistral was asked: its notes, data and exit code."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from mistral_nb import exit_codes
from mistral_nb.file_scrub.removal_summary import format_finding
from mistral_nb.key_records import format_tail
from mistral_nb.scanning.found_keys import NameMask
from mistral_nb.scanning.scan_findings import (
    LIVE,
    NOT_ASKED,
    REFUSED,
    ScanFinding,
    ScanReport,
    finding_to_json,
)
from mistral_nb.wording import plural


class Conclusion(NamedTuple):
    """``findings`` with their states and answers. ``not_silenced``: those that the baseline names, and cannot silence.

    ``was_verified``: whether Mistral was asked. ``problems``: what makes the scan incomplete; ``notes``: what else is
    to be said.
    """

    findings: tuple[ScanFinding, ...]
    not_silenced: tuple[ScanFinding, ...] = ()
    was_verified: bool = False
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def conclude(report: ScanReport, told: Conclusion, mask: NameMask) -> ScanReport:
    """The report with only the findings that count in its text, all of them in its data, and the exit code.

    No name of a file in it holds a key.
    """
    counted = [finding for finding in told.findings if finding.is_counted]
    silenced = [finding for finding in told.findings if not finding.is_counted]
    code = exit_codes.FINDING if counted else exit_codes.OK
    if told.problems or report.exit_code == exit_codes.INCOMPLETE:
        code = exit_codes.INCOMPLETE
    gone = {format_finding(finding.record) for finding in silenced} - {format_finding(one.record) for one in counted}
    labels = _row_labels(silenced) - _row_labels(counted)
    notes = [note for note in report.notes if note not in gone]
    summary = [] if report.title else notes[-1:]  # of files it is the last line, of a history the title
    before = notes[: len(notes) - len(summary)]
    advice = report.advice if counted else ()
    more = (*advice, *_answer_notes(told), *_baseline_notes(silenced, told), *told.problems, *told.notes)
    concluded = replace(
        report,
        rows=tuple(row for row in report.rows if row.label not in labels),
        notes=(*before, *more, *summary),
        exit_code=code,
        data={**report.data, "findings": [finding_to_json(finding) for finding in told.findings]},
        findings=told.findings,
    )
    return mask.report(concluded)


def _row_labels(findings: Iterable[ScanFinding]) -> set[str]:
    return {f"{format_tail(finding.record)} {finding.record.fingerprint}".strip() for finding in findings}


def _answer_notes(told: Conclusion) -> list[str]:
    if not (told.was_verified and told.findings):
        return []
    words = {LIVE: "Live, Mistral accepts it: revoke {}", REFUSED: "Refused by Mistral: {}", NOT_ASKED: "Not asked: {}"}
    tails: dict[str, dict[str, None]] = {answer: {} for answer in words}
    for finding in told.findings:
        tails[finding.answer][format_tail(finding.record)] = None
    return [f"{sentence.format(', '.join(tails[answer]))}." for answer, sentence in words.items() if tails[answer]]


def _baseline_notes(silenced: Sequence[ScanFinding], told: Conclusion) -> list[str]:
    notes = []
    if silenced:
        notes.append(f"{plural(len(silenced), 'finding')} in the baseline, not listed.")
    if told.not_silenced:
        tails = ", ".join(dict.fromkeys(format_tail(finding.record) for finding in told.not_silenced))
        notes.append(f"The baseline cannot silence {tails}: in use here, accepted by Mistral, or not added by you.")
    return notes
