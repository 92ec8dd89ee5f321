"""The baseline: what is old is counted, what is new fails, and which keys no baseline silences."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import Key
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Report
from mistral_nb.scanning.scan_findings import hash_key
from mistral_nb.storage.index import COMPROMISED, LIVE, RETIRED, Index
from support.commands import act
from support.git_repos import Repo, git_environment
from support.keys import make_key
from support.requirements import need
from support.sandboxes import FaultySandbox
from support.scans import scan_in

SOURCE = '# Mistral\nMISTRAL_API_KEY = "{}"\n'


@pytest.fixture
def file(folder: Path) -> str:
    return str(folder.parent / "baseline.json")


@pytest.fixture
def old(folder: Path) -> Key:
    """A key that nobody here knows, in a file."""
    key = make_key()
    (folder / "a.py").write_text(SOURCE.format(key.reveal()))
    return key


def forge(file: str, *keys: Key, places: int = 9) -> None:
    """A baseline as a stranger may write it."""
    entries = [{"id": f"{hash_key(key.fingerprint)}:{n}"} for key in keys for n in range(1, places + 1)]
    Path(file).write_text(json.dumps({"version": 1, "files": entries, "history": entries}))


def scan(new_context: Any, folder: Path, file: str, **flags: Any) -> Report:
    return scan_in(new_context, folder, baseline=file, **flags).report


def test_old_findings_are_counted_and_a_new_one_fails(new_context: Any, folder: Path, file: str, old: Key) -> None:
    written = scan(new_context, folder, file, update_baseline=True)
    assert written.exit_code == 0
    assert f"{file} names 1 finding now." in str(written)
    assert old.reveal() not in Path(file).read_text()
    assert old.fingerprint not in Path(file).read_text()
    known = scan(new_context, folder, file)
    assert known.exit_code == 0
    assert "1 finding in the baseline, not listed." in str(known)
    assert "a.py:2" not in str(known)
    assert [finding["state"] for finding in known.data["findings"]] == ["baselined"]
    (folder / "b.py").write_text(SOURCE.format(make_key().reveal()))
    new = scan(new_context, folder, file)
    assert new.exit_code == 1
    assert "b.py:2" in str(new)
    assert "a.py:2" not in str(new)


def test_a_moved_key_is_old_and_of_a_copied_one_the_copy_is_new(
    new_context: Any, folder: Path, file: str, old: Key
) -> None:
    scan(new_context, folder, file, update_baseline=True)
    (folder / "z.py").write_text("#\n" + (folder / "a.py").read_text())
    (folder / "a.py").unlink()
    assert scan(new_context, folder, file).exit_code == 0
    (folder / "z.py").rename(folder / "a.py")
    shutil.copy(folder / "a.py", folder / "0.py")  # it comes before the old place
    copied = scan(new_context, folder, file)
    assert copied.exit_code == 1
    assert "0.py:3" in str(copied)
    assert "a.py:3" not in str(copied)


@pytest.mark.parametrize(
    ("state", "silenced", "silenced_by_own"),
    [(None, True, True), (LIVE, False, False), (RETIRED, False, True), (COMPROMISED, False, True)],
)
def test_a_strangers_baseline_silences_no_key_of_this_machine(
    state: str | None,
    silenced: bool,
    silenced_by_own: bool,
    new_context: Any,
    folder: Path,
    file: str,
    old: Key,
    environ: dict[str, str],
) -> None:
    """One's own silences a key that is out of use."""
    if state:
        Index(environ["MISTRAL_NB_HOME"]).remember(old, state)
    forge(file, old)
    report = scan(new_context, folder, file)
    assert report.exit_code == (0 if silenced else 1)
    assert (f"The baseline cannot silence …{old.tail}" in str(report)) is not silenced
    assert ("a.py:2" in str(report)) is not silenced
    own = scan(new_context, folder, file, update_baseline=True)
    assert own.exit_code == (0 if silenced_by_own else 1)
    assert len(json.loads(Path(file).read_text())["files"]) == silenced_by_own
    assert scan(new_context, folder, file).exit_code == (0 if silenced_by_own else 1)
    forge(file, old)
    shutil.copy(folder / "a.py", folder / "b.py")  # a place that this person did not accept
    assert scan(new_context, folder, file).exit_code == (0 if silenced else 1)


def test_no_baseline_silences_the_key_of_this_process_or_a_part_of_it(
    new_context: Any, folder: Path, file: str, environ: dict[str, str], old: Key
) -> None:
    environ["MISTRAL_API_KEY"] = old.reveal()
    forge(file, old)
    assert scan(new_context, folder, file).exit_code == 1
    (folder / "a.py").write_text(f"x = '{old.reveal()[:20]}'\n")
    part = scan(new_context, folder, file, update_baseline=True)
    assert part.exit_code == 1
    assert json.loads(Path(file).read_text())["files"] == []


def test_no_baseline_silences_a_key_that_works(
    new_context: Any, folder: Path, file: str, old: Key, sandbox: FaultySandbox
) -> None:
    working = sandbox.make_key()
    (folder / "b.py").write_text(SOURCE.format(working.reveal()))
    assert scan(new_context, folder, file, update_baseline=True).exit_code == 0
    live = scan(new_context, folder, file, verify=True)
    assert live.exit_code == 1
    assert f"Live, Mistral accepts it: revoke …{working.tail}." in str(live)
    assert "b.py:2" in str(live)
    assert "a.py:2" not in str(live), "Mistral refuses this one"
    sandbox.revoke(working)
    assert scan(new_context, folder, file, verify=True).exit_code == 0


def test_while_the_index_cannot_be_read_nothing_is_silenced(
    new_context: Any, folder: Path, file: str, environ: dict[str, str], old: Key
) -> None:
    scan(new_context, folder, file, update_baseline=True)
    Path(environ["MISTRAL_NB_HOME"]).mkdir(exist_ok=True)
    Path(environ["MISTRAL_NB_HOME"], "workspaces.json").write_text("{")
    assert scan(new_context, folder, file).exit_code == 1


def test_files_and_history_have_their_parts(new_context: Any, tmp_path: Path, file: str) -> None:
    need("git")
    repo = Repo(tmp_path / "repo", git_environment(tmp_path))
    for number in (1, 2):
        repo.write(f"{number}.py", SOURCE.format(make_key().reveal()).encode())
        repo.commit()
    (repo.path / "1.py").unlink()
    repo.commit()

    def run(baseline: str | None = file, **flags: Any) -> Report:
        context = new_context("cli", environ=repo.env, folder=str(repo.path))
        return act(context, "scan", paths=[], baseline=baseline, git_history="", **flags).report

    assert "1. Revoke" in str(run(baseline=None))
    assert run(update_baseline=True).exit_code == 0
    scan_in(new_context, repo.path, environ=repo.env, baseline=file, update_baseline=True)
    document = json.loads(Path(file).read_text())
    assert (len(document["files"]), len(document["history"])) == (1, 2)
    old = run()
    assert old.exit_code == 0
    assert old.rows == ()
    assert old.notes == ("2 findings in the baseline, not listed.",)
    asked = str(run(replacement_file=str(tmp_path / "texts")))
    assert all(step in asked for step in ("1. Revoke", "2. ", "3. Scan again"))
    repo.write("3.py", SOURCE.format(make_key().reveal()).encode())
    repo.commit()
    new = run()
    assert new.exit_code == 1
    assert len(new.rows) == 1


@pytest.mark.parametrize(
    "content",
    [None, "", "[]", "{}", '{"version": 2, "files": [], "history": []}', '{"version": 1, "files": [{}], "history": []}',
     '{"version": 1, "files": [{"id": "x"}], "history": []}', '{"version": 1, "files": {}, "history": 1}'],
)  # fmt: skip
def test_what_is_no_baseline_is_refused_before_the_scan(
    content: str | None, new_context: Any, folder: Path, file: str
) -> None:
    if content is not None:
        Path(file).write_text(content)
    with pytest.raises(WrongUsage) as refused:
        scan(new_context, folder, file)
    assert "--update-baseline" in str(refused.value)


def test_an_update_needs_a_file(new_context: Any, folder: Path) -> None:
    with pytest.raises(WrongUsage):
        scan_in(new_context, folder, update_baseline=True)


def test_what_could_not_be_read_keeps_its_old_findings(new_context: Any, folder: Path, file: str, old: Key) -> None:
    scan(new_context, folder, file, update_baseline=True)
    (folder / "a.py").unlink()
    (folder / "a.py").symlink_to(folder / "gone")
    report = act(new_context("cli"), "scan", paths=[str(folder / "a.py")], baseline=file, update_baseline=True).report
    assert report.exit_code == 3
    assert len(json.loads(Path(file).read_text())["files"]) == 1
