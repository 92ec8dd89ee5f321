"""Every format of `scan`: no key in it, its schema, where it goes, and what names of files can do to it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_table import SCAN_FORMATS
from mistral_nb.errors import WrongUsage
from mistral_nb.storage.index import Index
from support.commands import act
from support.git_repos import Repo, git_environment
from support.keys import make_key
from support.patience import PATIENCE
from support.requirements import need
from support.sandboxes import FaultySandbox
from support.scans import FORMATS, scan_in, schema, shown_by_scan

SOURCE = 'import mistralai\nMISTRAL_API_KEY = "{}"\n'


def test_these_are_all_formats() -> None:
    assert FORMATS == SCAN_FORMATS


@pytest.fixture(params=["suspected", "remembered", "known", "reported"])
def placed(request: pytest.FixtureRequest, environ: dict[str, str], folder: Path) -> Key:
    """A key in a file that has the key in its name as well, and in a folder that has."""
    key = make_key()
    if request.param == "remembered":
        Index(environ["MISTRAL_NB_HOME"]).remember(key)
    elif request.param == "known":
        environ["MISTRAL_API_KEY"] = key.reveal()
    elif request.param == "reported":
        (folder / ".mistral-nb-revoked").write_text(f"{key.fingerprint}\n")
    (folder / key.reveal()).mkdir()
    (folder / key.reveal() / f"x {key.reveal()}.py").write_text(SOURCE.format(key.reveal()))
    return key


@pytest.mark.parametrize("output_format", FORMATS)
def test_no_format_holds_a_key_that_the_file_and_its_name_hold(
    output_format: str, placed: Key, new_context: Any, folder: Path, environ: dict[str, str]
) -> None:
    environ["GITHUB_STEP_SUMMARY"] = str(folder.parent / "summary")
    output = folder.parent / "report"
    acted = scan_in(new_context, folder, output_format=output_format)
    scan_in(new_context, folder, output_format=output_format, output=str(output))
    summary = Path(environ["GITHUB_STEP_SUMMARY"])
    held = placed.reveal()[:15]
    assert acted.report.exit_code == 1
    for text in (shown_by_scan(acted), output.read_text(), summary.read_text() if summary.exists() else ""):
        assert held not in text
        assert placed.tail in text or not text
    (file,) = folder.rglob("*.py")
    assert held in file.read_text(), "the search finds it"
    assert held in str(file)


def test_json_and_its_lines_follow_the_schema(new_context: Any, folder: Path, placed: Key) -> None:
    document = json.loads(shown_by_scan(scan_in(new_context, folder, output_format="json")))
    jsonschema.validate(document, schema("scan.schema.json"))
    lines = shown_by_scan(scan_in(new_context, folder, output_format="jsonl")).splitlines()
    assert [json.loads(line) for line in lines] == document["findings"]
    assert lines
    del document["findings"][0]["id"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema("scan.schema.json"))


@pytest.mark.parametrize("output_format", FORMATS)
def test_without_a_finding_a_format_is_complete(output_format: str, new_context: Any, folder: Path) -> None:
    (folder / "a.py").write_text("x = 1\n")
    acted = scan_in(new_context, folder, output_format=output_format)
    assert acted.report.exit_code == 0
    shown = shown_by_scan(acted)
    if output_format in ("json", "sarif", "gitlab"):
        json.loads(shown)
    elif output_format == "jsonl":
        assert shown.strip() == ""
    else:
        assert shown.endswith("1 file: no key found.")


def test_a_file_gets_the_format_and_the_terminal_the_text(
    new_context: Any, folder: Path, tmp_path: Path, key: Key
) -> None:
    (folder / "a.py").write_text(SOURCE.format(key.reveal()))
    acted = scan_in(new_context, folder, output_format="sarif", output=str(tmp_path / "out.sarif"))
    assert json.loads((tmp_path / "out.sarif").read_text())["version"] == "2.1.0"
    assert f"Mistral key …{key.tail}" in shown_by_scan(acted)
    assert (tmp_path / "out.sarif").stat().st_mode & 0o777 == 0o644


def test_a_report_that_cannot_be_written_makes_the_scan_incomplete(
    new_context: Any, folder: Path, tmp_path: Path, key: Key
) -> None:
    (folder / "a.py").write_text(SOURCE.format(key.reveal()))
    acted = scan_in(new_context, folder, output_format="json", output=str(tmp_path / "gone/out"))
    assert acted.report.exit_code == 3
    assert "The report was not written" in acted.shown
    assert f"…{key.tail}" in acted.shown


def test_a_report_takes_the_place_of_no_file_that_is_read(new_context: Any, folder: Path) -> None:
    (folder / "a.py").write_text(SOURCE.format(make_key().reveal()))
    source, old = str(folder / "a.py"), str(folder / "old.json")
    (folder / "link").symlink_to("a.py")
    scan_in(new_context, source, baseline=old, update_baseline=True)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for output in (source, str(folder / "link"), f"{folder}/./old.json"):
        with pytest.raises(WrongUsage, match="is to be read"):
            scan_in(new_context, source, baseline=old, update_baseline=True, output=output)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_pipe_as_output_is_written_to_and_stays(folder: Path, environ: dict[str, str]) -> None:
    (folder / "a.py").write_text("x = 1\n")
    words = [sys.executable, "-m", "mistral_nb", "scan", ".", "--format", "sarif", "--output", "/dev/stderr"]
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, timeout=60 * PATIENCE)
    assert done.returncode == 0
    assert json.loads(done.stderr)["version"] == "2.1.0"
    assert done.stdout == "1 file: no key found.\n"


def test_a_report_in_the_folder_is_no_finding_itself(new_context: Any, folder: Path, key: Key) -> None:
    (folder / "a.py").write_text(SOURCE.format(key.reveal()))
    for output_format in FORMATS:
        scan_in(new_context, folder, output_format=output_format, output=str(folder / f"out.{output_format}"))
    scan_in(new_context, folder, baseline=str(folder / "baseline.json"), update_baseline=True)
    (folder / "a.py").unlink()
    assert scan_in(new_context, folder).report.exit_code == 0


HOSTILE = "a\n::error::b %0A##[error],c:d\x1b[31m|<b>`x`.py"


@pytest.mark.slow_except("github", "sarif")
@pytest.mark.parametrize("output_format", FORMATS)
def test_a_name_adds_no_line_and_no_command(output_format: str, folder: Path, environ: dict[str, str]) -> None:
    (folder / HOSTILE).write_text(SOURCE.format(make_key().reveal()))
    words = [sys.executable, "-m", "mistral_nb", "scan", ".", "--format", output_format]
    summary = folder.parent / "summary"
    environ["GITHUB_STEP_SUMMARY"] = str(summary)
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, timeout=60 * PATIENCE)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "##[" not in done.stdout
    commands = [line for line in done.stdout.splitlines() if line.lstrip().startswith("::")]
    assert len(commands) == (output_format == "github")
    assert sum("::" in line for line in commands) == len(commands)
    if output_format == "github":
        assert commands[0].count("::") == 2
        row = summary.read_text().splitlines()[6]
        assert row.count(" | ") == 2
        assert "<b>" not in row
    if output_format == "gitlab":
        (finding,) = json.loads(done.stdout)["vulnerabilities"]
        assert finding["location"]["file"] == HOSTILE


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name is text")
@pytest.mark.parametrize("output_format", FORMATS)
def test_a_name_whose_bytes_are_no_text_is_told_in_every_format(
    output_format: str, new_context: Any, folder: Path, tmp_path: Path
) -> None:
    (folder / os.fsdecode(b"odd \xff.py")).write_text(SOURCE.format(make_key().reveal()))
    output = tmp_path / "out"
    acted = scan_in(new_context, folder, output_format=output_format, output=str(output))
    assert acted.report.exit_code == 1
    told = output.read_text(encoding="utf-8")
    if output_format == "gitlab":  # no half of a pair: not every reader of JSON takes one
        told = json.loads(told)["vulnerabilities"][0]["location"]["file"].encode("utf-8").decode()
    assert ("odd%20%FF.py" if output_format == "sarif" else "odd \\udcff.py") in told


def test_places_count_from_the_top_of_the_repository(folder: Path, environ: dict[str, str]) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "deep").mkdir()
    (folder / "deep/a.py").write_text(SOURCE.format(make_key().reveal()))
    words = [sys.executable, "-m", "mistral_nb", "scan", "--format", "sarif"]
    done = subprocess.run(
        words, cwd=folder / "deep", env=environ, capture_output=True, text=True, timeout=60 * PATIENCE
    )
    (result,) = json.loads(done.stdout)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "deep/a.py"


def test_what_could_not_be_read_is_told_in_every_format(
    new_context: Any, folder: Path, environ: dict[str, str]
) -> None:
    os.mkfifo(folder / "pipe.ipynb")
    reports = {
        output_format: scan_in(new_context, folder / "pipe.ipynb", output_format=output_format).report
        for output_format in ("sarif", "github", "gitlab")
    }
    assert {report.exit_code for report in reports.values()} == {3}
    (run,) = json.loads(reports["sarif"].document)["runs"]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert run["invocations"][0]["toolExecutionNotifications"]
    assert json.loads(reports["gitlab"].document)["scan"]["status"] == "failure"
    assert reports["github"].document.startswith("::warning::")


@pytest.mark.parametrize("output_format", ["sarif", "gitlab"])
def test_the_job_summary_is_of_github_alone(
    output_format: str, new_context: Any, folder: Path, environ: dict[str, str]
) -> None:
    environ["GITHUB_STEP_SUMMARY"] = str(folder.parent / "summary")
    scan_in(new_context, folder, output_format=output_format)
    assert not Path(environ["GITHUB_STEP_SUMMARY"]).exists()


def test_a_link_in_a_report_s_place_is_followed(folder: Path, environ: dict[str, str]) -> None:
    (folder.parent / "target").write_text("old")
    (folder.parent / "link").symlink_to(folder.parent / "target")
    words = [sys.executable, "-m", "mistral_nb", "scan", "--format", "sarif", "--output", str(folder.parent / "link")]
    assert subprocess.run(words, cwd=folder, env=environ, capture_output=True, timeout=60 * PATIENCE).returncode == 0
    assert (folder.parent / "link").is_symlink()
    assert json.loads((folder.parent / "target").read_text())["version"] == "2.1.0"


@pytest.fixture
def history(tmp_path: Path, placed: Key) -> Repo:
    """A history with the key in a file, its name, a message, an author and a branch; the working tree has none."""
    need("git")
    repo = Repo(tmp_path / "repo", git_environment(tmp_path))
    repo.write(f"x {placed.reveal()}.py", SOURCE.format(placed.reveal()).encode())
    repo.commit(f"mistral key {placed.reveal()}")
    repo.git("commit", "-q", "--amend", "--no-edit", f"--author=x {placed.reveal()} <a@example.com>")
    repo.git("branch", f"topic-{placed.reveal()}")
    repo.git("rm", "-q", "-r", ".")
    repo.git("commit", "-q", "-m", "gone")
    return repo


@pytest.mark.slow_except("sarif")
@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("placed", ["remembered", "suspected"], indirect=True)
def test_no_format_of_a_history_holds_a_key(
    output_format: str, placed: Key, history: Repo, new_context: Any, environ: dict[str, str]
) -> None:
    context = new_context("cli", folder=str(history.path))
    report = act(context, "scan", paths=[], git_history="--all", output_format=output_format).report
    shown = str(report.document or report)
    assert report.exit_code == 1
    assert placed.tail in shown
    assert placed.reveal()[:15] not in shown
    for places in ("--format=%s", "--format=%an", "--format= --name-only", "--format=%S --source"):
        assert placed.reveal()[:15] in history.git("log", "--all", *places.split(), "HEAD~1")
    if output_format == "json":
        jsonschema.validate(json.loads(shown), schema("scan.schema.json"))
    if output_format == "sarif":
        jsonschema.validate(json.loads(shown), schema("sarif.schema.json"))
        uris = {
            place["physicalLocation"]["artifactLocation"]["uri"]
            for result in json.loads(shown)["runs"][0]["results"]
            for place in result["locations"]
        }
        commit = history.git("rev-parse", "HEAD~1")[:10]
        assert f"commit%20{commit}%20%28message%29" in uris


def test_a_key_in_a_message_alone_is_asked_about(tmp_path: Path, new_context: Any, sandbox: FaultySandbox) -> None:
    need("git")
    working = sandbox.make_key()
    repo = Repo(tmp_path / "repo", git_environment(tmp_path))
    repo.git("commit", "-q", "--allow-empty", "-m", f"MISTRAL_API_KEY={working.reveal()}")
    context = new_context("cli", folder=str(repo.path))
    report = act(context, "scan", paths=[], git_history="--all", verify=True).report
    assert [finding.answer for finding in report.findings] == ["live"]
    assert report.exit_code == 1
