"""A real kernel in a process of its own, driven as a front end drives it. `demo` uses it."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from mistral_nb.key import Secret

_START_SECONDS, _CELL_SECONDS = 60, 60
Answerer = Callable[[str], Secret]


class Ran(NamedTuple):
    """What a cell wrote, whether it ended well, and how many prompts it showed, masked or not."""

    text: str
    failed: bool
    prompts: int
    masked: int


class DrivenKernel:
    """``received`` is all that the kernel sent, in the pieces it came in."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.received: list[bytes] = []
        split = client.session.feed_identities

        def keep_and_split(parts: list[Any], copy: bool = True) -> Any:
            self.received += [bytes(part) if copy else bytes(part.bytes) for part in parts]
            return split(parts, copy)

        client.session.feed_identities = keep_and_split

    def run(self, code: str, answer: Answerer | None = None) -> Ran:
        """Run a cell; ``answer`` says what a person types at a prompt. Without it, nobody can."""
        written: list[str] = []
        prompts: list[bool] = []

        def take(message: Mapping[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                written.append(content["text"])
            elif message["msg_type"] in ("execute_result", "display_data"):
                written.append(content["data"].get("text/plain", "") + "\n")
            elif message["msg_type"] == "error":
                written.append("\n".join(content["traceback"]) + "\n")

        def type_in(message: Mapping[str, Any]) -> None:
            masked = bool(message["content"]["password"])
            prompts.append(masked)
            written.append(f"{message['content']['prompt']}{'········' if masked else ''}\n")
            if answer:
                self._client.input(answer(message["content"]["prompt"]).reveal())

        reply = self._client.execute_interactive(
            code,
            allow_stdin=answer is not None,
            output_hook=take,
            stdin_hook=type_in,
            timeout=_CELL_SECONDS,
        )
        return Ran("".join(written), reply["content"]["status"] != "ok", len(prompts), sum(prompts))


@contextlib.contextmanager
def start_kernel(environ: Mapping[str, str], folder: str) -> Iterator[DrivenKernel]:
    """A new ipykernel with this ``environ`` in ``folder``; it ends with the block.

    Raises ImportError where ipykernel or jupyter_client is missing.
    """
    import ipykernel  # noqa: F401, said before a kernel fails to start
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import KernelManager

    manager = KernelManager()
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=argv, display_name="Python 3", language="python")
    manager.start_kernel(env=dict(environ), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=_START_SECONDS)
        yield DrivenKernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
