"""docs/workers.md's recipe for Ray: where the key is found, and where with the key in ``env_vars``.

By hand, with ray installed: pytest -n0 -s -m manual tests/workers/test_ray_recipe.py
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER
from support.cluster_recipes import KEY_FILE, Recipe, path_of_python, recipe, run_recipe
from support.kernels import clean_environment
from support.keys import make_key
from support.process_memory import need_memory

pytestmark = pytest.mark.manual
HOOK = "worker_process_setup_hook"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
TEXTS = """
def texts():
    from ray.util import state
    return [state.list_runtime_envs(detail=True), state.list_jobs(detail=True), state.list_workers(detail=True)]
"""


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Ray puts sockets into it, whose names may have 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def run(folder: Path, code: str) -> AbstractContextManager[Recipe]:
    code = code.replace("ray.init(", f"ray.init(_temp_dir={str(folder / 'ray')!r}, num_cpus=2, ")
    return run_recipe(folder, TEXTS + code, clean_environment(folder, PATH=path_of_python(), **QUIET))


def test_the_key_is_in_the_workers_that_use_it_and_nowhere_else(short_folder: Path) -> None:
    need_memory()
    key, file = make_key(), short_folder / KEY_FILE
    file.write_text(key.reveal())
    with run(short_folder, recipe(HOOK).replace("/run/secrets/mistral", str(file))) as ran:
        found = ran.places(key)
        print("the recipe:", found)
        assert {tail for tail, _ in ran.answers} == {key.tail}
        assert found
        assert all(place.startswith("memory of ray::") for place in found), found
        assert all(f"{word} {MARKER}" in ran.logs() for word in ("printed", "logged", "child"))
        assert "Ray" not in ran.doctor


def test_a_key_in_env_vars_is_in_the_processes_logs_and_lists_of_ray(short_folder: Path) -> None:
    """Negative control."""
    key = make_key()
    code = recipe(HOOK).replace("MISTRAL_API_KEY_FILE", "MISTRAL_API_KEY").replace("/run/secrets/mistral", key.reveal())
    with run(short_folder, code.replace(f'"{HOOK}": "mistral_nb.worker.setup", ', "")) as ran:
        found = ran.places(key)
        print("env_vars:", found)
        assert {"memory of gcs_server", "memory of raylet", "pages"} <= found.keys()
        assert any(place.startswith("file ray/") for place in found)
        assert all(f"{word} {key.reveal()}" in ran.logs() for word in ("printed", "logged", "child"))
        assert f"MISTRAL_API_KEY is the key …{key.tail} in plain text" in ran.doctor
