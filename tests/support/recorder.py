"""A front end that keeps every frame a kernel sends it, on every channel, its signature checked."""

import contextlib
import queue
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from support.kernels import RealKernel, clean_environment, start_kernel
from support.leaks import PRELUDE, Leak
from support.patience import PATIENCE

# A cell after which the guard fails at every message, with the key in what is raised.
BREAK = """
from mistral_nb.guard.known_secrets import PROCESS_SECRETS
def boom(): raise RuntimeError(K)
PROCESS_SECRETS.matcher = boom
"""


class Recorder:
    """``frames`` is all that came since it was emptied; `jupyter_client` refuses a wrong signature."""

    def __init__(self, kernel: RealKernel) -> None:
        self.kernel, self.client = kernel, kernel.client
        self.frames: list[bytes] = []
        self._echoes: list[bytes] = []  # of them, those that repeat a cell's own text
        session = self.client.session
        original = session.feed_identities

        def feed_identities(message: list[Any], copy: bool = True) -> Any:
            frames = [bytes(frame) if copy else bytes(frame.bytes) for frame in message]
            self.frames += frames
            if any(b'"execute_input"' in frame[:400] for frame in frames):
                self._echoes += frames
            return original(message, copy)

        session.feed_identities = feed_identities

    @property
    def has_subshells(self) -> bool:
        info = self.request("shell", "kernel_info_request", {})["content"]
        return "kernel subshells" in info.get("supported_features", ())

    def leak(self, leak: Leak, key: str, *, echo: bool = True) -> list[bytes]:
        """Every frame that came of one way to leak; without ``echo``, but for those that repeat the cell."""
        self.frames, self._echoes = [], []
        code = leak.code.replace("{K}", key)
        if code and leak.subshell:
            self._in_subshell(code)
        elif code:
            asks = leak.name.endswith("prompt")
            self.kernel.run(code, answers=["x"] if asks else [], allow_stdin=asks, **leak.extra)
        for channel, kind, content in leak.requests:
            self.request(channel, kind, content)
        self.drain(leak.wait)
        echoes = set() if echo else set(map(id, self._echoes))
        return [frame for frame in self.frames if id(frame) not in echoes]

    def request(self, channel: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        message = self.client.session.msg(kind, content)
        return self._ask(channel, message)

    def drain(self, seconds: float = 0, of: str = "") -> list[tuple[float, dict[str, Any]]]:
        """Read all that the kernel has sent on iopub until now: a request of our own comes after it.

        ``seconds``: read for so long before; for what comes from elsewhere, as from another process.
        Returns the messages of the request ``of``, and when each came.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                self.client.get_iopub_msg(timeout=max(0.02, end - time.monotonic()))
        message = self.client.session.msg("kernel_info_request", {})
        self._ask("control", message)
        return self.read_until_idle(message["header"]["msg_id"], of)

    def read_until_idle(self, sent: str, of: str = "") -> list[tuple[float, dict[str, Any]]]:
        """The messages of a request (or of another, ``of``) until it is done, and when each came."""
        came = []
        while True:
            message = self.client.get_iopub_msg(timeout=15 * PATIENCE)
            request = message["parent_header"].get("msg_id")
            if request == (of or sent):
                came.append((time.monotonic(), message))
            if request == sent and message["content"].get("execution_state") == "idle":
                return came

    def read_until_end(self) -> None:
        """Read what comes on iopub until the kernel is gone."""
        while self.kernel.manager.is_alive():
            with contextlib.suppress(queue.Empty):
                self.client.get_iopub_msg(timeout=0.1)
        with contextlib.suppress(queue.Empty):
            while True:
                self.client.get_iopub_msg(timeout=0.1)

    def _ask(self, channel: str, message: dict[str, Any]) -> dict[str, Any]:
        way = getattr(self.client, f"{channel}_channel")
        way.send(message)
        end = time.monotonic() + 15 * PATIENCE
        while time.monotonic() < end:
            reply = way.get_msg(timeout=15 * PATIENCE)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply)
        raise TimeoutError(f"no reply to {message['header']['msg_type']}")

    def _in_subshell(self, code: str) -> None:
        made = self.request("control", "create_subshell_request", {})
        name = made["content"]["subshell_id"]
        message = self.client.session.msg("execute_request", {"code": code, "silent": False, "store_history": False})
        message["header"]["subshell_id"] = name
        self._ask("shell", message)
        self.drain()
        self.request("control", "delete_subshell_request", {"subshell_id": name})


@contextlib.contextmanager
def recorded_kernel(
    folder: Path,
    key: str,
    *,
    guarded: bool,
    python: str | None = None,
    terminal: IO[bytes] | None = None,
    **more: str,
) -> Iterator[Recorder]:
    """A kernel with a key in its environment; the guard is on or off, all else the same."""
    options: dict[str, Any] = {"python": python} if python else {}
    env = clean_environment(folder, MISTRAL_API_KEY=key, **more)
    env.pop("PYTEST_CURRENT_TEST", None)  # where ipykernel sees it, it does not look at descriptors 1 and 2
    with start_kernel(env, terminal=terminal, **options) as kernel:
        recorder = Recorder(kernel)
        if guarded:
            kernel.run("%load_ext mistral_nb")
        ran = kernel.run(PRELUDE)
        assert ran.status == "ok", ran.shown
        yield recorder
