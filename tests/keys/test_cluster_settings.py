"""`doctor` on keys in the settings of Spark and Ray; Spark's real ones: tests/workers/test_spark_recipe.py."""

import sys
import types
from collections.abc import Callable

import pytest

from mistral_nb.command_context import Context
from mistral_nb.keys.cluster_settings import cluster_rows
from support.commands import act
from support.keys import make_key

SPARK, RAY = "spark.executorEnv.MISTRAL_API_KEY", "MISTRAL_API_KEY"


def play_spark(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    conf = types.SimpleNamespace(getAll=lambda: list(settings.items()))
    context = types.SimpleNamespace(_active_spark_context=types.SimpleNamespace(getConf=lambda: conf))
    monkeypatch.setitem(sys.modules, "pyspark", types.SimpleNamespace(SparkContext=context))


def play_ray(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    context = types.SimpleNamespace(runtime_env={"env_vars": variables} if variables else {})
    ray = types.SimpleNamespace(is_initialized=lambda: True, get_runtime_context=lambda: context)
    monkeypatch.setitem(sys.modules, "ray", ray)


@pytest.mark.parametrize(("play", "name"), [(play_spark, SPARK), (play_ray, RAY)])
def test_a_key_in_the_settings_is_a_finding_that_shows_its_tail(
    play: Callable[..., None], name: str, new_context: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key()
    play(monkeypatch, {name: key.reveal(), "spark.app.name": "mine"})
    (row,) = cluster_rows()
    assert row.value.startswith(f"{name} is the key …{key.tail} in plain text")
    acted = act(new_context(), "doctor")
    assert row.value in acted.shown
    assert key.reveal() not in acted.shown


@pytest.mark.parametrize("play", [play_spark, play_ray])
def test_the_path_of_a_file_is_none(play: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, {"spark.executorEnv.MISTRAL_API_KEY_FILE": "/run/secrets/mistral", "MISTRAL_API_KEY": ""})
    assert list(cluster_rows()) == []
    play(monkeypatch, {})
    assert list(cluster_rows()) == []


def test_without_them_nothing_is_imported_or_said() -> None:
    assert {"ray", "pyspark"}.isdisjoint(sys.modules)
    assert list(cluster_rows()) == []
    assert {"ray", "pyspark"}.isdisjoint(sys.modules)


def test_what_fails_is_said_without_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key()

    def fail() -> bool:
        raise OSError(key.reveal())

    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(is_initialized=fail))
    assert [row.value for row in cluster_rows()] == ["its settings could not be read (OSError)"]
