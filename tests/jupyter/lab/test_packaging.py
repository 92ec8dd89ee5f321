"""JupyterLab finds the extension, with no build and no node; a wheel has it once, where front ends look."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import mistral_nb
from support.kernels import clean_environment
from support.lab_extension import EXTENSION, NAME, SHARED, provide_extension
from support.patience import PATIENCE
from support.requirements import absent

ROOT = Path(__file__).parents[3]
PACKAGE = json.loads((EXTENSION / "package.json").read_text())


def test_its_version_is_that_of_the_package():
    assert PACKAGE["version"] == mistral_nb.__version__
    assert json.loads((EXTENSION / "install.json").read_text())["packageName"] == mistral_nb.__name__


def test_nothing_is_in_a_folder_that_browsers_keep_for_a_year():
    """Jupyter serves what is in a folder `static` as immutable: after an upgrade, browsers would run the old files."""
    assert (EXTENSION / PACKAGE["jupyterlab"]["_build"]["load"]).is_file()
    assert [file for file in EXTENSION.rglob("*") if "static" in file.relative_to(EXTENSION).parts] == []


def test_the_container_asks_for_every_module_at_once():
    """One it does not name is asked for only when JupyterLab has started, and one that is not there, in vain."""
    [names] = re.findall("modules = `(.+?)`", (EXTENSION / "page/remoteEntry.js").read_text(), re.DOTALL)
    there = {file.stem for file in [*EXTENSION.glob("page/*.js"), *SHARED] if file.suffix == ".js"}
    assert sorted(names.split()) == sorted(there - {"remoteEntry"})


@pytest.mark.slow
def test_jupyterlab_lists_it_as_enabled(tmp_path):
    folder = tmp_path / "with a space"
    env = clean_environment(tmp_path) | provide_extension(folder) | {"NO_COLOR": "1"}
    argv = [sys.executable, "-m", "jupyterlab.labextensions", "list"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60 * PATIENCE, check=True)
    listed = (done.stdout + done.stderr).partition(f"{folder / 'labextensions'}\n")[2].splitlines()[0]
    words = re.sub(r"\x1b\[\d*m", "", listed).split()
    assert words[:4] == [NAME, f"v{mistral_nb.__version__}", "enabled", "OK"]


def test_a_wheel_is_built_without_node_and_has_it_once(tmp_path):
    try:
        import hatchling  # noqa: F401
    except ImportError:
        absent("hatchling not installed")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    env = {**os.environ, "PATH": str(tmp_path)}
    subprocess.run(argv, cwd=ROOT, env=env, check=True, capture_output=True, timeout=60 * PATIENCE)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "/jupyter/lab/" in name or "labextensions" in name]
    files = {file.relative_to(EXTENSION).as_posix() for file in EXTENSION.rglob("*") if file.is_file()}
    installed = {name.partition(f"/data/share/jupyter/labextensions/{NAME}/")[2] for name in names} - {""}
    assert installed == files | {f"page/{file.name}" for file in SHARED}
    assert [name for name in names if "/jupyter/lab/" in name and not name.endswith(".py")] == []
