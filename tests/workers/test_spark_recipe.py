"""docs/workers.md's recipe for Spark: where the key is found, and where with the key in ``spark.executorEnv``.

By hand, with pyspark and Java installed: pytest -n0 -s -m manual tests/workers/test_spark_recipe.py
"""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER
from support.cluster_recipes import KEY_FILE, Recipe, path_of_python, recipe, run_recipe
from support.kernels import clean_environment
from support.keys import make_key
from support.process_memory import need_memory

pytestmark = pytest.mark.manual
SETTING = "spark.executorEnv.MISTRAL_API_KEY_FILE"
TEXTS = """
def texts():
    import urllib.request
    url = f"{spark.sparkContext.uiWebUrl}/api/v1/applications/{spark.sparkContext.applicationId}"
    pages = ("environment", "allexecutors", "jobs", "stages")
    return [urllib.request.urlopen(f"{url}/{page}").read() for page in pages]
"""


def run(folder: Path, code: str) -> AbstractContextManager[Recipe]:
    """An executor of its own, and Spark's log of events."""
    (folder / "events").mkdir()
    options = {
        "spark.master": "local-cluster[1,1,700]",
        "spark.executor.memory": "700m",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": f"file://{folder}/events",
        "spark.local.dir": f"{folder}/local",
        "spark.driver.host": "127.0.0.1",
    }
    added = "".join(f".config({name!r}, {value!r})" for name, value in options.items())
    code = code.replace("SparkSession.builder", f"SparkSession.builder{added}")
    spark = folder / "spark"  # beside its parts Spark makes a folder for the logs of its executors
    spark.mkdir()
    for part in Path(pytest.importorskip("pyspark").__file__).parent.iterdir():
        (spark / part.name).symlink_to(part)
    env = clean_environment(folder, PATH=path_of_python(), SPARK_LOCAL_IP="127.0.0.1", SPARK_HOME=str(spark))
    return run_recipe(folder, TEXTS + code, env)


def test_the_key_is_in_the_workers_that_use_it_and_nowhere_else(tmp_path: Path) -> None:
    need_memory()
    key, file = make_key(), tmp_path / KEY_FILE
    file.write_text(key.reveal())
    with run(tmp_path, recipe(SETTING).replace("/run/secrets/mistral", str(file))) as ran:
        found = ran.places(key)
        print("the recipe:", found)
        assert {tail for tail, _ in ran.answers} == {key.tail}
        assert found
        assert all(place.endswith("that ran a task") and place.startswith("memory") for place in found), found
        assert all(f"{word} {MARKER}" in ran.logs() for word in ("printed", "logged", "child"))
        assert "Spark" not in ran.doctor


def test_a_key_in_executor_env_is_in_command_lines_pages_and_events(tmp_path: Path) -> None:
    """Negative control."""
    key = make_key()
    code = recipe(SETTING).replace(SETTING, SETTING.removesuffix("_FILE")).replace("/run/secrets/mistral", key.reveal())
    code = code.replace("    import mistral_nb.worker\n\n    mistral_nb.worker.setup()\n", "")
    with run(tmp_path, code) as ran:
        found = ran.places(key)
        print("executorEnv:", found)
        assert {"memory of java", "cmdline of java", "environ of java", "pages"} <= found.keys()
        assert any(place.startswith("file events/") for place in found)
        assert all(f"{word} {key.reveal()}" in ran.logs() for word in ("printed", "logged", "child"))
        assert f"spark.executorEnv.MISTRAL_API_KEY is the key …{key.tail} in plain text" in ran.doctor
