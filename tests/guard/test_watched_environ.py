"""What a guarded process gives away of its environment: nothing that is pickled holds a key."""

import copy
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest

from mistral_nb.child_environment import SECRET_VARIABLES
from mistral_nb.guard.known_secrets import ProcessSecrets
from support.keys import make_text
from support.leaks import found

KEY = make_text()


class PlainPickler(pickle.Pickler):
    """As cloudpickle's: functions that no module has can be sent, too."""

    def reducer_override(self, value: Any) -> Any:
        return (str, ()) if isinstance(value, FunctionType) else NotImplemented


def _by_protocol(protocol: int) -> Callable[[object], bytes]:
    def dumps(value: object) -> bytes:
        file = io.BytesIO()
        PlainPickler(file, protocol).dump(value)
        return file.getvalue()

    return dumps


def _by_cloudpickle(value: object) -> bytes:
    return bytes(pytest.importorskip("cloudpickle").dumps(value))


def _by_joblib(value: object) -> bytes:
    pytest.importorskip("joblib")
    from joblib.externals.loky.backend.reduction import dumps

    return bytes(dumps(value))


def _by_dask(value: object) -> bytes:
    pytest.importorskip("distributed")
    from distributed.protocol.pickle import dumps

    return bytes(dumps(value))


PICKLERS = {
    **{f"protocol {number}": _by_protocol(number) for number in (0, 2, pickle.HIGHEST_PROTOCOL)},
    "cloudpickle": _by_cloudpickle,
    "joblib": _by_joblib,
    "dask": _by_dask,
}
SENT = {
    "environ": lambda: os.environ,
    "environb": lambda: os.environb,
    "a method of it": lambda: os.environ.update,
    "among other things": lambda: {"task": [os.environ]},
}


@pytest.fixture
def key(monkeypatch, tmp_path) -> str:
    """The key of this process's environment."""
    for name in SECRET_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MISTRAL_NB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    monkeypatch.setenv("OTHER", "stays")
    return KEY


@pytest.fixture
def watched(key) -> Iterator[str]:
    secrets = ProcessSecrets()
    end = secrets.subscribe()
    secrets.matcher()
    yield key
    end()


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT.keys())
@pytest.mark.parametrize("dumps", PICKLERS.values(), ids=PICKLERS.keys())
def test_a_pickled_environment_has_no_key(dumps, sent, watched, capsys):
    data = dumps(sent())
    assert not found([data], watched)
    assert b"OTHER" in data
    assert b"stays" in data
    assert "os.environ was pickled without MISTRAL_API_KEY, so" in capsys.readouterr().err


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT.keys())
@pytest.mark.parametrize("dumps", PICKLERS.values(), ids=PICKLERS.keys())
def test_without_the_guard_the_same_search_finds_it(dumps, sent, key):
    assert found([dumps(sent())], key)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "{}") for name in sorted(SECRET_VARIABLES)),
        ("MISTRALAI_TOKEN", "{}"),
        ("PROD_HEADER", "Bearer {}"),  # by what is in it
    ],
)
def test_all_that_a_child_would_need_a_grant_for_is_left_out(name, value, watched, monkeypatch):
    monkeypatch.setenv(name, value.format(watched))
    sent = pickle.loads(_by_cloudpickle(os.environ))
    assert name not in sent
    assert sent.keys() == os.environ.keys() - {"MISTRAL_API_KEY", name}


def test_what_is_left_out_is_said_once(watched, capsys):
    for _ in range(2):
        _by_cloudpickle(os.environ)
    said = capsys.readouterr().err
    assert said.count("pickled without") == 1
    assert not found([said.encode()], watched)


def test_nothing_is_said_where_nothing_is_left_out(watched, monkeypatch, capsys):
    monkeypatch.delenv("MISTRAL_API_KEY")
    assert pickle.loads(_by_cloudpickle(os.environ)) == os.environ
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda environ: environ.copy(), dict])
def test_a_copy_in_this_process_keeps_the_key(make, watched):
    assert make(os.environ)["MISTRAL_API_KEY"] == watched


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_copies_are_of_the_usual_class_and_made_as_usual(make, watched):
    made = make(os.environ)
    assert type(made) is os._Environ
    assert made == os.environ
    assert (made._data is os.environ._data) == (make is copy.copy)


def test_a_plain_dict_is_pickled_as_it_is(watched, capsys):
    """It is the code's own: nothing of ours sees it. The page on workers says so."""
    assert found([pickle.dumps(dict(os.environ))], watched)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("argument", [None, dict], ids=["inherited", "env=dict(os.environ)"])
def test_a_child_of_this_machine_inherits_the_key(argument, watched):
    code = "import os, sys; sys.exit(os.environ['MISTRAL_API_KEY'] != sys.stdin.read())"
    environ = argument and argument(os.environ)
    subprocess.run([sys.executable, "-c", code], input=watched, text=True, check=True, env=environ)


@pytest.mark.slow
def test_a_guarded_kernel_s_environment_is_watched_until_the_guard_ends(recorder):
    pytest.importorskip("cloudpickle")
    asked = "print(*(type(e) is os._Environ for e in (os.environ, os.environb)), isinstance(os.environ, os._Environ))"
    assert recorder.kernel.run(asked).text == "False False True\n"
    ran = recorder.kernel.run("import cloudpickle; print(K.encode() in cloudpickle.dumps(os.environ))")
    assert ran.text == "False\n", ran.shown
    assert ran.stderr.startswith("mistral_nb: os.environ was pickled without MISTRAL_API_KEY, so that")
    recorder.kernel.run("%unload_ext mistral_nb")
    assert recorder.kernel.run(asked).text == "True True True\n"
    recorder.kernel.run("%load_ext mistral_nb")


# A cluster that was started before the key was set, and what its worker has of the environment that it is sent.
DASK = """
import os
key = os.environ.pop('MISTRAL_API_KEY')
from distributed import Client, LocalCluster
cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
client = Client(cluster)
os.environ['MISTRAL_API_KEY'] = key
os.environ['SENT'] = 'yes'
def take(environ):
    os.environ.update(environ)
    return os.environ.get('SENT'), 'MISTRAL_API_KEY' in os.environ
"""


@pytest.mark.slow
def test_a_worker_of_dask_is_sent_no_key(recorder):
    pytest.importorskip("distributed")
    ran = recorder.kernel.run(DASK)
    assert ran.status == "ok", ran.shown
    try:
        sent = recorder.kernel.run(
            "print(*client.run(take, os.environ).values(), client.submit(take, os.environ).result())"
        )
        assert sent.text == "('yes', False) ('yes', False)\n", sent.shown
        recorder.kernel.run("%unload_ext mistral_nb")
        sent = recorder.kernel.run("print(*client.run(take, os.environ).values())")
        assert sent.text == "('yes', True)\n", sent.shown
    finally:
        recorder.kernel.run("%load_ext mistral_nb")
        recorder.kernel.run("client.close(); cluster.close()")
