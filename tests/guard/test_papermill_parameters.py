"""`papermill -p api_key KEY`: the key stands in a cell and in the metadata. The guard says so, and scrub removes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.command_context import Context
from support.commands import act
from support.kernels import clean_environment
from support.keys import make_key

pytest.importorskip("papermill")


def cell(source: str, *tags: str) -> dict[str, object]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"c{abs(hash(source)) % 1000}",
        "metadata": {"tags": list(tags)},
        "outputs": [],
        "source": source,
    }


@pytest.mark.slow
@pytest.mark.parametrize("guard", [True, False])
@pytest.mark.parametrize("first", [True, False], ids=["parameters first", "parameters later"])
def test_the_first_guarded_cell_says_that_the_key_stands_in_the_file(first, guard, tmp_path: Path):
    env, key = clean_environment(tmp_path), make_key()
    load, default = cell("%load_ext mistral_nb" if guard else "1 + 1"), cell("api_key = ''", "parameters")
    cells = [default, load] if first else [load, default]
    document = {
        "cells": [*cells, cell("print(api_key)")],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (tmp_path / "in.ipynb").write_text(json.dumps(document))
    (tmp_path / "parameters.yaml").write_text(f"api_key: {key.reveal()}\n")
    words = ["-m", "papermill", "in.ipynb", "out.ipynb", "-f", "parameters.yaml", "--no-progress-bar"]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "out.ipynb").read_text()
    outputs = "".join(json.dumps(one["outputs"]) for one in json.loads(written)["cells"])
    assert key.reveal() in written  # by papermill itself
    assert (key.reveal() not in outputs) == guard
    assert ("run mistral-nb scrub on the output file" in outputs) == guard
    if guard:  # the kernel has remembered it, so any process finds it
        env["MISTRAL_NB_SET_ASIDE"] = "off"  # no store works here
        act(Context(environ=env), "scrub", paths=[str(tmp_path / "out.ipynb")])
        assert key.reveal() not in (tmp_path / "out.ipynb").read_text()
