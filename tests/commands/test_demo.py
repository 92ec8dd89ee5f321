"""`mistral-nb demo`: what a newcomer runs first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive
from mistral_nb.commands import demo

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))


@pytest.mark.slow  # CI runs the demo as the README says
def test_it_runs_the_main_workflow_and_leaves_nothing_behind(environ: dict[str, str], tmp_path: Path) -> None:
    temporary = tmp_path / "temporary files"
    temporary.mkdir()
    before = _files(Path(environ["HOME"]))
    env = environ | {"TMPDIR": str(temporary), "MISTRAL_API_KEY": "not-the-demos-business"}
    done = subprocess.run([SCRIPT, "demo"], env=env, cwd=temporary, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    shown = done.stdout + done.stderr
    for part in (
        "asked once; the answer was masked",
        "none of the",
        "second kernel has the key without asking",
        "was accepted by the API",
        'Saved through Jupyter\'s save hook it reads: api_key="[MISTRAL_API_KEY redacted]"',
        'Committed through the git filter it reads: api_key="[MISTRAL_API_KEY redacted]"',
    ):
        assert f"{part}" in shown
    assert "\n           ! " not in shown, "no warning in status"
    assert "NOT covered" not in shown
    assert _files(temporary) == []
    assert _files(Path(environ["HOME"])) == before


@pytest.mark.slow
def test_every_cell_of_the_quickstart_is_shown(environ: dict[str, str]) -> None:
    steps: list[str] = []
    drive(demo.action(Context("cli", environ)), lambda ask: None, steps.append)
    shown = "\n".join(steps)
    cells = demo.quickstart_cells()
    assert cells
    for cell in cells:
        assert cell.splitlines()[0] in shown


@pytest.mark.slow
def test_a_failing_step_is_named(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "quickstart_cells", lambda: ["%load_ext mistral_nb", "1 / 0"])
    with pytest.raises(demo.DemoFailed, match="ZeroDivisionError") as caught:
        drive(demo.action(Context("cli", environ)), lambda ask: None, lambda text: None)
    assert caught.value.exit_code == 3
    assert "the notebook's cell" in str(caught.value)


def test_a_key_in_plain_text_in_a_file_is_detected(environ: dict[str, str]) -> None:
    with demo._set_up(Context("cli", environ)) as stage:
        Path(stage.folder, "leak.txt").write_text(stage.key.reveal())
        with pytest.raises(demo.DemoFailed, match="1 files contain the key in plain text"):
            list(demo._check_store(stage))


def _files(folder: Path) -> list[str]:
    return sorted(os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
