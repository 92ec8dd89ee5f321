"""What runs on a worker of Dask: it asks for the key, and opens what the client sealed for it alone.

The plugin is pickled, and the scheduler keeps it for workers that come later: it holds a name and no key. A worker
makes a `Seal` when the client asks it to, and says its public point. No function here returns a key or raises with one.
"""

import importlib.metadata
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from typing import Any, TypedDict

from distributed import WorkerPlugin

from mistral_nb import environment
from mistral_nb.api_key import Key
from mistral_nb.errors import MistralNbError
from mistral_nb.sealing import Seal
from mistral_nb.workers.received_key import RECEIVED_KEY

PLUGIN_NAME = "mistral_nb"
FIRST_KEY_SECONDS = 5.0  # how long a worker's tasks wait for the first key
OWN_SHARES: set[str] = set()  # shares whose client is in this process: its workers are threads here


class WorkerInfo(TypedDict):
    """``name``: the worker's name at the scheduler; ``version``: of mistral_nb; ``fingerprint``: of the key in its
    environment, empty for none.
    """

    name: str
    version: str
    fingerprint: str


class SealOffer(TypedDict):
    """``public``: what to seal for. ``visit``: which start of the plugin this is, as it said when it asked.
    ``host`` and ``pid``: the worker's process."""

    public: str
    visit: str
    host: str
    pid: int


def topic_of(share: str) -> str:
    """The topic on which a share's workers ask for the key."""
    return f"mistral_nb.share/{share}"


class KeyPlugin(WorkerPlugin):  # type: ignore[misc]
    """Receives the key of one share. A worker has one such plugin: a later share takes an earlier one's place."""

    def __init__(self, share: str) -> None:
        self.share = share
        self.visit = ""
        self.seal: Seal | None = None
        self.has_answer: threading.Event | None = None

    def setup(self, worker: Any) -> None:
        """Guard what this process writes, and ask for the key. Tasks wait for it for a moment."""
        self.visit, self.has_answer = uuid.uuid4().hex, threading.Event()
        if self.share not in OWN_SHARES:
            from mistral_nb.guard.process_output import guard_process_output
            from mistral_nb.workers.dask_errors import guard_errors

            guard_process_output()
            guard_errors()
            for _ in range(worker.state.nthreads):  # a task that starts now would find no key
                worker.executors["default"].submit(self.has_answer.wait, FIRST_KEY_SECONDS)
        worker.log_event(topic_of(self.share), {"worker": worker.address, "visit": self.visit})

    def teardown(self, worker: Any) -> None:
        """Nothing can be opened any more. The key stays: the share may have been replaced by another one."""
        self.settle()

    def settle(self) -> None:
        """Let tasks run, and use up the seal."""
        if self.seal:
            self.seal.close()
        if self.has_answer:
            self.has_answer.set()


def installed_version() -> str:
    return importlib.metadata.version("mistral_nb")


def describe_worker(dask_worker: Any) -> WorkerInfo:
    active = environment.active_key()
    fingerprint = active.key.fingerprint if active else ""
    return {"name": str(dask_worker.name), "version": installed_version(), "fingerprint": fingerprint}


def offer_seal(share: str, dask_worker: Any) -> SealOffer | None:
    """A new seal's public point; None if the worker does not belong to this share."""
    plugin = _find_plugin(share, dask_worker)
    if plugin is None:
        return None
    plugin.seal = Seal(share)
    return {"public": plugin.seal.public, "visit": plugin.visit, "host": socket.gethostname(), "pid": os.getpid()}


def take_key(share: str, message: Mapping[str, str], dask_worker: Any) -> bool:
    """Open the client's message and set the key; False if it can't be opened, or is for another share."""
    plugin = _find_plugin(share, dask_worker)
    if plugin is None or plugin.seal is None:
        return False
    try:
        fields = plugin.seal.open(message)
        key = Key(fields["key"].reveal())
    except (MistralNbError, KeyError):
        return False
    workspace = fields["workspace"].reveal() or None
    RECEIVED_KEY.receive(key, workspace, replace=share not in OWN_SHARES)
    plugin.settle()
    return True


def withdraw_key(share: str, dask_worker: Any) -> bool:
    """Take the key out of the environment; False if the worker belongs to another share."""
    plugin = _find_plugin(share, dask_worker)
    if plugin is None:
        return False
    RECEIVED_KEY.withdraw()
    plugin.settle()
    return True


def _find_plugin(share: str, worker: Any) -> KeyPlugin | None:
    plugin = worker.plugins.get(PLUGIN_NAME)
    return plugin if getattr(plugin, "share", None) == share else None
