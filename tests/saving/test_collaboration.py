"""With jupyter-collaboration the server saves a shared document by itself; that goes past the hook as well."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from parts import absent
from servers import RunningServer, notebook, start_server

from mistral_nb.key import MARKER, Key

try:
    import jupyter_server_ydoc
    from jupyter_ydoc import YNotebook
    from pycrdt import Doc, YMessageType, create_sync_message, create_update_message, handle_sync_message
except ImportError:
    jupyter_server_ydoc = None
    pytestmark = pytest.mark.usefixtures("collaboration_is_absent")


@pytest.fixture
def collaboration_is_absent() -> None:
    absent("jupyter-server-ydoc not installed")


@pytest.fixture(params=[True, False], ids=["on", "off"])
def server(request: Any, env: dict[str, str], tmp_path: Any) -> Iterator[tuple[RunningServer, bool]]:
    with start_server(
        env, tmp_path / "served", on=request.param, jupyter_server_ydoc=True, jupyter_server_fileid=True
    ) as s:
        yield s, request.param


def test_a_shared_document_is_saved_without_keys(server: tuple[RunningServer, bool], key: Key) -> None:
    running, on = server
    running.save("shared.ipynb", notebook("x = 1"))
    asyncio.run(type_into_the_shared_document(running, "shared.ipynb", f'key = "{key.reveal()}"'))
    wanted = (MARKER if on else key.reveal()).encode()
    end = time.monotonic() + 20
    while wanted not in running.file("shared.ipynb") and time.monotonic() < end:
        time.sleep(0.1)
    assert wanted in running.file("shared.ipynb")
    assert (key.reveal().encode() in running.file("shared.ipynb")) is not on


def test_its_history_keeps_the_key_and_scan_finds_it_there(
    server: tuple[RunningServer, bool], env: dict[str, str], key: Key
) -> None:
    """What the README says is not covered: neither our hook nor `scrub` takes a key out of `.jupyter_ystore.db`."""
    running, _ = server
    running.save("shared.ipynb", notebook("x = 1"))
    asyncio.run(type_into_the_shared_document(running, "shared.ipynb", f'key = "{key.reveal()}"'))
    history = running.folder / ".jupyter_ystore.db"
    end = time.monotonic() + 20
    while not (history.exists() and key.reveal().encode() in history.read_bytes()) and time.monotonic() < end:
        time.sleep(0.1)
    assert key.reveal().encode() in history.read_bytes()
    for words in (("scan", "."), ("scrub", "--all", "."), ("scan", ".jupyter_ystore.db")):
        done = subprocess.run(
            [sys.executable, "-m", "mistral_nb", *words],
            cwd=running.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert ".jupyter_ystore.db: 1 key found" in done.stdout + done.stderr
        assert key.reveal() not in done.stdout + done.stderr
    assert key.reveal().encode() in history.read_bytes()


async def type_into_the_shared_document(server: RunningServer, path: str, source: str) -> None:
    """As a front end does: a session, the room's socket, the state there, and an update of our own."""
    from tornado.httpclient import HTTPRequest
    from tornado.websocket import websocket_connect

    session = server.ask("PUT", f"api/collaboration/session/{path}", {"format": "json", "type": "notebook"}).body
    room = f"{session['format']}:{session['type']}:{session['fileId']}"
    url = f"{server.url.replace('http', 'ws')}api/collaboration/room/{room}?sessionId={session['sessionId']}"
    socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"token {server.token}"}))
    doc: Doc = Doc()
    shared = YNotebook(doc)
    await socket.write_message(create_sync_message(doc), binary=True)
    end = time.monotonic() + 10
    while not shared.cell_number and time.monotonic() < end:
        message = await asyncio.wait_for(socket.read_message(), 10)
        if isinstance(message, bytes) and message[0] == YMessageType.SYNC:
            reply = handle_sync_message(message[1:], doc)
            if reply is not None:
                await socket.write_message(reply, binary=True)
    before = doc.get_state()
    cell = shared.get_cell(0)
    shared.set_cell(0, cell | {"source": source})
    await socket.write_message(create_update_message(doc.get_update(before)), binary=True)
    await asyncio.sleep(2)
    socket.close()
    while await socket.read_message() is not None:
        pass
