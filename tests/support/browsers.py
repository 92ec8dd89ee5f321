"""A real Jupyter server and a real Chromium, driven like a person would.

with start_server(env, folder) as server, start_browser() as browser:
    page = open_notebook(browser, server, "tree.ipynb", lab=True)
    page.run(0)
"""

import contextlib
import http.client
import itertools
import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from support.files import read_files
from support.lab_extension import provide_extension
from support.patience import PATIENCE
from support.requirements import absent

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_MANAGER = "@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings"
_THEME = "@jupyterlab/apputils-extension/themes.jupyterlab-settings"
_NOTEBOOK = "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
_NOTICES = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"


_PANEL = "[...(window.jupyterapp?.shell.widgets('main') ?? [])].find((widget) => widget.sessionContext)"
_STATUS = f"""() => {{
  const panel = {_PANEL};
  return panel?.sessionContext.isReady && panel.sessionContext.session?.kernel?.status;
}}"""
_RESTART = f"() => {_PANEL}.sessionContext.session.kernel.restart()"


_STARTS = 3  # of a server whose port another program took first
_numbers = itertools.count(1)  # a notebook's name


@dataclass
class Server:
    """``folder`` is what it serves, ``log`` all that it has written."""

    url: str
    token: str
    folder: Path
    log: Path
    settings: Path
    process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """End it as a crash does; its kernels end when they see that. Pages stay open."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(15 * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def ask(self, path: str, method: str = "GET", body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/{path}", data, method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=20 * PATIENCE) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def shut_down_kernels(self) -> None:
        for session in self.ask("sessions") if self.process else ():
            self.ask(f"sessions/{session['id']}", "DELETE")

    def set(self, name: str, **values: object) -> None:
        """Write one of the person's settings of JupyterLab and Notebook."""
        file = self.settings / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))

    def dark(self, dark: bool) -> None:
        self.set(_THEME, theme="JupyterLab Dark" if dark else "JupyterLab Light")


@contextlib.contextmanager
def start_server(env: dict[str, str], folder: Path, *more: str) -> Iterator[Server]:
    """JupyterLab and Notebook 7 in one server, with our extension; widget state is saved automatically."""
    folder.mkdir(exist_ok=True)
    env = env | provide_extension(folder.parent / "jupyter path")
    server = Server(
        "",
        secrets.token_hex(16),
        folder,
        folder.parent / "server.log",
        Path(env["JUPYTER_CONFIG_DIR"]) / "lab/user-settings",
    )
    server.set(_MANAGER, saveState=True)
    server.set(_NOTEBOOK, windowingMode="none")  # cells out of sight are there as well
    server.set(_NOTICES, fetchNews="false", checkForUpdates=False)
    try:
        _start(server, env, more)
        yield server
    finally:
        server.stop()


def _start(server: Server, env: dict[str, str], more: Sequence[str]) -> None:
    """On a free port; on another one, where a program took that before the server did."""
    for _ in range(_STARTS):
        port = _free_port()
        server.url = f"http://localhost:{port}"
        with server.log.open("wb") as log:
            argv = _command(server, port, more)
            server.process = subprocess.Popen(argv, env=env, cwd=server.folder, stdout=log, stderr=log)
        if _has_started(server, server.process):
            return
        server.stop()
        if "already in use" not in server.log.read_text():
            break
    raise RuntimeError(f"the server did not start:\n{server.log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _command(server: Server, port: int, more: Sequence[str]) -> list[str]:
    options = (
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={server.token}",
        "--no-browser",
        "--allow-root",
        "--ip=localhost",
        "--expose-app-in-browser",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        *more,
    )
    places = ("--ServerApp.log_level=DEBUG", f"--notebook-dir={server.folder}")
    return [sys.executable, "-m", "jupyterlab", *options, *places]


def _has_started(server: Server, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 60 * PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            server.ask("status")
            return True
        time.sleep(0.1)
    return False


@contextlib.contextmanager
def start_browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    program = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("playwright not installed")
    if not program:
        absent("chromium not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Notebook:
    """One notebook in one page; ``frames`` is what went over its websockets, both ways."""

    page: Any
    server: Server
    name: str
    frames: list[bytes] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.server.folder / self.name

    @property
    def checkpoint(self) -> Path:
        return self.file.parent / ".ipynb_checkpoints" / f"{self.file.stem}-checkpoint.ipynb"

    def cell(self, number: int) -> Any:
        return self.page.locator(".jp-NotebookPanel:visible .jp-CodeCell, .jp-Notebook .jp-CodeCell").nth(number)

    def run(self, number: int) -> None:
        """Select a cell and run it, as by Shift+Enter; does not wait for its end."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def output(self, number: int) -> str:
        return self.cell(number).locator(".jp-Cell-outputArea").inner_text()

    def wait_done(self, number: int, timeout: float = 20) -> None:
        """Wait until a cell has run: its prompt shows a number."""
        self.wait(lambda: re.search(r"\[\d+\]", self.cell(number).locator(".jp-InputPrompt").inner_text()), timeout)

    def wait(self, holds: Any, timeout: float = 15) -> Any:
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            found = holds()
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"it never held; the page:\n{self.page.locator('body').inner_text()[-3000:]}")
            self.page.wait_for_timeout(50)

    def save(self) -> None:
        """Save, with its checkpoint, as by Ctrl+S."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def saves_widget(self, cell: int) -> bool:
        """Save; whether the file has the widget that this code cell shows, rather than one of another cell."""
        self.save()
        cells = [each for each in json.loads(self.file.read_text())["cells"] if each["cell_type"] == "code"]
        return any("application/vnd.jupyter.widget-view+json" in out.get("data", {}) for out in cells[cell]["outputs"])

    def restart_kernel(self) -> None:
        self.page.evaluate(_RESTART)

    def everywhere(self) -> dict[str, bytes]:
        """Every place where typed text could be found."""
        files = {str(path): data for path, data in read_files(self.server.folder).items()}
        values = "() => [...document.querySelectorAll('input, textarea')].map((node) => node.value).join('\\n')"
        return {
            **files,
            "frames": b"\n".join(self.frames),
            "page": self.page.content().encode(),
            "fields": self.page.evaluate(values).encode(),
            "log": self.server.log.read_bytes(),
        }


@contextlib.contextmanager
def open_notebook(
    browser: Any,
    server: Server,
    sources: Sequence[str],
    *,
    lab: bool,
    name: str = "",
    width: int = 1200,
    height: int = 900,
) -> Iterator[Notebook]:
    """A new notebook of these cells, in a new page of JupyterLab or Notebook 7, its kernel ready."""
    name = name or f"n{next(_numbers)}.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (server.folder / name).write_text(nbformat.writes(notebook))
    context = browser.new_context(viewport={"width": width, "height": height})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(20_000 * PATIENCE)
    page = context.new_page()
    opened = Notebook(page, server, name)
    page.on("websocket", lambda socket: _record(socket, opened.frames))
    try:
        visit(opened, lab)
        yield opened
    finally:
        context.close()
        server.shut_down_kernels()


def open_again(notebook: Notebook, lab: bool) -> Notebook:
    """The same notebook in one more page of this browser; it closes with the first."""
    other = Notebook(notebook.page.context.new_page(), notebook.server, notebook.name)
    other.page.on("websocket", lambda socket: _record(socket, other.frames))
    visit(other, lab)
    return other


def visit(notebook: Notebook, lab: bool) -> None:
    """Go to the notebook, and wait for its kernel."""
    kind = "lab/tree" if lab else "notebooks"
    reset = "&reset" if lab else ""
    notebook.page.goto(f"{notebook.server.url}/{kind}/{notebook.name}?token={notebook.server.token}{reset}")
    notebook.page.locator(".jp-CodeCell .cm-content").first.wait_for(timeout=40_000 * PATIENCE)
    notebook.wait(lambda: notebook.page.evaluate(_STATUS) in ("idle", "busy"), timeout=40)


def _record(socket: Any, frames: list[bytes]) -> None:
    def take(payload: str | bytes) -> None:
        frames.append(payload.encode() if isinstance(payload, str) else payload)

    socket.on("framesent", take)
    socket.on("framereceived", take)
