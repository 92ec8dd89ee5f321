"""A real kernel in its own process, driven like a front end does. `demo` uses it."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mistral_nb.api_key import Secret

_START_SECONDS, _CELL_SECONDS = 60, 60
LAUNCHER = ("-m", "ipykernel_launcher", "-f", "{connection_file}")
_NO_SERVER = "import os; os.environ.pop('JPY_PARENT_PID', None); del os"  # it is no Jupyter server that started it
PromptResponder = Callable[[str], Secret]


class CellResult(NamedTuple):
    """A cell's output, whether it succeeded, and how many prompts it showed, masked or not."""

    text: str
    failed: bool
    prompts: int
    masked: int


class DrivenKernel:
    """``received`` is everything the kernel sent, in the pieces it arrived in."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.received: list[bytes] = []
        split = client.session.feed_identities

        def keep_and_split(parts: list[Any], copy: bool = True) -> Any:
            self.received += [bytes(part) if copy else bytes(part.bytes) for part in parts]
            return split(parts, copy)

        client.session.feed_identities = keep_and_split

    def run(self, code: str, answer: PromptResponder | None = None) -> CellResult:
        """Run a cell; ``answer`` provides the input at a prompt. Without it, prompts can't be answered."""
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
        return CellResult("".join(written), reply["content"]["status"] != "ok", len(prompts), sum(prompts))


@contextlib.contextmanager
def start_kernel(environ: Mapping[str, str], folder: str) -> Iterator[DrivenKernel]:
    """A new ipykernel with this ``environ`` in ``folder``; it ends with the block.

    Raises ImportError where ipykernel or jupyter_client is missing.
    """
    import ipykernel  # noqa: F401, said before a kernel fails to start

    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with launch_kernel([sys.executable, *LAUNCHER], env=dict(environ), cwd=folder, **quiet) as (_, client):
        driven = DrivenKernel(client)
        driven.run(_NO_SERVER)
        yield driven


@contextlib.contextmanager
def launch_kernel(
    argv: Sequence[str], connection: Mapping[str, str] | None = None, **options: Any
) -> Iterator[tuple[Any, Any]]:
    """A kernel's manager and a client that is connected to it; both end with the block.

    ``argv``: its command; ``connection``: traits of the manager; ``options``: those of starting a process.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import KernelManager

    manager = KernelManager(**connection or {})
    manager._kernel_spec = KernelSpec(argv=list(argv), display_name="Python 3", language="python")
    client = None
    try:
        manager.start_kernel(**options)
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=_START_SECONDS)
        yield manager, client
    finally:
        if client:
            client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
