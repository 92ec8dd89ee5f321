"""GitLab's secret detection report, for ``artifacts: reports: secret_detection``.

https://docs.gitlab.com/user/application_security/secret_detection/ and
https://gitlab.com/gitlab-org/security-products/security-report-schemas. Of the optional fields, the extract of the
source (the key), a commit's message (it may hold one) and its author are left out.
"""

import json
import uuid
from typing import Any

from mistral_nb import __version__
from mistral_nb.printable import safe_json
from mistral_nb.scanning.reports.report_facts import ReportFacts, format_utc, name_from_root
from mistral_nb.scanning.scan_findings import RULE, RULE_TITLE, ScanFinding, describe_finding
from mistral_nb.wording import plural

SCHEMA_VERSION = "15.0.7"
_NO_COMMIT = "0000000"  # as GitLab's own analyzer writes it of the working tree
_SOLUTION = "Revoke the key at Mistral, and take it out of the file and of git's history."


def make_gitlab_report(facts: ReportFacts) -> str:
    """The report as JSON: findings that are in the baseline are counted in a message."""
    report = {
        "version": SCHEMA_VERSION,
        "scan": _make_scan(facts),
        "vulnerabilities": [_make_vulnerability(finding, facts) for finding in facts.counted],
    }
    return safe_json(json.dumps(report, ensure_ascii=False, indent=1))


def _make_scan(facts: ReportFacts) -> dict[str, Any]:
    tool = {"id": "mistral_nb", "name": "mistral_nb", "version": __version__, "vendor": {"name": "mistral_nb"}}
    messages = [{"level": "warn", "value": message} for message in facts.messages]
    baselined = len(facts.findings) - len(facts.counted)
    if baselined:
        messages.append({"level": "info", "value": f"{plural(baselined, 'finding')} in the baseline."})
    return {
        "type": "secret_detection",
        "status": "success" if facts.is_complete else "failure",
        "start_time": format_utc(facts.started, ""),
        "end_time": format_utc(facts.ended, ""),
        "analyzer": tool,
        "scanner": tool,
        "messages": messages,
    }


def _make_vulnerability(finding: ScanFinding, facts: ReportFacts) -> dict[str, Any]:
    record, name = finding.record, name_from_root(finding, facts)
    location: dict[str, Any] = {
        "file": name.encode("utf-8", "backslashreplace").decode(),  # not every byte of a name is text
        "commit": {"sha": finding.commit or _NO_COMMIT},
    }
    if record.line:
        location |= {"start_line": record.line, "end_line": record.line}
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{RULE} {finding.id} {location['file']}")),
        "name": RULE_TITLE,
        "description": describe_finding(finding),
        "severity": "Critical",
        "solution": _SOLUTION,
        "identifiers": [{"type": "mistral_nb_rule_id", "name": RULE_TITLE, "value": RULE}],
        "location": location,
    }
