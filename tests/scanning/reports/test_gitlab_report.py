"""GitLab's report, against what its schema 15.0.7 requires."""

import json
from pathlib import Path
from typing import Any

import jsonschema

from mistral_nb.api_key import Key
from support.commands import act
from support.git_repos import Repo, git_environment
from support.keys import make_key
from support.requirements import need
from support.scans import scan_in

_TEXT = {"type": "string", "minLength": 1}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"}
_TOOL = {
    "type": "object",
    "required": ["id", "name", "version", "vendor"],
    "properties": {"id": _TEXT, "name": _TEXT, "version": _TEXT, "vendor": {"type": "object", "required": ["name"]}},
}
_IDENTIFIER = {"type": "object", "required": ["type", "name", "value"], "additionalProperties": _TEXT}
_LOCATION = {
    "type": "object",
    "required": ["commit"],
    "properties": {
        "file": {"type": "string"},
        "commit": {"type": "object", "required": ["sha"], "properties": {"sha": _TEXT}},
        "start_line": {"type": "number"},
        "end_line": {"type": "number"},
    },
}
REQUIRED = {
    "type": "object",
    "required": ["scan", "version", "vulnerabilities"],
    "properties": {
        "version": {"const": "15.0.7"},
        "scan": {
            "type": "object",
            "required": ["analyzer", "end_time", "scanner", "start_time", "status", "type"],
            "properties": {
                "analyzer": _TOOL,
                "scanner": _TOOL,
                "start_time": _TIME,
                "end_time": _TIME,
                "status": {"enum": ["success", "failure"]},
                "type": {"const": "secret_detection"},
                "messages": {
                    "type": "array",
                    "items": {
                        "required": ["level", "value"],
                        "properties": {"level": {"enum": ["info", "warn", "fatal"]}, "value": _TEXT},
                    },
                },
            },
        },
        "vulnerabilities": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "identifiers", "location"],
                "properties": {
                    "id": _TEXT,
                    "name": {"type": "string", "maxLength": 255},
                    "severity": {"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
                    "solution": {"type": "string", "maxLength": 7000},
                    "identifiers": {"type": "array", "minItems": 1, "items": _IDENTIFIER},
                    "location": _LOCATION,
                },
            },
        },
    },
}


def read(report: Any) -> dict[str, Any]:
    document = json.loads(report.document)
    jsonschema.validate(document, REQUIRED)
    return document


def test_it_has_what_gitlab_requires_and_no_source(new_context: Any, folder: Path, key: Key) -> None:
    (folder / "a.py").write_text(f"x = '{key.reveal()}'\n")
    document = read(scan_in(new_context, folder, output_format="gitlab").report)
    (found,) = document["vulnerabilities"]
    assert found["location"] == {"file": "a.py", "commit": {"sha": "0000000"}, "start_line": 1, "end_line": 1}
    assert "raw_source_code_extract" not in found
    (folder / "a.py").write_text(f"#\n#\nx = '{key.reveal()}'\n")
    (moved,) = read(scan_in(new_context, folder, output_format="gitlab").report)["vulnerabilities"]
    assert moved["id"] == found["id"]


def test_old_findings_are_counted_in_a_message(new_context: Any, folder: Path) -> None:
    (folder / "a.py").write_text(f'# Mistral\nMISTRAL_API_KEY = "{make_key().reveal()}"\n')
    baseline = str(folder.parent / "baseline.json")
    scan_in(new_context, folder, baseline=baseline, update_baseline=True)
    document = read(scan_in(new_context, folder, baseline=baseline, output_format="gitlab").report)
    assert document["vulnerabilities"] == []
    assert document["scan"]["messages"] == [{"level": "info", "value": "1 finding in the baseline."}]


def test_of_a_history_it_names_the_commit_and_nobody(new_context: Any, tmp_path: Path) -> None:
    need("git")
    repo = Repo(tmp_path / "repo", git_environment(tmp_path))
    repo.write("a.py", f'# Mistral\nMISTRAL_API_KEY = "{make_key().reveal()}"\n'.encode())
    repo.commit("a message")
    context = new_context("cli", environ=repo.env, folder=str(repo.path))
    document = read(act(context, "scan", paths=[], git_history="", output_format="gitlab").report)
    (found,) = document["vulnerabilities"]
    assert found["location"]["commit"] == {"sha": repo.git("rev-parse", "HEAD").strip()}
    assert "A Person" not in json.dumps(document)
    assert "a message" not in json.dumps(document)
