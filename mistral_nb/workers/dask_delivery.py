"""Brings a key to the workers of one scheduler, and keeps them up to date. Runs in the event loop of Dask's client.

A worker gets the key by two calls of a function on it: one for a seal's public point, one with the key sealed for that
point. What travels through the scheduler is the point and the sealed key. A worker that starts later asks for it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from mistral_nb.api_key import Secret
from mistral_nb.keys.child_processes import add_follower, remove_follower
from mistral_nb.sealing import seal
from mistral_nb.workers import dask_plugin
from mistral_nb.workers.key_source import SharedKey

CHECK_SECONDS = 2.0  # how long a change in another process may stay unseen
ANSWER_SECONDS = 10.0
_CALLS_AT_ONCE = 16
_TRIES = 3


class KeyDelivery:
    """What one share does at its scheduler. ``read_key`` gives the key that workers should have, or None; it may
    block, and is called in a thread.
    """

    def __init__(
        self,
        client: Any,
        share: str,
        read_key: Callable[[SharedKey | None], SharedKey | None],
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self.shared: SharedKey | None = None
        self._client, self._share, self._read_key = client, share, read_key
        self._check_seconds = check_seconds
        self._asked: dict[str, str] = {}  # worker → its visit
        self._visits: dict[str, str] = {}  # worker → the visit that has its answer
        self._tries: dict[str, int] = {}
        self._followers: set[int] = set()  # process ids
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    async def list_workers(self) -> list[str]:
        """The addresses of all workers; none for a client that closes."""
        return list(await self._client.nthreads()) if self._client.status == "running" else []

    async def call_all(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """What a function returns on each worker, or the exception."""
        workers = await self.list_workers()

        async def call(worker: str) -> Any:
            async with self._slots:
                return await self._call(worker, function, *arguments)

        return dict(zip(workers, await asyncio.gather(*map(call, workers)), strict=True))

    async def start(self) -> None:
        """Put the plugin on every worker, give each the key, and go on in the background."""
        self.shared = await asyncio.to_thread(self._read_key, None)
        self._client.subscribe_topic(dask_plugin.topic_of(self._share), self._note_request)
        with contextlib.suppress(OSError):  # a worker left meanwhile; the others have it
            await self._client.register_plugin(dask_plugin.KeyPlugin(self._share), name=dask_plugin.PLUGIN_NAME)
        await self._deliver(await self.list_workers())
        self._task = asyncio.create_task(self._follow())

    async def stop(self, *, withdraw: bool) -> None:
        """End; ``withdraw``: take the key and the plugin away from the workers too."""
        if self._task:
            self._task.cancel()
        for pid in self._followers:
            remove_follower(pid)
        with contextlib.suppress(ValueError):
            self._client.unsubscribe_topic(dask_plugin.topic_of(self._share))
        if withdraw:
            answers = await self.call_all(dask_plugin.withdraw_key, self._share)
            if False not in answers.values():  # else the plugin is another share's
                with contextlib.suppress(OSError, ValueError):
                    await self._client.unregister_worker_plugin(dask_plugin.PLUGIN_NAME)

    def wake(self) -> None:
        """Look at the key now. For any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._client.loop.add_callback(self._wake.set)

    def _note_request(self, event: tuple[float, Any]) -> None:
        match event[1]:
            case {"worker": str(worker), "visit": str(visit)}:  # any client may write to the topic
                self._asked[worker] = visit
                self._wake.set()

    async def _follow(self) -> None:
        while self._client.status in ("running", "connecting"):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._check_seconds)
            self._wake.clear()
            with contextlib.suppress(OSError, TimeoutError):  # no scheduler for the moment
                await self._catch_up()

    async def _catch_up(self) -> None:
        before = self.shared
        self.shared = await asyncio.to_thread(self._read_key, before)
        if _fingerprint(before) != _fingerprint(self.shared):
            self._tries.clear()
            await self._deliver(await self.list_workers())
        asking = [worker for worker, visit in self._asked.items() if self._visits.get(worker) != visit]
        self._asked = {worker: self._asked[worker] for worker in asking}
        if asking:
            present = set(await self.list_workers())
            await self._deliver(worker for worker in asking if worker in present)
            self._asked = {worker: visit for worker, visit in self._asked.items() if worker in present}

    async def _deliver(self, workers: Iterable[str]) -> None:
        await asyncio.gather(*map(self._deliver_to, workers))

    async def _deliver_to(self, worker: str) -> None:
        """Give one worker the key, or take it away. One that does not answer is asked a few times more."""
        async with self._slots:
            offer = await self._give_or_take(worker)
        if offer:
            self._visits[worker] = offer["visit"]
            self._followers.add(offer["pid"])
            add_follower(offer["host"], offer["pid"])
            self._tries.pop(worker, None)
        elif self._tries.setdefault(worker, 0) < _TRIES:
            self._tries[worker] += 1
            self._visits.pop(worker, None)
            self._asked.setdefault(worker, "")
        else:
            self._asked.pop(worker, None)

    async def _give_or_take(self, worker: str) -> dask_plugin.SealOffer | None:
        """What the worker said of itself; None if it did not answer, or belongs to another share."""
        offer: dask_plugin.SealOffer | Exception | None = await self._call(worker, dask_plugin.offer_seal, self._share)
        if not isinstance(offer, dict):
            return None
        if self.shared is None:
            done = await self._call(worker, dask_plugin.withdraw_key, self._share)
        else:
            fields = {"key": self.shared.key, "workspace": Secret(self.shared.workspace or "")}
            message = seal(fields, offer["public"], self._share)
            done = await self._call(worker, dask_plugin.take_key, self._share, message)
        return offer if done is True else None

    async def _call(self, worker: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What ``function`` returns on the worker; the exception if it raises, or there is no answer."""
        try:
            running = self._client.run(function, *arguments, workers=[worker], on_error="return")
            return (await asyncio.wait_for(running, ANSWER_SECONDS)).get(worker)
        except (OSError, TimeoutError, AttributeError) as error:  # AttributeError: the client closed meanwhile
            return error


def _fingerprint(shared: SharedKey | None) -> str:
    return shared.key.fingerprint if shared else ""
