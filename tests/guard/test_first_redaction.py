"""The one line about the first redacted output: once a kernel, under a person's cell, in nothing that programs read."""

import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from mistral_nb.api_key import MARKER
from mistral_nb.guard.first_redaction import NOTE
from support.kernels import RealKernel, clean_environment, start_kernel
from support.keys import make_text

KEY = make_text()
SHOW = "import os; K = os.environ['MISTRAL_API_KEY']; print(K)"
LOAD = "%load_ext mistral_nb"
CLEAR = "from IPython.display import clear_output; print(1); clear_output(wait=True); "
SHOWN = (
    "K",
    "display(K)",
    "display(1, display_id=True).update(K)",
    "raise ValueError(K)",
    f"{CLEAR}print(K)",
    f"{CLEAR}display(K)",
    "import sys; print(K, file=sys.stderr)",
)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKernel]:
    env = clean_environment(tmp_path_factory.mktemp("kernel"), MISTRAL_API_KEY=KEY)
    with start_kernel(env) as running:
        assert KEY in running.run(SHOW).text  # the control
        running.run(LOAD)
        yield running


@pytest.mark.slow
def test_it_stands_last_under_the_first_cell_of_a_person_and_under_no_other(kernel: RealKernel) -> None:
    for options in ({"allow_stdin": False}, {"store_history": False}, {"silent": True}):
        ran = kernel.run(SHOW, **options)
        assert MARKER in ran.text
        assert NOTE not in ran.shown, options
    assert NOTE not in kernel.run("print('nothing to replace', K is not None)").shown
    for code in ("print(K)", "display(K)", "h = display(1, display_id=True); h.update(K)"):
        for wait in (True, False):
            cleared = kernel.run(f"from IPython.display import clear_output; {code}; clear_output(wait={wait})")
            assert NOTE not in cleared.shown, "there is no output that it could be about"
    ran = kernel.run("print(1); clear_output(wait=True); print(K); K")
    assert (ran.text, ran.stderr) == (f"1\n{MARKER}\n", "")
    assert [bundle["text/plain"] for bundle in ran.results] == [f"'{MARKER}'", NOTE]
    assert kernel.run("print(len(K))").text == f"{len(KEY)}\n", "the value is unchanged, as the note says"
    for code in (SHOW, "K", "%unload_ext mistral_nb\n%load_ext mistral_nb", SHOW):
        assert NOTE not in kernel.run(code).shown


@pytest.mark.slow
@pytest.mark.parametrize("code", SHOWN)
def test_any_output_has_it(code: str, tmp_path: Path) -> None:
    with start_kernel(clean_environment(tmp_path, MISTRAL_API_KEY=KEY)) as kernel:
        kernel.run(f"{LOAD}\nimport os; K = os.environ['MISTRAL_API_KEY']")
        assert NOTE in kernel.run(code).shown
        assert NOTE not in kernel.run(code).shown


@pytest.mark.slow
def test_what_programs_run_has_the_marker_and_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in clean_environment(tmp_path, MISTRAL_API_KEY=KEY).items():
        monkeypatch.setenv(name, value)
    cells = [nbformat.v4.new_code_cell(source) for source in (LOAD, SHOW, "K")]
    book = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(book, kernel_name="python3").execute()
    outputs = json.dumps([cell.outputs for cell in book.cells])
    assert MARKER in outputs
    assert KEY not in outputs
    assert NOTE not in outputs
