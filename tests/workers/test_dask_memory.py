"""Where a shared key is found: memory and environment of every process, logs, pages, and what a client can ask for."""

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from distributed import Client

import mistral_nb
from mistral_nb import environment
from mistral_nb.api_key import MARKER, Key
from support.dask_clusters import DaskCluster, start_cluster
from support.dask_tasks import print_and_log, raise_with, tail_here
from support.keys import make_key
from support.patience import PATIENCE, wait_for
from support.process_memory import need_memory, occurrences

PAGES = ("info/main/workers.html", "info/main/exceptions.html", "info/main/logs.html", "json/counts.json", "metrics")


class Scene(NamedTuple):
    cluster: DaskCluster
    client: Client

    @property
    def workers(self) -> dict[str, int]:
        return self.client.run(os.getpid)

    @property
    def others(self) -> list[int]:
        """The scheduler and the nannies."""
        return [process.pid for process in self.cluster.processes]

    def places(self, text: str) -> dict[str, int]:
        """Everywhere outside of the workers' memory that has the text, and how often."""
        found = occurrences(text, self.others)
        found |= {
            place: count
            for place, count in occurrences(text, self.workers.values()).items()
            if not place.startswith("memory")
        }
        texts = {file.name: file.read_text(errors="replace") for file in self.cluster.folder.glob("*.log")}
        pages = [*PAGES, *(f"info/{kind}/{worker}.html" for worker in self.workers for kind in ("worker", "logs"))]
        for page in pages:
            address = f"{self.cluster.dashboard}/{page.replace('://', '%3A%2F%2F')}"
            with urllib.request.urlopen(address, timeout=10 * PATIENCE) as response:
                texts[page] = response.read().decode()
        texts["logs by the client"] = str((self.client.get_worker_logs(), self.client.get_scheduler_logs()))
        # Dask's page json/identity.json fails (500) once a worker has told of its times, whose names are tuples
        texts["identity by the client"] = str(self.client.sync(self.client.scheduler.identity))
        texts["events by the client"] = str(self.client.get_events())
        return found | {name: shown.count(text) for name, shown in texts.items() if text in shown}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    need_memory()
    with (
        start_cluster(tmp_path_factory.mktemp("cluster")) as cluster,
        Client(cluster.address, timeout=30 * PATIENCE) as client,
    ):
        client.wait_for_workers(2, timeout=30 * PATIENCE)
        yield Scene(cluster, client)


def use(scene: Scene, rounds: int) -> None:
    """Run tasks that show the key in every way that ends in a log or an exception, on each worker, and wait for the
    logs. ``rounds``: how often this was done, with this time.
    """
    for worker in scene.workers:
        scene.client.submit(print_and_log, pure=False, workers=[worker]).result()
        assert MARKER in repr(scene.client.submit(raise_with, pure=False, workers=[worker]).exception())
    wait_for(lambda: _shown_lines(scene.cluster.folder) == 6 * rounds)


def _shown_lines(folder: Path) -> int:
    logs = "".join(log.read_text() for log in folder.glob("worker-*.log"))
    return sum(logs.count(f"{word} {MARKER}") for word in ("printed", "logged", "child"))


@pytest.mark.slow
def test_it_is_nowhere_but_in_the_workers_before_and_after_a_rotation(scene: Scene) -> None:
    old, new, argument, raised = (make_key() for _ in range(4))
    assert scene.client.submit(len, argument.reveal()).result() == 32
    assert isinstance(scene.client.submit(raise_with, raised.reveal()).exception(), ValueError)
    _activate(old)
    share = mistral_nb.share(scene.client)
    use(scene, 1)
    assert set(scene.client.run(tail_here).values()) == {old.tail}
    assert scene.places(old.reveal()) == {}
    _activate(new)
    wait_for(lambda: set(scene.client.run(tail_here).values()) == {new.tail})
    use(scene, 2)
    assert (scene.places(old.reveal()), scene.places(new.reveal())) == ({}, {})
    assert len(occurrences(new.reveal(), scene.workers.values())) == 2, "the search finds it where it is"
    for control in (argument, raised):  # nobody guards these: the same search finds them
        assert f"memory of {scene.others[0]}" in scene.places(control.reveal())
    share.stop()
    assert set(scene.client.run(tail_here).values()) == {"none"}


def _activate(key: Key) -> None:
    environment.activate(key, "dev", "a test")
