"""One key for the workers of a real cluster: given, followed, withdrawn; and which clients are refused."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import cloudpickle
import distributed
import pytest
from distributed import Client, Future, LocalCluster

import mistral_nb
from mistral_nb import environment
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive
from mistral_nb.errors import Cancelled, MistralNbError, WrongUsage
from mistral_nb.workers import dask_share
from support import TESTS
from support.dask_clusters import DaskCluster, start_cluster
from support.dask_tasks import NONE, raise_with, set_own_key, tail_after, tail_here, tail_once_set
from support.keys import make_key
from support.patience import PATIENCE, wait_for

SCRIPT = """
import sys
import mistral_nb
from distributed import Client
from support.dask_tasks import tail_here

client = Client(sys.argv[1])
share = mistral_nb.share(client)
print(set(client.run(tail_here).values()))
"""

FORKING = """
import os, sys
import mistral_nb
from distributed import Client, LocalCluster

client = Client(LocalCluster(n_workers=1, processes=False, dashboard_address=None))
share = mistral_nb.share(client)
if os.fork() == 0:
    sys.exit()
os.wait()
print("the child has ended", flush=True)
share.stop()
client.close()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with start_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def client(cluster: DaskCluster) -> Iterator[Client]:
    with Client(cluster.address, timeout=30 * PATIENCE) as connected:
        connected.wait_for_workers(2, timeout=30 * PATIENCE)
        yield connected


@pytest.fixture
def key() -> Key:
    made = make_key()
    environment.activate(made, "dev", "a test")
    return made


def tails(client: Client) -> set[str]:
    return set(client.run(tail_here).values())


@pytest.mark.slow
class TestAClusterOfProcesses:
    def test_every_worker_has_it_until_it_is_stopped(self, client: Client, key: Key, capsys) -> None:
        with mistral_nb.share(client) as share:
            assert tails(client) == {key.tail}
            status = share.status()
            assert [row.value for row in status.rows] == ["has it", "has it"]
            assert {each["name"] for each in status.data["workers"].values()} == {"worker-0", "worker-1"}
            said = f"dev …{key.tail} is shared with 2 workers. Any client of this scheduler can read it."
            assert capsys.readouterr().out == f"{said}\n"
            assert "has it" in share._repr_mimebundle_()["text/html"]
        assert tails(client) == {NONE}
        assert str(share.status()) == "The key is not shared any more: stopped."
        assert not any(client.run(lambda dask_worker: "mistral_nb" in dask_worker.plugins).values())

    def test_they_follow_this_process(self, client: Client, key: Key) -> None:
        new = make_key()
        with mistral_nb.share(client) as share:
            environment.activate(new, "prod", "a test")
            wait_for(lambda: tails(client) == {new.tail})
            assert share.status().title == f"prod …{new.tail} is shared with 2 workers."
            environment.deactivate()
            wait_for(lambda: tails(client) == {NONE})
            assert share.status().title == "There is no key to share any more."
            os.environ["MISTRAL_API_KEY"] = key.reveal()  # which tells nobody
            wait_for(lambda: tails(client) == {key.tail})

    def test_they_follow_a_workspace_that_another_process_rotates_and_deletes(
        self, client: Client, environ: dict[str, str], new_context: Callable[..., Context]
    ) -> None:
        first, second = make_key(), make_key()
        context = new_context()
        context.key_manager.keep("dev", first, {}, "file")
        share = drive(dask_share.share_key(context, client, "dev"), lambda ask: pytest.fail(ask.question), print)
        assert tails(client) == {first.tail}
        assert tail_here() == NONE  # this process keeps what it has
        new_context().key_manager.keep("dev", second, {}, "file")
        wait_for(lambda: tails(client) == {second.tail})
        done = subprocess.run(
            [sys.executable, "-m", "mistral_nb", "logout", "dev", "--yes"],
            env=environ, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        wait_for(lambda: tails(client) == {NONE})
        share.stop()

    def test_a_worker_that_is_killed_comes_back_with_it_and_the_job_ends(self, client: Client, key: Key) -> None:
        with mistral_nb.share(client):
            before = set(client.run(os.getpid).values())
            futures = client.map(tail_after, [0.02] * 200, range(200), pure=False)
            wait_for(lambda: any(future.done() for future in futures))
            os.kill(min(before), signal.SIGKILL)
            assert client.gather(futures) == [(key.tail, number) for number in range(200)]
            client.wait_for_workers(2, timeout=30 * PATIENCE)
            assert set(client.run(os.getpid).values()) != before
            wait_for(lambda: tails(client) == {key.tail})

    def test_what_a_worker_had_by_itself_comes_back(self, client: Client, key: Key) -> None:
        own = make_key()
        client.run(set_own_key, own.reveal())
        mistral_nb.share(client).stop()
        assert tails(client) == {own.tail}
        client.run(environment.deactivate)

    def test_shared_again(self, client: Client, key: Key) -> None:
        first = mistral_nb.share(client)
        assert mistral_nb.share(client) is first
        first.stop()
        again = mistral_nb.share(client)
        assert again is not first
        assert tails(client) == {key.tail}
        again.stop()

    def test_a_share_of_another_client_takes_its_place(self, cluster: DaskCluster, client: Client, key: Key) -> None:
        earlier = mistral_nb.share(client)
        with Client(cluster.address, timeout=30 * PATIENCE, set_as_default=False) as other:
            later = mistral_nb.share(other)
            earlier.stop()
            assert tails(client) == {key.tail}
            later.stop()
            assert tails(client) == {NONE}

    def test_an_exception_leaves_without_it(self, client: Client, key: Key) -> None:
        unknown = make_key().reveal()
        with mistral_nb.share(client):
            shown, control = (
                failure_texts(client.submit(raise_with, *given, pure=False)) for given in ((), (unknown,))
            )
        assert key.reveal() not in shown
        assert shown.replace("[MISTRAL_API_KEY redacted]", unknown) == control
        assert control.count(unknown) >= 4

    def test_another_client_can_read_it_and_so_can_whoever_gets_a_result(
        self, cluster: DaskCluster, client: Client, key: Key
    ) -> None:
        with (
            mistral_nb.share(client),
            Client(cluster.address, timeout=30 * PATIENCE, set_as_default=False) as other,
        ):
            assert set(other.run(os.getenv, "MISTRAL_API_KEY").values()) == {key.reveal()}
            assert client.submit(os.getenv, "MISTRAL_API_KEY", pure=False).result() == key.reveal()

    def test_a_client_that_ends_without_stop_leaves_it_there(
        self, cluster: DaskCluster, client: Client, key: Key
    ) -> None:
        with Client(cluster.address, timeout=30 * PATIENCE, set_as_default=False) as other:
            share = mistral_nb.share(other)
        assert str(share.status()) == "The key is not shared any more: the client is closed."
        share.stop()
        assert tails(client) == {key.tail}
        mistral_nb.share(client).stop()
        assert tails(client) == {NONE}

    def test_a_script_that_ends_takes_it_back(self, cluster: DaskCluster, client: Client, key: Key) -> None:
        words = [sys.executable, "-c", SCRIPT, cluster.address]
        environ = cluster.environ | {"MISTRAL_API_KEY": key.reveal()}
        done = subprocess.run(words, env=environ, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{{'{key.tail}'}}" in done.stdout
        assert tails(client) == {NONE}

    def test_a_worker_that_joins_is_given_it_before_its_first_task(
        self, cluster: DaskCluster, client: Client, key: Key
    ) -> None:
        with mistral_nb.share(client) as share:
            waiting = client.map(tail_after, [0] * 8, range(8), workers=["late"], allow_other_workers=False, pure=False)
            cluster.add_worker("late", "--no-nanny")
            assert client.gather(waiting) == [(key.tail, number) for number in range(8)]
            assert "late" in {each["name"] for each in share.status().data["workers"].values()}
        client.retire_workers(names=["late"])

    def test_a_worker_without_mistral_nb_and_one_with_another_version_are_named(
        self, cluster: DaskCluster, client: Client, key: Key, tmp_path: Path
    ) -> None:
        for name, file, text in (
            ("without", "mistral_nb.py", "raise ModuleNotFoundError(__name__)"),
            ("other", "mistral_nb-9.0.0.dist-info/METADATA", "Name: mistral_nb\nVersion: 9.0.0\n"),
        ):
            written = tmp_path / name / file
            written.parent.mkdir(parents=True)
            written.write_text(text)
            cluster.add_worker(name, "--no-nanny", PYTHONPATH=str(tmp_path / name))
        client.wait_for_workers(4, timeout=30 * PATIENCE)
        addresses = {
            worker["name"]: address for address, worker in client.scheduler_info(n_workers=-1)["workers"].items()
        }
        with pytest.raises(WrongUsage) as refused:
            mistral_nb.share(client)
        assert f"have no mistral_nb, or one without share: {addresses['without']} and" in str(refused.value)
        assert f"{addresses['other']} (9.0.0)" in str(refused.value)
        assert "pip install mistral_nb==" in str(refused.value)
        assert not any(client.run(lambda dask_worker: "mistral_nb" in dask_worker.plugins).values())
        client.retire_workers(names=["without", "other"])


def failure_texts(future: Future) -> str:
    """All that the client gets of a task's exception."""
    error, trace = future.exception(), future.traceback()
    lines = [*traceback.format_exception(error), *traceback.format_tb(trace)]
    return "".join(lines) + repr(error.args)


@pytest.mark.slow
def test_workers_that_an_adaptive_cluster_adds_have_it(key: Key) -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        mistral_nb.share(client),
    ):
        cluster.adapt(minimum=1, maximum=2, interval="100ms")
        futures = client.map(tail_once_set, ["there are two"] * 20, range(20), pure=False)
        client.wait_for_workers(2, timeout=60 * PATIENCE)
        distributed.Event("there are two", client=client).set()
        assert client.gather(futures) == [key.tail] * 20
        assert len(client.run(tail_here)) == 2
        assert tails(client) == {key.tail}


@pytest.mark.slow
class TestAClusterOfThreads:
    """Its workers are this process, whose key stays the user's."""

    @pytest.fixture
    def client(self) -> Iterator[Client]:
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
            Client(cluster) as connected,
        ):
            yield connected

    def test_the_key_of_this_process_stays(self, client: Client, key: Key, capfd) -> None:
        stdout, stream, error_message = os.fstat(1), sys.stdout, distributed.core.error_message
        with mistral_nb.share(client) as share:
            assert share.status().title == f"dev …{key.tail} is shared with 2 workers."
            assert client.submit(tail_here, pure=False).result() == key.tail
        assert tail_here() == key.tail
        assert (os.fstat(1).st_ino, sys.stdout) == (stdout.st_ino, stream)  # this process was not guarded as a worker
        assert distributed.core.error_message is error_message

    def test_another_key_of_this_process_is_not_replaced(self, client: Client, key: Key, new_context) -> None:
        context = new_context()
        context.key_manager.keep("prod", make_key(), {}, "file")
        share = drive(dask_share.share_key(context, client, "prod"), lambda ask: pytest.fail(ask.question), print)
        assert {row.value for row in share.status().rows} == {"another key"}
        share.stop()
        assert tail_here() == key.tail

    def test_a_key_that_only_the_share_set_leaves_with_it(self, client: Client, new_context) -> None:
        context, stored = new_context(), make_key()
        context.key_manager.keep("prod", stored, {}, "file")
        share = drive(dask_share.share_key(context, client, "prod"), lambda ask: pytest.fail(ask.question), print)
        assert tail_here() == stored.tail
        share.stop()
        assert tail_here() == NONE

    def test_a_workspace_that_asks_first_is_asked_about(self, client: Client, new_context) -> None:
        context = new_context()
        context.key_manager.keep("prod", make_key(), {"ask_first": True}, "file")
        asked: list[str] = []
        with pytest.raises(Cancelled):
            drive(dask_share.share_key(context, client, "prod"), lambda ask: asked.append(ask.question) or "no", print)
        assert len(asked) == 1
        assert tail_here() == NONE
        drive(dask_share.share_key(context, client, "prod"), lambda ask: "yes", print).stop()

    def test_an_admin_key_is_never_shared(self, client: Client, environ: dict[str, str], new_context) -> None:
        context, admin, usual = new_context(), make_key(), make_key()
        context.key_manager.keep("admin", admin, {"kind": "admin"}, "file")
        environment.activate(admin, "admin", "a test", environ)
        with pytest.raises(WrongUsage, match="is an Admin key"):
            drive(dask_share.share_key(context, client, None), lambda ask: pytest.fail(ask.question), print)
        environment.activate(usual, None, "a test", environ)
        share = drive(dask_share.share_key(context, client, None), lambda ask: pytest.fail(ask.question), print)
        assert tail_here() == usual.tail
        environment.activate(admin, "admin", "a test", environ)
        wait_for(lambda: tail_here() == NONE)
        share.stop()

    def test_while_the_client_has_no_scheduler_it_can_not_be_stopped(self, client: Client, new_context) -> None:
        context, stored = new_context(), make_key()
        context.key_manager.keep("prod", stored, {}, "file")
        share = drive(dask_share.share_key(context, client, "prod"), lambda ask: pytest.fail(ask.question), print)
        client.status = "connecting"
        with pytest.raises(MistralNbError, match="the workers keep the key. Call stop"):
            share.stop()
        client.status = "running"
        assert tail_here() == stored.tail
        share.stop()
        assert tail_here() == NONE

    def test_a_forked_child_of_the_client_ends(self, environ: dict[str, str]) -> None:
        """Its copy of the client has no thread that would answer."""
        environ |= {"MISTRAL_API_KEY": make_key().reveal(), "PYTHONPATH": TESTS}
        done = subprocess.run(
            [sys.executable, "-c", FORKING], env=environ, capture_output=True, text=True, timeout=60 * PATIENCE
        )
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "the child has ended"), done.stderr

    def test_it_is_never_pickled_and_shows_no_key(self, client: Client, key: Key) -> None:
        with mistral_nb.share(client) as share:
            for value in (share, [share], lambda: share):
                with pytest.raises(TypeError, match="never pickled"):
                    cloudpickle.dumps(value)
            with pytest.raises(TypeError, match="never pickled"):
                pickle.dumps(share)
            shown = f"{share!r}{share}{share.status()!r}{share.status().data}{share._repr_mimebundle_()}{vars(share)}"
            assert key.reveal() not in shown
            assert key.tail in shown
        assert key.reveal() in pickle.dumps({"control": key.reveal()}).decode("latin-1")


class TestOtherClients:
    @pytest.mark.parametrize(
        ("client", "sentence"),
        [
            ("tcp://127.0.0.1:8786", "share takes a client of dask.distributed, not str. Try"),
            (None, "share takes a client of dask.distributed, not NoneType."),
        ],
    )
    def test_what_is_no_client(self, client: object, sentence: str) -> None:
        with pytest.raises(WrongUsage, match=sentence):
            mistral_nb.share(client)

    def test_a_client_that_is_closed(self) -> None:
        with (
            LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            pass
        with pytest.raises(WrongUsage, match="not connected to a scheduler"):
            mistral_nb.share(client)

    def test_an_asynchronous_client(self) -> None:
        async def connect() -> None:
            async with (
                LocalCluster(n_workers=0, processes=False, dashboard_address=None, asynchronous=True) as cluster,
                Client(cluster, asynchronous=True) as client,
            ):
                with pytest.raises(WrongUsage, match="asynchronous client"):
                    mistral_nb.share(client)

        asyncio.run(connect())

    def test_distributed_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "distributed", None)
        with pytest.raises(WrongUsage) as refused:
            mistral_nb.share(object())
        assert str(refused.value) == 'dask.distributed is not installed. Run: pip install "mistral_nb[dask]"'

    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("tcp://10.0.0.1:8786", True),
            ("tcp://scheduler.example:8786", True),
            ("tcp://[fd00::1]:8786", True),
            ("ws://10.0.0.1:8786", True),
            ("tls://10.0.0.1:8786", False),
            ("wss://10.0.0.1:8786", False),
            ("tcp://127.0.0.1:8786", False),
            ("tcp://[::1]:8786", False),
            ("inproc://10.0.0.1/123/1", False),
        ],
    )
    def test_which_connections_others_can_read(self, address: str, expected: bool) -> None:
        assert dask_share.is_unencrypted(address) is expected
