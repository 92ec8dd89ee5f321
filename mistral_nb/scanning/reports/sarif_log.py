"""SARIF 2.1.0, within what GitHub code scanning takes.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html and
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

import gzip
import json
from collections.abc import Sequence
from typing import Any

from mistral_nb import __version__
from mistral_nb.printable import one_line, safe_json
from mistral_nb.scanning.reports.report_facts import ReportFacts, format_utc, make_uri, name_from_root
from mistral_nb.scanning.scan_findings import BASELINED, LIVE, RULE, RULE_TITLE, ScanFinding, describe_finding
from mistral_nb.wording import plural

MAX_RESULTS = 25_000  # of one run; GitHub takes 20 runs, this is one
MAX_GZIP_BYTES = 10_000_000
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HELP = "Revoke the key at Mistral, take it out of the file, and load it from the environment or a keyring instead."


def make_sarif(facts: ReportFacts, max_results: int = MAX_RESULTS, max_bytes: int = MAX_GZIP_BYTES) -> str:
    """The log as JSON. What is more than GitHub takes is left out from the end, and a notification says so."""
    count = min(len(facts.findings), max_results)
    results = [_make_result(finding, facts) for finding in facts.findings[:count]]
    while True:
        text = _to_text(results[:count], len(facts.findings) - count, facts)
        if not count or len(gzip.compress(text.encode(), 6)) <= max_bytes:
            return text
        count //= 2


def _to_text(results: Sequence[Any], left_out: int, facts: ReportFacts) -> str:
    run = {
        "tool": {"driver": _make_driver()},
        "columnKind": "unicodeCodePoints",
        "invocations": [_make_invocation(facts, left_out)],
        "results": results,
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return safe_json(json.dumps(log, ensure_ascii=False, indent=1))


def _make_driver() -> dict[str, Any]:
    rule = {
        "id": RULE,
        "name": "MistralApiKey",
        "shortDescription": {"text": RULE_TITLE},
        "fullDescription": {"text": "A key for Mistral's API that whoever can read the file can use."},
        "help": {"text": _HELP, "markdown": _HELP},
        "defaultConfiguration": {"level": "error"},
        "properties": {"precision": "high", "security-severity": "9.0", "tags": ["security", "secret"]},
    }
    return {"name": "mistral-nb", "version": __version__, "semanticVersion": __version__, "rules": [rule]}


def _make_invocation(facts: ReportFacts, left_out: int) -> dict[str, Any]:
    told = [*facts.messages]
    if left_out:
        told.append(f"{plural(left_out, 'more finding')} not in this report: it would be larger than GitHub takes.")
    return {
        "executionSuccessful": facts.is_complete,
        "startTimeUtc": format_utc(facts.started),
        "endTimeUtc": format_utc(facts.ended),
        "toolExecutionNotifications": [
            {"level": "warning", "message": {"text": one_line(message)}} for message in told
        ],
    }


def _make_result(finding: ScanFinding, facts: ReportFacts) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": RULE,
        "ruleIndex": 0,
        "level": "error" if finding.is_counted else "note",
        "message": {"text": one_line(describe_finding(finding))},
        "locations": [_make_location(finding, facts)],
        # GitHub compares the first within one file; the second is the finding's name, wherever it is
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.key_id}:{finding.number_in_file}",
            "mistralNbFinding/v1": finding.id,
        },
        "baselineState": "new" if finding.state != BASELINED else "unchanged",
    }
    if finding.state == BASELINED and finding.answer != LIVE:
        result["suppressions"] = [{"kind": "external", "justification": "It is in the baseline."}]
    return result


def _make_location(finding: ScanFinding, facts: ReportFacts) -> dict[str, Any]:
    record, uri = finding.record, make_uri(name_from_root(finding, facts))
    place: dict[str, Any] = {"uri": uri}
    if not uri.startswith("file:"):
        place["uriBaseId"] = "%SRCROOT%"
    region: dict[str, Any] = {"startLine": record.line or 1}
    if record.line and record.column:
        region["startColumn"] = record.column
    return {"physicalLocation": {"artifactLocation": place, "region": region}}
