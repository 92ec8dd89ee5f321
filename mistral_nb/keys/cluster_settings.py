"""Keys in plain text in the settings of Spark and Ray in this process: pages, logs and process lists show them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mistral_nb.config import keys_in
from mistral_nb.report import Row
from mistral_nb.storage.timeouts import run_here_with_timeout

_REPAIR = "Give the workers a file, MISTRAL_API_KEY_FILE, and mistral_nb.worker instead; then rotate this key."
_SECONDS = 3.0  # Spark's settings are in another process, its JVM
Settings = Mapping[str, str]


def cluster_rows() -> Iterator[Row]:
    """A row for each key in the settings of a Spark session or of a connection to Ray.

    Looks only where the library is imported and in use already; connects to no cluster.
    """
    yield from _rows("Spark", _read_spark_settings)
    yield from _rows("Ray", _read_ray_variables)


def _rows(system: str, read: Callable[[], Settings]) -> Iterator[Row]:
    try:
        found = keys_in(run_here_with_timeout(read, _SECONDS))
    except Exception as error:  # noqa: BLE001, another library's state, which may be any
        yield Row(system, f"its settings could not be read ({type(error).__name__})")
        return
    for name, key in found.items():
        words = f"{name} is the key …{key.tail} in plain text; its pages, logs and process lists can show it"
        yield Row(system, words, "bad", _REPAIR)


def _read_spark_settings() -> Settings:
    """Such as ``spark.executorEnv.MISTRAL_API_KEY``."""
    context = getattr(getattr(sys.modules.get("pyspark"), "SparkContext", None), "_active_spark_context", None)
    return dict(context.getConf().getAll()) if context else {}


def _read_ray_variables() -> Settings:
    """``env_vars`` of the runtime_env."""
    ray: Any = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return {}
    return dict(ray.get_runtime_context().runtime_env.get("env_vars") or {})
