"""Annotations and the job summary, as GitHub reads them."""

from datetime import UTC, datetime

from mistral_nb.key_records import KeyRecord
from mistral_nb.scanning.reports.github_annotations import make_annotations, make_summary
from mistral_nb.scanning.reports.report_facts import ReportFacts
from mistral_nb.scanning.scan_findings import BASELINED, ScanFinding, make_findings

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def finding(file: str = "a.py", **more: object) -> ScanFinding:
    record = KeyRecord(file, "suspected", "f" * 32, "abcd", "unknown", "", None, None, "", 3, "", 7)
    (made,) = make_findings([(record, more)])
    return made


def facts(*found: ScanFinding, is_complete: bool = True) -> ReportFacts:
    messages = () if is_complete else ("100 %\nnot read",)
    return ReportFacts(found, "/work", "/work", NOW, NOW, is_complete, "3 files: 50 % read.", messages)


def test_a_message_and_its_properties_are_escaped_as_documented() -> None:
    lines = make_annotations(facts(finding("d/100%,a:b.py"), is_complete=False)).splitlines()
    assert lines == [
        "::error title=Mistral API key,file=d/100%25%2Ca%3Ab.py,line=3,col=7::Mistral API key …abcd.",
        "::warning::100 %25\\nnot read",
        "3 files: 50 %25 read.",
    ]


def test_an_older_commit_is_named_in_place_of_a_line() -> None:
    (line, _) = make_annotations(facts(finding(blob="1", commit="c" * 40))).splitlines()
    assert line == "::error title=Mistral API key,file=a.py::Mistral API key …abcd, commit cccccccccc."


def test_an_old_finding_has_no_annotation() -> None:
    old = finding()._replace(state=BASELINED)
    assert make_annotations(facts(old)) == "3 files: 50 %25 read."
    assert "…abcd" not in make_summary(facts(old))


def test_the_summary_is_a_table_that_no_name_breaks() -> None:
    lines = make_summary(facts(finding("a|b`<i>*.py"))).splitlines()
    assert lines[:7] == [
        "### Mistral API keys",
        "",
        "3 files: 50 % read.",
        "",
        "| file | line | finding |",
        "|---|---|---|",
        "| a\\|b\\`&lt;i>\\*.py | 3 | Mistral API key …abcd. |",
    ]
    many = make_summary(facts(*[finding(f"{n}.py") for n in range(600)]))
    assert "100 more findings in the step's log." in many
    assert "GitHub shows 10 annotations of a step; all 600 are in its log." in many
    assert len(many.encode()) < 1 << 20
