"""Whether saves are covered: what a kernel can tell, and why not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.jupyter.doctor_checks import checks, is_enabled
from mistral_nb.jupyter.save_coverage import check_coverage, write_server_note
from mistral_nb.paths import data_folder


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), **more}


def served(tmp_path: Path, **more: str) -> dict[str, str]:
    """As of a kernel that this process, taken for a server, starts for a notebook."""
    told = {
        "JPY_PARENT_PID": str(os.getpid()),
        "JPY_SESSION_NAME": "/work/a.ipynb",
        "MISTRAL_NB_HOME": data_folder(os.environ),
    }
    return environ(tmp_path, **told | more)


@pytest.mark.parametrize(
    ("more", "words", "state"),
    [
        ({}, "no Jupyter server started this process", ""),
        ({"VSCODE_PID": "1"}, "VS Code saves notebooks itself", "warn"),
        ({"VSCODE_PID": "1", "JPY_PARENT_PID": "999999"}, "VS Code saves notebooks itself", "warn"),
        ({"COLAB_RELEASE_TAG": "r"}, "Colab saves notebooks itself", "warn"),
        (
            {"JPY_PARENT_PID": "999999"},
            "mistral_nb is not installed where this kernel was started (process 999999)",
            "warn",
        ),
        ({"JPY_PARENT_PID": "odd"}, "mistral_nb is not installed where this kernel was started", "warn"),
    ],
)
def test_saves_that_are_not_covered_have_a_reason(more: dict[str, str], words: str, state: str, tmp_path: Path) -> None:
    found = check_coverage(environ(tmp_path, **more))
    assert not found.covered
    assert words in str(found)
    assert found.state == state
    assert "mistral-nb scrub" in found.repair


def test_the_server_that_left_its_note_covers_its_kernels(tmp_path: Path) -> None:
    env = served(tmp_path, VSCODE_PID="1")  # a Jupyter server inside VS Code's terminal
    assert not check_coverage(env).covered
    note = Path(write_server_note(env["JUPYTER_RUNTIME_DIR"]))
    try:
        assert check_coverage(env) == (True, "", "", "ok")
        assert note.stat().st_mode & 0o077 == 0
    finally:
        note.unlink()


@pytest.mark.parametrize(
    ("more", "words", "repair"),
    [
        # VS Code names its sessions itself: https://github.com/microsoft/vscode-jupyter, src/kernels/helpers.ts
        ({"JPY_SESSION_NAME": "/work/a-jvsc-1b2c.ipynb"}, "VS Code saves notebooks itself", "mistral-nb scrub"),
        ({"JPY_SESSION_NAME": ""}, "the server that started this kernel has no notebook", "mistral-nb scrub"),
        ({"MISTRAL_NB_HOME": "/other"}, "the server uses the key index in ", "with the same MISTRAL_NB_HOME"),
    ],
)
def test_a_server_with_our_hook_covers_only_what_it_saves(
    more: dict[str, str], words: str, repair: str, tmp_path: Path
) -> None:
    env = served(tmp_path)
    note = Path(write_server_note(env["JUPYTER_RUNTIME_DIR"]))
    try:
        assert check_coverage(env).covered
        found = check_coverage(env | more)
        assert not found.covered
        assert words in str(found)
        assert repair in found.repair
    finally:
        note.unlink()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="processes tell their start on Linux")
def test_a_note_of_an_earlier_process_with_the_same_id_does_not_count(tmp_path: Path) -> None:
    env = served(tmp_path)
    note = Path(write_server_note(env["JUPYTER_RUNTIME_DIR"]))
    try:
        assert check_coverage(env).covered
        note.write_text(json.dumps(json.loads(note.read_text()) | {"started": "1"}))
        assert not check_coverage(env).covered
        note.write_text("damaged")
        assert not check_coverage(env).covered
    finally:
        note.unlink()


def test_the_note_is_removed_with_its_process(tmp_path: Path) -> None:
    code = (
        f"from mistral_nb.jupyter.save_coverage import write_server_note; print(write_server_note({str(tmp_path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not Path(done.stdout.strip()).exists()


@pytest.mark.parametrize(
    ("said", "enabled"),
    [({"mistral_nb": True}, True), ({"mistral_nb": False}, False), ({}, None), ("damaged", None)],
)
def test_doctor_reads_jupyters_settings(
    said: object, enabled: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")  # else the environment's own file outranks the person's
    before = is_enabled()
    (tmp_path / "jupyter_server_config.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": said}}))
    assert is_enabled() is (before if enabled is None else enabled)


def test_doctor_reads_every_file_of_jupyters_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    folder = tmp_path / "jupyter_server_config.d"
    folder.mkdir()
    for name, said in (("mistral_nb", True), ("zz_of_the_hub", False)):
        (folder / f"{name}.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": {"mistral_nb": said}}}))
        assert is_enabled() is said


def test_doctor_has_a_row_in_a_kernel_and_one_elsewhere(tmp_path: Path) -> None:
    (row,) = checks(environ(tmp_path, JPY_PARENT_PID="999999"), in_kernel=True)
    assert (row.label, row.state) == ("saves", "warn")
    assert row.repair.startswith("install mistral_nb where Jupyter's server runs")
    (row,) = checks({}, in_kernel=False)
    assert row.label == "saves"
