"""``dask worker --preload mistral_nb.worker``, with and without a nanny: the worker's own key, and its output."""

import os
from collections.abc import Iterator

import pytest
from distributed import Client

from mistral_nb.api_key import MARKER, Key
from support.dask_clusters import DaskCluster, start_cluster
from support.dask_tasks import print_and_log, raise_with, tail_here
from support.keys import make_key
from support.leaks import shown_of
from support.patience import PATIENCE, wait_for

PRELOAD = ("--preload", "mistral_nb.worker")
WORKERS = {"nanny": PRELOAD, "alone": (*PRELOAD, "--no-nanny"), "unguarded": ()}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def key() -> Key:
    return make_key()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Iterator[DaskCluster]:
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "mounted key"
    file.write_text(key.reveal())
    with start_cluster(folder, workers=0) as running:
        for name, words in WORKERS.items():
            own = {"MISTRAL_API_KEY_FILE": str(file)} if words else {"MISTRAL_API_KEY": key.reveal()}
            running.add_worker(name, *words, **own)
        yield running


@pytest.fixture(scope="module")
def client(cluster: DaskCluster) -> Iterator[Client]:
    with Client(cluster.address, timeout=30 * PATIENCE) as running:
        running.wait_for_workers(len(WORKERS), timeout=30 * PATIENCE)
        yield running


def address_of(client: Client, name: str) -> str:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return next(address for address, worker in workers.items() if worker["name"] == name)


def output_of(cluster: DaskCluster, name: str) -> str:
    return "".join((cluster.folder / f"{name}.{stream}.log").read_text() for stream in ("out", "err"))


@pytest.mark.parametrize("name", ["nanny", "alone"])
def test_the_worker_has_its_own_key_and_says_so(client: Client, cluster: DaskCluster, key: Key, name: str) -> None:
    assert client.submit(tail_here, workers=[address_of(client, name)], pure=False).result() == key.tail
    assert f"distributed.mistral_nb - INFO - MISTRAL_API_KEY is set: …{key.tail} (from the file" in output_of(
        cluster, name
    )


@pytest.mark.parametrize("name", WORKERS)
def test_what_it_prints_and_logs_is_redacted(client: Client, cluster: DaskCluster, key: Key, name: str) -> None:
    address, shown = address_of(client, name), key.reveal() if name == "unguarded" else MARKER
    client.submit(print_and_log, workers=[address], pure=False).result()
    wait_for(lambda: all(f"{word} {shown}" in output_of(cluster, name) for word in ("printed", "logged", "child")), 30)
    log = str(client.get_worker_logs(workers=[address]))
    assert f"logged {shown}" in log
    if name != "unguarded":
        assert shown_of(output_of(cluster, name) + log, key.reveal()) == ""


@pytest.mark.parametrize("name", WORKERS)
def test_an_exception_reaches_the_client_redacted(client: Client, key: Key, name: str) -> None:
    task = client.submit(raise_with, workers=[address_of(client, name)], pure=False, retries=0)
    assert (key.reveal() in str(task.exception())) == (name == "unguarded")
    assert (MARKER in str(task.exception())) == (name != "unguarded")


def test_a_worker_ends_as_always_and_its_last_output_is_there(cluster: DaskCluster, client: Client, key: Key) -> None:
    client.submit(print, "last words", os.getpid(), flush=True, workers=[address_of(client, "alone")]).result()
    wait_for(lambda: "last words" in output_of(cluster, "alone"), 30)
    process = cluster.processes[1 + list(WORKERS).index("alone")]
    process.terminate()
    assert process.wait(20 * PATIENCE) == 0
    assert "End worker" in output_of(cluster, "alone")
