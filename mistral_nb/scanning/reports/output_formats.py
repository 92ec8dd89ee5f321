"""The formats of `scan`: which there are, and a scan's report in one of them, printed or in a file."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from mistral_nb import exit_codes
from mistral_nb import report as drawing
from mistral_nb.command_context import Context
from mistral_nb.errors import reason
from mistral_nb.file_io import READABLE_FILE, write_atomically
from mistral_nb.printable import safe_json
from mistral_nb.report import Report
from mistral_nb.scanning.reports.github_annotations import make_annotations, make_summary
from mistral_nb.scanning.reports.gitlab_report import make_gitlab_report
from mistral_nb.scanning.reports.report_facts import ReportFacts
from mistral_nb.scanning.reports.sarif_log import make_sarif
from mistral_nb.scanning.scan_findings import ScanReport, finding_to_json

TEXT = "text"
_SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


def _make_json_lines(facts: ReportFacts) -> str:
    return "\n".join(safe_json(json.dumps(finding_to_json(finding), ensure_ascii=False)) for finding in facts.findings)


_DRAWN: Mapping[str, Callable[[ReportFacts], str]] = {
    "jsonl": _make_json_lines,
    "sarif": make_sarif,
    "github": make_annotations,
    "gitlab": make_gitlab_report,
}


def gather_facts(context: Context, report: ScanReport, started: datetime) -> ReportFacts:
    """What the formats are made of."""
    folder = os.path.abspath(context.folder or os.curdir)
    summary = report.title or "".join(report.notes[-1:])
    is_complete = report.exit_code != exit_codes.INCOMPLETE
    return ReportFacts(
        report.findings,
        folder,
        _find_root(folder, context.environ),
        started,
        context.now(),
        is_complete,
        summary,
        () if is_complete else (f"Not everything was searched: {summary}",),
    )


def _find_root(folder: str, environ: Mapping[str, str]) -> str:
    """The top of the repository around a folder, or the folder itself."""
    from mistral_nb.git.run_git import Git, GitFailed

    try:
        return Git.at_work(folder, environ).top() or folder
    except (GitFailed, OSError):
        return folder


def draw(report: ScanReport, facts: ReportFacts, output_format: str) -> str:
    """The report in one of the formats that are for machines."""
    return drawing.as_json(report) if output_format == "json" else _DRAWN[output_format](facts)


def deliver(
    context: Context, report: ScanReport, started: datetime, output_format: str, output: str | None = None
) -> Report:
    """The report as the command line prints it. With ``output`` the format goes to that file, and text is printed.

    ``github`` adds to the job summary where there is one. A file that can't be written makes the scan incomplete.
    """
    if output_format == TEXT:
        document = drawing.as_text(report) if output else ""
    else:
        facts, summary = gather_facts(context, report, started), context.environ.get(_SUMMARY_VARIABLE)
        document = draw(report, facts, output_format)
        if output_format == "github" and summary:
            _append(summary, make_summary(facts))
    if output is None:
        return report if output_format == TEXT else replace(report, document=document or "\n")
    try:
        _write(output, f"{document}\n".encode("utf-8", "replace") if document else b"")
    except OSError as error:
        problem = f"The report was not written to {output}: {reason(error)}."
        return replace(report, notes=(problem, *report.notes), exit_code=exit_codes.INCOMPLETE)
    return report


def _write(path: str, data: bytes) -> None:
    if os.path.exists(path) and not os.path.isfile(path):  # /dev/stdout, a pipe: nothing may take their place
        with open(path, "wb") as file:
            file.write(data)
    else:
        write_atomically(os.path.realpath(path), data, READABLE_FILE)


def _append(path: str, text: str) -> None:
    """A job summary that can't be written costs no finding: the annotations have all of it."""
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would wait for a reader
        return
    with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as file:
        file.write(text)
