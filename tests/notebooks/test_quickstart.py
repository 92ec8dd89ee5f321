"""Every notebook of ``notebooks/`` gives the outputs stored in it."""

import importlib
import re
from datetime import datetime
from pathlib import Path

import nbformat
import pytest

from mistral_nb.sandbox.sandbox import Sandbox
from support.notebooks import FOLDER, run_notebook

from support.commands import act  # isort: skip


@pytest.fixture
def kept(new_context, sandbox: Sandbox) -> None:
    context = new_context("cli", now=datetime.now)  # the kernel's clock is the real one
    act(context, "login", {"key": sandbox.make_key()}, workspace="research", expires="90d")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quickstart.ipynb", "prompt.ipynb", "leaks.ipynb"])
def test_a_notebook_gives_the_outputs_stored_in_it(kept: None, environ: dict[str, str], name: str) -> None:
    done = run_notebook(name, environ)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.ipynb")), ids=lambda file: file.name)
def test_what_a_notebook_imports_of_the_package_is_there(file: Path) -> None:
    """Quick: its cells are run in the long part only."""
    cells = [cell.source for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    for module, names in re.findall(r"^from (mistral_nb[\w.]*) import (.+)$", "\n".join(cells), re.MULTILINE):
        for name in names.split(", "):
            assert hasattr(importlib.import_module(module), name), (module, name)


@pytest.mark.slow
def test_a_changed_output_is_detected(kept: None, environ: dict[str, str], tmp_path: Path) -> None:
    notebook = nbformat.read(FOLDER / "quickstart.ipynb", as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs)
    cell.outputs[0]["text"] = "something else\n"
    nbformat.write(notebook, tmp_path / "changed.ipynb")
    assert run_notebook(str(tmp_path / "changed.ipynb"), environ).returncode == 1
