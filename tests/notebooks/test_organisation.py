"""``organisation.ipynb`` gives the outputs stored in it, at a sandbox with an Admin API."""

import pytest
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import nbformat
from support.organisation import Organisation, furnish

from mistral_nb.command_context import Context
from mistral_nb.sandbox.sandbox import Sandbox
from support.notebooks import FOLDER, run_notebook

NAME = "organisation.ipynb"


@pytest.mark.slow
def test_it_gives_the_outputs_stored_in_it(
    sandbox: Sandbox, environ: dict[str, str], tmp_path: Path, new_context: Callable[..., Context]
) -> None:
    org = Organisation(sandbox, environ, tmp_path / "work", lambda host: new_context(host, now=datetime.now))
    furnish(sandbox)
    done = run_notebook(NAME, environ)
    assert done.returncode == 0, done.stdout
    assert {issued.workspace for issued in org.there.values()} == {"dev"}, "prod's keys were deleted"


@pytest.mark.slow
def test_no_stored_output_shows_a_key_name_or_an_address() -> None:
    document = nbformat.read(FOLDER / NAME, as_version=4)
    outputs = "".join(str(cell.outputs) for cell in document.cells if cell.cell_type == "code")
    assert "never tested with the real one" in outputs
    assert "laptop" not in outputs
    assert "@" not in outputs
