"""Annotations of a workflow on GitHub, and its job summary.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions: in a command's message ``%`` and line
breaks are escaped, in its properties ``:`` and ``,`` too.
"""

from mistral_nb.printable import one_line, safe_lines
from mistral_nb.scanning.reports.report_facts import ReportFacts, name_from_root
from mistral_nb.scanning.scan_findings import RULE_TITLE, ScanFinding, describe_finding
from mistral_nb.wording import plural

SHOWN = 10  # annotations that GitHub shows of one step; the others are in its log
_ROWS = 500  # of the summary's table: a summary has at most 1 MiB
_MESSAGE_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY_ESCAPES = _MESSAGE_ESCAPES | {":": "%3A", ",": "%2C"}
_MARKDOWN = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_{}[]()#+!|~"} | {"<": "&lt;", "&": "&amp;"}
)


def make_annotations(facts: ReportFacts) -> str:
    """One command a finding that counts, and the scan's last line."""
    lines = [_format_annotation(finding, facts) for finding in facts.counted]
    lines += [f"::warning::{_escape(message, _MESSAGE_ESCAPES)}" for message in facts.messages]
    return "\n".join([*lines, _escape(facts.summary, _MESSAGE_ESCAPES)])


def make_summary(facts: ReportFacts) -> str:
    """The job summary, in Markdown."""
    counted = facts.counted
    lines = ["### Mistral API keys", "", _to_markdown(facts.summary), ""]
    if counted:
        lines += ["| file | line | finding |", "|---|---|---|"]
        lines += [_format_row(finding, facts) for finding in counted[:_ROWS]]
    if len(counted) > _ROWS:
        lines += ["", f"{plural(len(counted) - _ROWS, 'more finding')} in the step's log."]
    if len(counted) > SHOWN:
        lines += ["", f"GitHub shows {SHOWN} annotations of a step; all {len(counted)} are in its log."]
    lines += ["", *map(_to_markdown, facts.messages)]
    if counted:
        lines += ["", "Revoke these keys at Mistral first, then take them out of the files and of git's history."]
    return "\n".join(lines).rstrip() + "\n"


def _format_annotation(finding: ScanFinding, facts: ReportFacts) -> str:
    record = finding.record
    places = {"title": RULE_TITLE, "file": name_from_root(finding, facts)}
    if record.line and not finding.is_in_history:  # a line of an older commit may be another one now
        places |= {"line": str(record.line)} | ({"col": str(record.column)} if record.column else {})
    properties = ",".join(f"{name}={_escape(value, _PROPERTY_ESCAPES)}" for name, value in places.items())
    return f"::error {properties}::{_escape(describe_finding(finding), _MESSAGE_ESCAPES)}"


def _format_row(finding: ScanFinding, facts: ReportFacts) -> str:
    cells = (name_from_root(finding, facts), str(finding.record.line or ""), describe_finding(finding))
    return f"| {' | '.join(map(_to_markdown, cells))} |"


def _escape(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in safe_lines(one_line(text)))


def _to_markdown(text: str) -> str:
    return one_line(text).translate(_MARKDOWN)
