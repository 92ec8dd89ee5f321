"""What pages ask a real server: answers without a key, and none for somebody without the token."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mistral_nb.api_key import Key
from mistral_nb.errors import NotSetAside
from mistral_nb.jupyter.lab.handlers import describe_server, keep_key
from mistral_nb.jupyter.server_copies import ServerCopies
from mistral_nb.paths import identify_folder
from mistral_nb.storage.index import ADMIN, Index, Workspace
from mistral_nb.storage.set_aside import RemovalPlace
from support.jupyter_servers import RunningServer, notebook, start_server
from support.kernels import clean_environment
from support.keys import make_key


@pytest.fixture(scope="module")
def key() -> Key:
    return make_key()


@pytest.fixture(scope="module")
def server(key: Key, tmp_path_factory: Any) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("pages")
    env = clean_environment(folder)
    keep(Index(env["MISTRAL_NB_HOME"]), key)
    with start_server(env, folder / "served") as started:
        yield started


def keep(index: Index, key: Key) -> None:
    index.remember(key)
    with index.edit() as contents:
        entry = Workspace("keyring", "current", key.fingerprint, key.tail, expires="2027-01-31")
        contents.workspaces.update(dev=entry, org=entry._replace(kind=ADMIN))


def test_the_state_names_what_the_index_knows(tmp_path, key):
    index = Index(str(tmp_path / "home"))
    keep(index, key)
    state = describe_server({"MISTRAL_NB_HOME": index.home}, covered=True)
    assert state["home"] == identify_folder(index.home)
    assert state["workspaces"] == {"dev": {"tail": key.tail, "expires": "2027-01-31"}}
    assert state["remembered"] == [{"fingerprint": key.fingerprint, "length": 32, "tail": key.tail}]
    assert (state["problem"], state["covered"]) == ("", True)


def test_the_state_says_why_the_index_cannot_be_read(tmp_path):
    (tmp_path / "workspaces.json").write_text("{")
    state = describe_server({"MISTRAL_NB_HOME": str(tmp_path)}, covered=True)
    assert (state["workspaces"], state["remembered"]) == ({}, [])
    assert "it is damaged" in state["problem"]


def test_a_server_answers_whoever_has_its_token(server, key):
    reply = server.ask("GET", "mistral-nb/state")
    assert reply.status == 200
    assert list(reply.body["workspaces"]) == ["dev"]
    assert key.reveal() not in json.dumps(reply.body)
    assert key.fingerprint in json.dumps(reply.body)
    server.token, token = "another", server.token
    try:
        assert server.ask("GET", "mistral-nb/state").status == 403
        assert server.ask("POST", "mistral-nb/scan", {}).status == 403
        assert server.ask("POST", "mistral-nb/keep", {"id": "x"}).status == 403
    finally:
        server.token = token


@pytest.mark.parametrize("folder", ["", "a folder/"])
def test_a_scan_says_where_a_key_is_and_changes_nothing(server, key, folder):
    content = notebook("x = 1", f'key = "{key.reveal()}"')
    model = {"path": f"/{folder}a.ipynb", "content": content}
    reply = server.ask("POST", "mistral-nb/scan", model)
    assert reply.status == 200
    assert reply.body["message"] == f"{folder}a.ipynb: 1 key found: …{key.tail} (remembered) in cell 2"
    assert [(entry["tail"], entry["cell"], entry["kept"]) for entry in reply.body["keys"]] == [(key.tail, 2, "stored")]
    assert [part for part in (key.reveal(), key.fingerprint) if part in json.dumps(reply.body)] == []
    assert not (server.folder / f"{folder}a.ipynb").exists()
    clean = server.ask("POST", "mistral-nb/scan", model | {"content": notebook("x = 1")})
    assert clean.body == {"message": f"{folder}a.ipynb: no key found", "keys": [], "problem": ""}
    text = server.ask("POST", "mistral-nb/scan", {"path": "a.txt", "content": f"key: {key.reveal()}"})
    assert text.body["message"] == f"a.txt: 1 key found: …{key.tail} (remembered) in line 1"


@pytest.mark.parametrize("body", [None, [], {}, {"path": 3}, {"path": "a.ipynb", "content": 7}])
def test_a_scan_of_anything_else_is_refused_or_finds_nothing(server, body):
    reply = server.ask("POST", "mistral-nb/scan", body)
    assert reply.status in (200, 400)
    assert reply.status == 400 or reply.body["keys"] == []


def test_a_server_says_where_a_key_is_that_it_was_asked_to_keep(server, key):
    body = server.ask("POST", "mistral-nb/keep", {"id": key.fingerprint[:12]}).body
    assert body == {"kept": "stored", "aside_id": key.fingerprint[:12], "text": "This key is stored on this machine."}
    assert server.ask("POST", "mistral-nb/keep", {"id": "0" * 12}).body["kept"] == "not stored"
    assert server.ask("POST", "mistral-nb/keep", {}).status == 400


@pytest.mark.slow
def test_a_key_in_memory_is_set_aside_when_a_page_asks_for_it(tmp_path):
    waiting, environ = make_key(), {"MISTRAL_NB_HOME": str(tmp_path)}
    taken: list[Key] = []

    def take(key: Key, _: RemovalPlace) -> str:
        if not taken:
            taken.append(key)
            raise NotSetAside("It is locked.", "Unlock it.")
        return "set aside"

    copies = ServerCopies(lambda: take)
    copies.keeper()(waiting, RemovalPlace("a.ipynb"))
    name = waiting.fingerprint[:12]
    done = keep_key(name, copies, environ)
    assert (done.kept, waiting.tail in done.text) == ("set aside", True)
    assert keep_key(name, copies, environ).kept == "not stored"
    assert keep_key(name, None, environ).kept == "not stored"
