"""How many calls it takes to give many workers a key. The cluster is simulated; what runs on its workers is real."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mistral_nb.workers import dask_plugin
from mistral_nb.workers.dask_delivery import KeyDelivery
from mistral_nb.workers.key_source import SharedKey
from support.keys import make_key
from support.patience import PATIENCE

SHARE, MANY = "a-share", 200
Answer = Callable[..., Any]


class SimulatedCluster:
    """A client and its workers; ``silent`` ones answer nothing. Counts the calls of each function on each worker."""

    status = "running"

    def __init__(self) -> None:
        self.workers: dict[str, Any] = {}
        self.silent: set[str] = set()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.plugins: dict[str, Any] = {}
        self.loop = SimpleNamespace(add_callback=lambda call: asyncio.get_running_loop().call_soon_threadsafe(call))

    def add_worker(self, name: str) -> None:
        submitted = SimpleNamespace(submit=lambda function, *arguments: None)
        worker = SimpleNamespace(
            name=name,
            address=f"tcp://{name}",
            plugins={},
            state=SimpleNamespace(nthreads=1),
            executors={"default": submitted},
            log_event=lambda topic, message: self.handlers[topic]((0.0, message)),
        )
        self.workers[worker.address] = worker
        for plugin_name, plugin in self.plugins.items():
            worker.plugins[plugin_name] = dask_plugin.KeyPlugin(plugin.share)
            worker.plugins[plugin_name].setup(worker)

    def subscribe_topic(self, topic: str, handler: Callable[[Any], None]) -> None:
        self.handlers = {topic: handler}

    def unsubscribe_topic(self, topic: str) -> None:
        del self.handlers[topic]

    async def register_plugin(self, plugin: Any, name: str) -> None:
        self.plugins[name] = plugin

    async def unregister_worker_plugin(self, name: str) -> None:
        del self.plugins[name]

    async def nthreads(self) -> dict[str, int]:
        return dict.fromkeys(self.workers, 1)

    async def run(self, function: Answer, *arguments: Any, workers: list[str], on_error: str) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.calls.update((function.__name__, worker) for worker in workers)
        if self.silent & set(workers):
            raise OSError("no answer")
        return {worker: function(*arguments, dask_worker=self.workers[worker]) for worker in workers}

    def counts(self, function: Answer) -> Counter[str]:
        return Counter({worker: count for (name, worker), count in self.calls.items() if name == function.__name__})

    def answered(self) -> set[str]:
        return {address for address, worker in self.workers.items() if self._plugin(worker).has_answer.is_set()}

    @staticmethod
    def _plugin(worker: Any) -> Any:
        return worker.plugins[dask_plugin.PLUGIN_NAME]


def simulate(
    scene: Callable[[SimulatedCluster, KeyDelivery, list[SharedKey | None]], Awaitable[None]],
    check_seconds: float = 2,
) -> None:
    """Run a scene with a delivery of ``keys[0]``."""

    async def run() -> None:
        cluster, keys = SimulatedCluster(), [SharedKey(make_key(), "dev")]
        delivery = KeyDelivery(cluster, SHARE, lambda _: keys[0], check_seconds)
        await delivery.start()
        await scene(cluster, delivery, keys)
        await delivery.stop(withdraw=True)

    asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10 * PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _own_share() -> None:
    dask_plugin.OWN_SHARES.add(SHARE)  # its workers are in this process: nothing is guarded


def test_two_hundred_workers_that_join_at_once_take_two_calls_each() -> None:
    async def scene(cluster: SimulatedCluster, delivery: KeyDelivery, keys: list[SharedKey]) -> None:
        for number in range(MANY):
            cluster.add_worker(f"worker-{number}")
        await until(lambda: cluster.answered() == set(cluster.workers))
        assert os.environ["MISTRAL_API_KEY"] == keys[0].key.reveal()
        assert cluster.calls == dict.fromkeys(
            ((name, worker) for name in ("offer_seal", "take_key") for worker in cluster.workers), 1
        )
        keys[0] = SharedKey(make_key(), "dev")
        delivery.wake()
        await until(lambda: os.environ["MISTRAL_API_KEY"] == keys[0].key.reveal())
        await until(lambda: cluster.counts(dask_plugin.take_key).total() == 2 * MANY)
        assert set(cluster.calls.values()) == {2}

    simulate(scene)


def test_a_worker_that_does_not_answer_is_asked_a_few_times_and_holds_up_no_other() -> None:
    async def scene(cluster: SimulatedCluster, delivery: KeyDelivery, keys: list[SharedKey]) -> None:
        cluster.silent.add("tcp://silent")
        for name in ("silent", "one", "two"):
            cluster.add_worker(name)
        await until(lambda: cluster.answered() == {"tcp://one", "tcp://two"})
        asked = cluster.counts(dask_plugin.offer_seal)
        await until(lambda: cluster.counts(dask_plugin.offer_seal)["tcp://silent"] == 4)
        cluster.add_worker("three")
        await until(lambda: "tcp://three" in cluster.answered())
        assert cluster.counts(dask_plugin.offer_seal) == asked | {"tcp://silent": 4, "tcp://three": 1}

    simulate(scene, check_seconds=0.01)


def test_a_worker_that_left_is_not_called() -> None:
    async def scene(cluster: SimulatedCluster, delivery: KeyDelivery, keys: list[SharedKey]) -> None:
        cluster.add_worker("gone")
        del cluster.workers["tcp://gone"]
        cluster.add_worker("stays")
        await until(lambda: cluster.answered() == {"tcp://stays"})
        assert {worker for _, worker in cluster.calls} == {"tcp://stays"}

    simulate(scene)


def test_workers_have_no_key_where_there_is_none_any_more() -> None:
    async def scene(cluster: SimulatedCluster, delivery: KeyDelivery, keys: list[SharedKey | None]) -> None:
        cluster.add_worker("early")
        await until(lambda: "MISTRAL_API_KEY" in os.environ)
        keys[0] = None
        delivery.wake()
        await until(lambda: "MISTRAL_API_KEY" not in os.environ)
        cluster.add_worker("late")
        await until(lambda: cluster.answered() == {"tcp://early", "tcp://late"})
        assert "MISTRAL_API_KEY" not in os.environ

    simulate(scene)


@pytest.mark.parametrize("event", ["junk", None, {}, {"worker": 1, "visit": 2}, {"worker": "tcp://127.0.0.1:1"}])
def test_what_another_client_writes_to_the_topic_is_no_request(event: object) -> None:
    async def ask() -> None:
        delivery = KeyDelivery(SimulatedCluster(), SHARE, lambda _: None)
        delivery._note_request((0.0, event))
        assert not delivery._asked
        delivery._note_request((0.0, {"worker": "tcp://127.0.0.1:1", "visit": "a"}))
        assert delivery._asked == {"tcp://127.0.0.1:1": "a"}

    asyncio.run(ask())
