"""With jupyter-collaboration the server saves a shared document by itself; that goes past the hook as well."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from support.jupyter_servers import RunningServer, notebook, start_server
from support.patience import PATIENCE, wait_for
from support.requirements import absent

try:
    import jupyter_server_ydoc
    from jupyter_ydoc import YNotebook
    from pycrdt import Doc, YMessageType, create_sync_message, create_update_message, handle_sync_message
except ImportError:
    jupyter_server_ydoc = None
    pytestmark = pytest.mark.usefixtures("collaboration_is_absent")


_SYNC_ANSWER = bytes([0, 1])  # a sync message, step 2


@pytest.fixture
def collaboration_is_absent() -> None:
    absent("jupyter-server-ydoc not installed")


@pytest.fixture(params=[True, False], ids=["on", "off"])
def server(request: Any, env: dict[str, str], tmp_path: Any) -> Iterator[tuple[RunningServer, bool]]:
    with start_server(
        env, tmp_path / "served", on=request.param, jupyter_server_ydoc=True, jupyter_server_fileid=True
    ) as s:
        yield s, request.param


@pytest.mark.slow
def test_a_shared_document_is_saved_without_keys(server: tuple[RunningServer, bool], key: Key) -> None:
    running, on = server
    running.save("shared.ipynb", notebook("x = 1"))
    asyncio.run(type_into_the_shared_document(running, "shared.ipynb", f'key = "{key.reveal()}"'))
    wanted = (MARKER if on else key.reveal()).encode()
    wait_for(lambda: wanted in running.file("shared.ipynb"), 20)
    assert (key.reveal().encode() in running.file("shared.ipynb")) is not on


@pytest.mark.slow
def test_its_history_file_contains_the_key_and_scan_finds_it(
    server: tuple[RunningServer, bool], env: dict[str, str], key: Key
) -> None:
    """What the README says is not covered: neither our hook nor `scrub` takes a key out of `.jupyter_ystore.db`."""
    running, _ = server
    running.save("shared.ipynb", notebook("x = 1"))
    asyncio.run(type_into_the_shared_document(running, "shared.ipynb", f'key = "{key.reveal()}"'))
    history = running.folder / ".jupyter_ystore.db"
    wait_for(lambda: history.exists() and key.reveal().encode() in history.read_bytes(), 20)
    for words in (("scan", "."), ("scrub", "--all", ".jupyter_ystore.db"), ("scan", ".jupyter_ystore.db")):
        done = subprocess.run(
            [sys.executable, "-m", "mistral_nb", *words],
            cwd=running.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"Mistral key …{key.tail}" in done.stdout or ".jupyter_ystore.db: 1 key found" in done.stderr
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
    while not shared.cell_number:
        message = await asyncio.wait_for(socket.read_message(), 10 * PATIENCE)
        if isinstance(message, bytes) and message[0] == YMessageType.SYNC:
            reply = handle_sync_message(message[1:], doc)
            if reply is not None:
                await socket.write_message(reply, binary=True)
    before = doc.get_state()
    cell = shared.get_cell(0)
    shared.set_cell(0, cell | {"source": source})
    await socket.write_message(create_update_message(doc.get_update(before)), binary=True)
    # It answers in order: once this is answered, the update is in the server's document.
    await socket.write_message(create_sync_message(Doc()), binary=True)
    answered = False
    while not answered:
        message = await asyncio.wait_for(socket.read_message(), 10 * PATIENCE)
        answered = isinstance(message, bytes) and message[:2] == _SYNC_ANSWER
    socket.close()
    while await socket.read_message() is not None:
        pass
