"""A kernel behind a gateway: another server with another index starts it, and keys are stored where it runs."""

import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import Index
from support import jupyter_servers
from support.browsers import open_notebook, start_browser, start_server
from support.commands import PASSPHRASE
from support.desks import Desk
from support.kernels import vault_environment
from support.key_traces import traces
from support.keys import make_text
from support.removals import code, hold_notices, notices, press, save, source, type_into
from support.sandboxes import start_sandbox

pytestmark = pytest.mark.slow
CELLS = ("%load_ext mistral_nb", "", "'the last'")
LOAD, TYPED, LAST = range(len(CELLS))
STATUS = ".mistral-nb-status"


class Remote(NamedTuple):
    """``here`` is the index of the page's server, ``there`` that of the kernel's machine."""

    desk: Desk
    sandbox: Sandbox
    here: Index
    there: Index


@pytest.fixture
def remote(tmp_path) -> Iterator[Remote]:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with start_sandbox() as sandbox, start_browser() as browser:
        env, kernel_env = (vault_environment(folder, sandbox.url, PASSPHRASE) for folder in (here, there))
        with jupyter_servers.start_server(kernel_env, there / "work") as gateway:
            env["JUPYTER_GATEWAY_AUTH_TOKEN"] = gateway.token
            with (
                start_server(env, here / "served", f"--gateway-url={gateway.url}") as server,
                open_notebook(browser, server, CELLS, lab=True) as notebook,
            ):
                hold_notices(notebook)
                indexes = (Index(one["MISTRAL_NB_HOME"]) for one in (env, kernel_env))
                yield Remote(Desk(notebook), sandbox, *indexes)


def test_a_key_that_a_save_removed_is_stored_where_the_kernel_runs(remote):
    desk, notebook = remote.desk, remote.desk.notebook
    key = remote.sandbox.make_key()
    desk.load(LOAD)
    type_into(notebook, TYPED, code(key))
    save(notebook)
    [text] = notebook.wait(lambda: notices(notebook))
    assert f"1 key, …{key.tail}, was kept out of {notebook.name} (cell 2)." in text
    assert "It is set aside, so that you can keep it." in text  # by the page's server, which the kernel can't read
    assert [entry.tail for entry in remote.here.read().set_aside] == [key.tail]
    desk.go_to(LAST)
    assert source(notebook, TYPED) == code(key)
    press(notebook, "Keep it")
    [(workspace, entry)] = notebook.wait(lambda: list(remote.there.read().workspaces.items()), 30)
    assert entry.fingerprint == key.fingerprint
    assert remote.here.read().workspaces == {}
    status = desk.page.locator(STATUS)
    notebook.wait(lambda: status.inner_text() == f"! Mistral: {workspace} …{key.tail} · saves not covered")
    title = str(status.get_attribute("title"))
    assert f"The key is stored on {socket.gethostname()}, where the kernel runs." in title
    assert "the server that started this kernel has no notebook for it" in title
    notebook.wait(lambda: source(notebook, TYPED) == code(key).replace(key.reveal(), MARKER))
    assert any(b"sealed" in frame for frame in notebook.frames)
    assert traces(key.reveal(), {"frames": b"".join(notebook.frames)}) == []
    other = make_text()
    type_into(notebook, LAST, other)
    desk.run(LAST)
    assert traces(other, {"frames": b"".join(notebook.frames)}) == ["frames"]  # negative control
