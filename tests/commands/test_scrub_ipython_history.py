"""`scrub --ipython-history` and `doctor`: what IPython remembers of cells that held a key."""

import sqlite3
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.errors import WrongUsage

from support.commands import act  # isort: skip
from support.keys import make_key


@pytest.fixture
def history(environ) -> Path:
    folder = Path(environ["IPYTHONDIR"]) / "profile_default"
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "history.sqlite") as database:
        database.execute("CREATE TABLE history (session int, line int, source text, source_raw text)")
        database.execute("CREATE TABLE output_history (session int, line int, output text)")
    database.close()
    return folder / "history.sqlite"


def remember(file: Path, line: str) -> None:
    with sqlite3.connect(file) as database:
        database.execute("INSERT INTO history VALUES (1, 1, ?, ?)", (line, line))
    database.close()


def test_a_key_in_the_history_is_found_and_removed(new_context, environ, history):
    key = make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    remember(history, f"%env MISTRAL_API_KEY={key.reveal()}")
    rows = {row.label: row for row in act(new_context("cli"), "doctor").report.rows}
    assert rows["IPython history"].state == "bad"
    assert rows["IPython history"].repair == "mistral-nb scrub --ipython-history"
    acted = act(new_context("cli"), "scrub", paths=[], ipython_history=True)
    assert acted.report.exit_code == 0
    assert "2 lines" in acted.shown
    assert key.reveal() not in acted.shown
    assert key.reveal().encode() not in history.read_bytes()
    assert MARKER.encode() in history.read_bytes()
    rows = {row.label: row for row in act(new_context("cli"), "doctor").report.rows}
    assert rows["IPython history"].state == "ok"


def test_a_damaged_history_is_reported_and_unchanged(new_context, history):
    history.write_bytes(b"nothing of a database" * 50)
    acted = act(new_context("cli"), "scrub", paths=[], ipython_history=True)
    assert acted.report.exit_code == 3
    assert history.read_bytes() == b"nothing of a database" * 50


def test_without_a_history_there_is_nothing_to_do(new_context):
    assert act(new_context("cli"), "scrub", paths=[], ipython_history=True).report.exit_code == 0


@pytest.mark.parametrize(("paths", "history"), [([], False), (["a.ipynb"], True)])
def test_neither_or_both_is_wrong_usage(new_context, paths, history):
    with pytest.raises(WrongUsage):
        act(new_context("cli"), "scrub", paths=paths, ipython_history=history)
