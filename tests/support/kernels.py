"""A real ipykernel in its own process, driven like a front end and a person would.

with start_kernel(clean_environment(tmp_path)) as kernel:
    ran = kernel.run("%mistral_key", answers=[key.reveal()])
    assert ran.status == "ok"
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import zmq
from jupyter_client import BlockingKernelClient, KernelManager

from mistral_nb.api_key import fingerprint
from mistral_nb.demo.kernel import LAUNCHER, launch_kernel
from mistral_nb.storage.index import Index
from support.keys import for_child
from support.patience import PATIENCE

INTERRUPT = "\x03 the person presses Ctrl-C"

_FOREIGN = (
    *("CI", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION", "BUILD_BUILDID"),  # in CI nothing is set aside
    *("GITHUB_", "GITLAB_"),  # nor is all of a history read
    *("MISTRAL", "CODESTRAL", "LLM_MISTRAL", "VIBE", "COLAB", "KAGGLE", "VSCODE"),
    *("DBUS", "DISPLAY", "WAYLAND", "GNOME_KEYRING", "KEYRING", "PYTHON_KEYRING", "XDG", "JPY", "JUPYTER"),
    *("IPYTHON", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "COLUMNS", "LINES", "PYTHONWARNINGS"),
)


def clean_environment(tmp_path: Path | str, **more: str) -> dict[str, str]:
    """This environment without Mistral, desktop or Jupyter variables; all folders in ``tmp_path``."""
    root = Path(tmp_path)
    env = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
    folders = {
        "HOME": root / "home",
        "XDG_CONFIG_HOME": root / "home/.config",
        "XDG_DATA_HOME": root / "home/.local/share",
        "XDG_CACHE_HOME": root / "home/.cache",
        "XDG_STATE_HOME": root / "home/.local/state",
        "XDG_RUNTIME_DIR": root / "run",
        "IPYTHONDIR": root / "ipython",
        "JUPYTER_CONFIG_DIR": root / "jupyter/config",
        "JUPYTER_DATA_DIR": root / "jupyter/data",
        "JUPYTER_RUNTIME_DIR": root / "jupyter/runtime",
        "MISTRAL_NB_HOME": root / "mistral-nb",
    }
    for name, folder in folders.items():
        if name != "MISTRAL_NB_HOME":  # the product makes its own, private
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        env[name] = str(folder)
    if "DBUS_SESSION_BUS_ADDRESS" not in more:  # a desktop of the test's own
        env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    return env | {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONUTF8": "1"} | for_child() | more


def is_remembered(env: dict[str, str], text: str) -> bool:
    """Whether the index of such an environment has the key's fingerprint."""
    return fingerprint(text) in Index(env["MISTRAL_NB_HOME"]).read().remembered


def vault_environment(folder: Path, api: str, passphrase: str) -> dict[str, str]:
    """A clean one whose keys go to the encrypted file, opened by a passphrase file; ``api``: the API's address."""
    file = folder / "passphrase"
    file.write_text(passphrase)
    file.chmod(0o600)
    return clean_environment(folder, MISTRAL_NB_API=api, MISTRAL_NB_STORE="file", MISTRAL_NB_PASSPHRASE_FILE=str(file))


class Prompt(NamedTuple):
    text: str
    masked: bool


class Error(NamedTuple):
    name: str
    value: str
    traceback: str


class Ran(NamedTuple):
    """The result of a cell: all its messages, and the parts people look at."""

    status: str  # ok, error, aborted
    text: str  # what was written to stdout
    stderr: str
    results: list[dict[str, Any]]  # mime bundles of results and displays
    error: Error | None
    prompts: list[Prompt]
    messages: list[str]  # iopub, shell and stdin as JSON text, without the answers sent

    @property
    def shown(self) -> str:
        """Everything a person reads."""
        plain = [str(bundle.get("text/plain", "")) for bundle in self.results]
        return "\n".join([self.text, self.stderr, *plain, self.error.traceback if self.error else ""])


class RealKernel:
    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.messages: list[str] = []  # of all its life

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.process.pid)

    def run(
        self,
        code: str,
        answers: Sequence[str] = (),
        allow_stdin: bool = True,
        timeout: float = 30 * PATIENCE,
        **options: Any,
    ) -> Ran:
        """Run a cell; each answer goes to one prompt, INTERRUPT is Ctrl-C at it."""
        sent = self.client.execute(code, allow_stdin=allow_stdin, **options)
        cell = _Cell(list(answers))
        for channel, message in self._messages(sent, timeout, cell):
            text = json.dumps(message, default=_as_text, ensure_ascii=False)
            cell.messages.append(text)
            self.messages.append(text)
            if channel == "stdin":
                self._answer(cell, message["content"])
            cell.take(channel, message)
            if cell.replied and cell.idle:
                break
        assert not cell.unforeseen, f"no prompt was expected: {cell.prompts[-1]}"
        return cell.ran()

    def complete(self, code: str, timeout: float = 15 * PATIENCE) -> list[str]:
        """What Tab offers at the end of ``code``."""
        reply = self.client.complete(code, reply=True, timeout=timeout)
        return list(reply["content"]["matches"])

    def restart(self, timeout: float = 60 * PATIENCE) -> None:
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=timeout)

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def kill(self) -> None:
        """``kill -9``: no clean-up of any kind."""
        os.kill(self.pid, signal.SIGKILL)
        self.manager.provisioner.process.wait(10 * PATIENCE)

    def shut_down(self) -> None:
        """As a person closes it: IPython writes what it holds."""
        self.manager.shutdown_kernel(now=False)

    def _answer(self, cell: "_Cell", content: dict[str, Any]) -> None:
        cell.prompts.append(Prompt(content["prompt"], content["password"]))
        cell.unforeseen = cell.unforeseen or not cell.answers
        answer = cell.answers.pop(0) if cell.answers else INTERRUPT
        if answer == INTERRUPT:
            time.sleep(0.1)  # the kernel is on its way into waiting; if it comes later, it is interrupted again
            self.interrupt()
            cell.interrupted = time.monotonic()
        else:
            self.client.input(answer)

    def _messages(self, sent: str, timeout: float, cell: "_Cell") -> Iterator[tuple[str, dict[str, Any]]]:
        """The answers to one request, from every channel, as they come."""
        channels = {getattr(self.client, f"{name}_channel").socket: name for name in ("iopub", "stdin", "shell")}
        poller = zmq.Poller()
        for socket in channels:
            poller.register(socket, zmq.POLLIN)
        deadline = time.monotonic() + timeout
        while True:
            ready = dict(poller.poll(200))
            for socket, name in channels.items():
                if socket in ready:
                    message = getattr(self.client, f"get_{name}_msg")(timeout=1)
                    if message["parent_header"].get("msg_id") == sent:
                        yield name, message
            if cell.interrupted and not cell.replied and time.monotonic() > cell.interrupted + 3:
                cell.interrupted = time.monotonic()
                self.interrupt()
            if time.monotonic() > deadline:
                self._give_up(sent)
                raise TimeoutError(f"the cell took longer than {timeout} s")
            if not ready and not self.manager.is_alive():
                raise RuntimeError("the kernel died")

    def _give_up(self, sent: str) -> None:
        """Interrupt, and read what still comes: the next cell starts afresh."""
        self.interrupt()
        with contextlib.suppress(queue.Empty):
            while self.client.get_shell_msg(timeout=5 * PATIENCE)["parent_header"].get("msg_id") != sent:
                pass
            # after an error ipykernel refuses what waits, for a moment that nothing tells the end of
            while (
                self.client.execute("", silent=True, reply=True, timeout=5 * PATIENCE)["content"]["status"] == "aborted"
            ):
                pass


class _Cell:
    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.replied = self.idle = self.unforeseen = False
        self.status = ""
        self.interrupted = 0.0  # when
        self.streams = {"stdout": "", "stderr": ""}
        self.results: list[dict[str, Any]] = []
        self.error: Error | None = None
        self.prompts: list[Prompt] = []
        self.messages: list[str] = []

    def take(self, channel: str, message: dict[str, Any]) -> None:
        content, kind = message["content"], message["msg_type"]
        if channel == "shell":
            self.replied, self.status = True, content["status"]
        elif kind == "status" and content["execution_state"] == "idle":
            self.idle = True
        elif kind == "stream":
            self.streams[content["name"]] += content["text"]
        elif kind in ("execute_result", "display_data", "update_display_data"):
            self.results.append(content["data"])
        elif kind == "error":
            self.error = Error(content["ename"], content["evalue"], "\n".join(content["traceback"]))

    def ran(self) -> Ran:
        text, stderr = self.streams["stdout"], self.streams["stderr"]
        return Ran(self.status, text, stderr, self.results, self.error, self.prompts, self.messages)


@contextlib.contextmanager
def start_kernel(
    env: dict[str, str],
    cwd: Path | str | None = None,
    python: str = sys.executable,
    arguments: Sequence[str] = (),
    terminal: IO[bytes] | None = None,
) -> Iterator[RealKernel]:
    """A kernel with ``env`` and nothing else of ours; ended, however the block ends. ``terminal``: in its place."""
    runtime = tempfile.mkdtemp(prefix="k-")  # short: the name of a socket has at most 107 characters
    connection = {"transport": "ipc", "connection_file": f"{runtime}/k.json"}
    argv = [python, *LAUNCHER, *arguments]
    try:
        options = {"stdout": terminal, "stderr": terminal} if terminal else {}
        with launch_kernel(argv, connection, env=env, cwd=str(cwd or env["HOME"]), **options) as (manager, client):
            yield RealKernel(manager, client)
    finally:
        shutil.rmtree(runtime, ignore_errors=True)


def _as_text(value: object) -> str:
    """Dates, and binary buffers, in a way that a search finds what is in them."""
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
