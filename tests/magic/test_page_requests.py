"""Requests of a page: which seals are open, and how a command's questions are answered."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from mistral_nb.api_key import Secret
from mistral_nb.command_context import Context
from mistral_nb.command_table import MAGIC
from mistral_nb.magic.page_requests import SEAL_SECONDS, CardRequest, PageRequest, SealedRequests
from mistral_nb.sealing import seal
from support.key_traces import traces
from support.keys import make_key, make_text
from support.patience import PATIENCE

Reply = Callable[[dict[str, Any]], dict[str, Any]] | None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_seal_is_taken_once_and_by_its_number():
    seals = SealedRequests()
    public = seals.make("1", "a-comm")
    key = make_key()
    message = seal({"key": Secret(key.reveal())}, public or "", "a-comm")
    assert seals.take("2") is None
    taken = seals.take("1")
    assert taken is not None and taken.open(message)["key"] == key
    assert seals.take("1") is None


def test_few_seals_are_open_and_old_ones_end():
    clock = Clock()
    seals = SealedRequests(clock)
    given = [seals.make(str(n), "a-comm") for n in range(20)]
    assert 0 < sum(public is not None for public in given) < 20
    assert seals.make("0", "a-comm") is None  # a number has one seal
    clock.now = SEAL_SECONDS + 1
    assert seals.take("1") is None
    assert seals.make("another", "a-comm") is not None


def run(name: str, flags: dict[str, object], environ: dict[str, str], key: Secret, reply: Reply = None) -> list[Any]:
    """A request from its start to its end: what was said to the page, which answers every question by ``reply``."""
    said: list[Any] = []
    done = threading.Event()

    def send(message: dict[str, Any]) -> None:
        said.append(message)
        if message["kind"] == "ask" and reply:
            request.reply(reply(message))

    request = PageRequest("7", send, "a-comm", key, environ)
    request.start(name, flags, done.set)
    assert done.wait(60 * PATIENCE)
    return said


@pytest.fixture
def environ(tmp_path) -> dict[str, str]:
    """Nobody listens at the API's address: a key is kept unverified."""
    return {"MISTRAL_NB_HOME": str(tmp_path), "MISTRAL_NB_STORE": "file", "MISTRAL_NB_API": "http://127.0.0.1:9"}


def test_a_passphrase_is_asked_for_and_comes_encrypted(environ):
    passphrase, asked = make_text(), list[Any]()

    def reply(message: dict[str, Any]) -> dict[str, Any]:
        asked.append(message)
        return {"kind": "answer", **seal({"answer": Secret(passphrase)}, message["to"], "a-comm")}

    key = make_key()
    said = run("login", {"workspace": "dev"}, environ, key, reply)
    assert said[-1]["kind"] == "done", said
    assert asked and all(message["masked"] and message["to"] for message in asked)
    assert {message["n"] for message in said} == {"7"}
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    places = {"said": str(said).encode(), "control": str([*said, passphrase, key.reveal()]).encode()}
    assert traces(key.reveal(), places) == traces(passphrase, places) == ["control"]


@pytest.mark.parametrize("store", ["file", "memory"])
def test_the_page_hears_whether_the_key_outlives_the_kernel(environ, store):
    key, passphrase = make_key(), make_text()
    environ["MISTRAL_NB_STORE"] = store

    def reply(message: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "answer", **seal({"answer": Secret(passphrase)}, message["to"], "a-comm")}

    said = run("login", {"workspace": "dev"}, environ, key, reply)
    assert (said[-1]["kind"], said[-1].get("store")) == ("done", store), said


def run_card(environ: dict[str, str], *answers: dict[str, str]) -> list[Any]:
    """As `run`, with the card: each question is answered once, the last one by closing the dialog."""
    said, left, asked = list[Any](), list(answers), set[str]()
    done = threading.Event()

    def send(message: dict[str, Any]) -> None:
        if message.get("card", {}).get("to") in asked:
            return  # a page that is ready is sent the question again
        said.append(message)
        if message["kind"] == "card" and message["card"]["kind"] == "ask":
            ask = message["card"]
            asked.add(ask["to"])
            fields = {name: Secret(text) for name, text in left.pop(0).items()} if left else None
            request.reply({"kind": "answer", **seal(fields, ask["to"], "a-comm")} if fields else {"kind": "cancel"})

    request = CardRequest("7", send, "a-comm", environ=environ)
    request.reply({"kind": "ready", "view": "v", "secure": True})
    request.start("login", {"workspace": None}, done.set)
    assert done.wait(60 * PATIENCE)
    return said


def test_the_card_in_a_dialog_asks_again_for_what_is_no_key(environ):
    key = make_key()
    environ["MISTRAL_NB_STORE"] = "memory"
    wrong = {"key": "not a key", "workspace": "dev", "name": "", "expires": ""}
    said = run_card(environ, wrong, wrong | {"key": key.reveal()})
    asked = [message["card"] for message in said if message["kind"] == "card" and message["card"]["kind"] == "ask"]
    assert [ask["name"] for ask in asked] == ["key", "key"]
    assert (asked[0]["lines"], bool(asked[1]["lines"]), asked[1]["form"]["draft"]["workspace"]) == ([], True, "dev")
    assert (said[-1]["kind"], said[-1]["workspace"], said[-1]["n"]) == ("done", "dev", "7"), said
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    places = {"said": str(said).encode(), "control": str([*said, key.reveal()]).encode()}
    assert traces(key.reveal(), places) == ["control"]


def test_a_dialog_that_is_closed_stores_nothing(environ):
    assert run_card(environ)[-1]["kind"] == "cancelled"
    assert "MISTRAL_API_KEY" not in environ


def test_a_page_that_cannot_encrypt_is_told_so(environ):
    said, done = list[Any](), threading.Event()
    request = CardRequest("7", said.append, "a-comm", environ=environ)
    request.reply({"kind": "ready", "view": "v", "secure": False})
    request.start("login", {"workspace": None}, done.set)
    assert done.wait(60 * PATIENCE)
    assert (said[-1]["kind"], "secure context" in said[-1]["text"]) == ("failed", True)


def test_what_is_no_key_is_refused_without_a_question(environ):
    assert run("login", {"workspace": "dev"}, environ, Secret("not a key"))[-1]["kind"] == "refused"


@pytest.mark.parametrize("workspace", ["../dev", "a b", "x" * 65])
def test_a_workspace_that_is_no_name_fails(environ, workspace):
    said = run("login", {"workspace": workspace}, environ, make_key())
    assert [message["kind"] for message in said] == ["failed"]


def test_a_key_in_place_of_a_name_is_not_repeated(environ):
    key = make_key()
    said = run("login", {"workspace": key.reveal()}, environ, make_key())
    assert said[-1]["kind"] == "failed"
    places = {"said": str(said).encode(), "control": str([*said, key.reveal()]).encode()}
    assert traces(key.reveal(), places) == ["control"]


def test_who_runs_a_command_is_told_that_the_keyring_is_waited_for(tmp_path):
    """The stores are opened once a process, so that an encrypted file stays open."""
    environ, heard = {"MISTRAL_NB_HOME": str(tmp_path)}, [[], []]
    stores = [Context(host=MAGIC, environ=environ, interactive=True, say=said.append).stores for said in heard]
    for opened, said in zip(stores, heard, strict=True):
        opened["keyring"]._slow_callback()()
        assert len(said) == 1
    assert stores[0]["file"] is stores[1]["file"]
