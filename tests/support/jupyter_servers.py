"""A real jupyter_server in its own process, used like JupyterLab does.

with start_server(clean_environment(tmp_path), folder) as server:
    server.save("a.ipynb", notebook(source))
    assert key not in server.file("a.ipynb")
"""

import contextlib
import json
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from support.patience import PATIENCE

# What the environment of the tests brings along, off unless a test asks for it.
_OTHERS = dict.fromkeys(
    ("jupyterlab_jupytext", "jupyter_lsp", "jupyter_server_fileid", "jupyter_server_ydoc", "notebook"), False
)


class Reply(NamedTuple):
    status: int
    body: Any  # JSON, or text

    @property
    def message(self) -> str:
        return str(self.body.get("message") if isinstance(self.body, dict) else self.body)


class RunningServer:
    """``folder`` is what it serves."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, token: str, folder: Path, log: Path) -> None:
        self.process, self.url, self.folder = process, url, folder
        self.token, self._log = token, log

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def ask(self, method: str, path: str, body: Any = None) -> Reply:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{quote(path, safe='/?=&')}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60 * PATIENCE) as answer:
                return Reply(answer.status, _parsed(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, _parsed(error.read()))

    def contents(self, method: str, path: str, body: Any = None) -> Reply:
        return self.ask(method, f"api/contents/{path}", body)

    def save(self, path: str, content: Any, **more: Any) -> Reply:
        """A notebook, unless ``more`` says otherwise."""
        return self.contents("PUT", path, {"type": "notebook", "format": "json", "content": content, **more})

    def file(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def everything(self) -> bytes:
        """All files below the folder, joined: what a leak search looks through."""
        return b"\n".join(file.read_bytes() for file in sorted(self.folder.rglob("*")) if file.is_file())


@contextlib.contextmanager
def start_server(
    env: dict[str, str], folder: Path, *options: str, on: bool = True, program: str = "", **extensions: bool
) -> Iterator[RunningServer]:
    """``on=False``: with our extension off, for negative controls. ``extensions``: others, on or off.

    ``program``: Python code that runs the server, in place of ``python -m jupyter_server``.
    """
    token, log = secrets.token_hex(), folder.parent / f"server-{secrets.token_hex(4)}.log"
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {"mistral_nb": on, **_OTHERS, **extensions}
    command = [
        *(sys.executable, *(("-c", program) if program else ("-m", "jupyter_server"))),
        *("--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root"),
        *(f"--ServerApp.root_dir={folder}", f"--ServerApp.jpserver_extensions={chosen}", *options),
    ]
    env = env | {"JUPYTER_TOKEN": token}
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=stream, stderr=stream)
    try:
        url = _url(process, Path(env["JUPYTER_RUNTIME_DIR"]), log)
        yield RunningServer(process, url, token, folder, log)
    finally:
        process.terminate()
        try:
            process.wait(10 * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _url(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    note = runtime / f"jpserver-{process.pid}.json"
    end = time.monotonic() + 60 * PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            url = str(json.loads(note.read_text())["url"])
            urllib.request.urlopen(f"{url}api", timeout=5 * PATIENCE).close()
            return url
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}")


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data.decode("utf-8", "replace")


def notebook(*sources: str, outputs: Any = (), **metadata: Any) -> dict[str, Any]:
    """A valid notebook of code cells, the outputs in the first."""
    cells = [
        {"id": f"c{n}", "cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for n, source in enumerate(sources, 1)
    ]
    cells[0]["outputs"] = list(outputs)
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
