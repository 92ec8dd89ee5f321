"""The kernel's side of the page, in real kernels: a page finds it, hears its state, and gives it a key to keep."""

import contextlib
import itertools
import json
import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

import ipykernel
import pytest

from mistral_nb.api_key import MARKER, Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.magic.page_link import TARGET
from mistral_nb.sealing import seal
from mistral_nb.storage.set_aside import RemovalPlace
from support.commands import PASSPHRASE
from support.kernels import RealKernel, is_remembered, start_kernel, vault_environment
from support.key_traces import traces
from support.patience import PATIENCE
from support.sandboxes import start_sandbox

Message = dict[str, Any]
LOAD, UNLOAD = "%load_ext mistral_nb", "%unload_ext mistral_nb"
FINGERPRINT = "import os; from mistral_nb.api_key import fingerprint; print(fingerprint(os.environ['MISTRAL_API_KEY']))"
UNTIL_SET = """
import os, time
os.environ.pop("MISTRAL_API_KEY", None)
print("waiting", flush=True)
while "MISTRAL_API_KEY" not in os.environ:
    time.sleep(0.01)
"""
_numbers = itertools.count(1)


class LinkedPage:
    """What ``kernel_link.js`` does: one page at a kernel. ``subshell``: its messages go there."""

    def __init__(self, kernel: RealKernel, subshell: str | None = None) -> None:
        self.client, self.subshell = kernel.client, subshell
        self.seen: list[Message] = []
        self.comm = ""

    def find(self) -> list[str]:
        reply = self.client.comm_info(TARGET, reply=True, timeout=20 * PATIENCE)
        found = list(reply["content"]["comms"])
        self.comm = found[0] if found else ""
        return found

    def say(self, **data: Any) -> None:
        message = self.client.session.msg("comm_msg", {"comm_id": self.comm, "data": data})
        if self.subshell:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def hear(self, wanted: Callable[[Message], bool]) -> Message:
        """Read until a message of the link is the wanted one; it counts once."""
        deadline = time.monotonic() + 30 * PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                message = self.client.get_iopub_msg(timeout=0.2)
                data = message["content"].get("data", {})
                if message["msg_type"] == "comm_msg" and data.get("target") == TARGET:
                    self.seen.append(data)
                    if wanted(data):
                        return data
        raise AssertionError(json.dumps(self.seen[-8:], default=str))

    def kind(self, *kinds: str, n: str = "") -> Message:
        return self.hear(lambda data: data["kind"] in kinds and (not n or data.get("n") == n))

    def state(self) -> Message:
        self.say(kind="state?")
        return self.kind("state")

    def keep(self, key: Key, workspace: str = "") -> str:
        """Ask for a seal, and send the key with it. Returns the request's number."""
        n = f"r{next(_numbers)}"
        self.say(kind="seal?", n=n)
        sealed = self.kind("seal", n=n)
        self.say(kind="keep", n=n, workspace=workspace, **seal({"key": Secret(key.reveal())}, sealed["to"], self.comm))
        return n


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKernel]:
    folder = tmp_path_factory.mktemp("link")
    with start_sandbox() as sandbox:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        with start_kernel(env) as running:
            running.sandbox, running.environ = sandbox, env
            assert running.run(LOAD).status == "ok"
            yield running


@pytest.fixture
def page(kernel: RealKernel) -> LinkedPage:
    page = LinkedPage(kernel)
    assert len(page.find()) == 1
    return page


def test_loading_registers_a_comm_opens_none_and_greets_the_pages(kernel):
    ran = kernel.run(f"{UNLOAD}\n{LOAD}")
    kinds = [json.loads(text)["content"]["data"]["kind"] for text in ran.messages if f'"{TARGET}"' in text]
    assert kinds == ["bye", "hello"]
    assert not any('"comm_open"' in message for message in ran.messages)
    assert len(LinkedPage(kernel).find()) == 1
    kernel.run(UNLOAD)
    assert LinkedPage(kernel).find() == []
    kernel.run(LOAD)


def test_a_key_is_kept_and_set_as_login_does_it(page, kernel):
    key = kernel.sandbox.make_key()
    n = page.keep(key, "fromthepage")
    done = page.kind("done", "failed", "refused", n=n)
    assert (done["kind"], done["workspace"], done["tail"]) == ("done", "fromthepage", key.tail)
    state = page.kind("state")
    assert state["key"] == {
        "workspace": "fromthepage",
        "tail": key.tail,
        "kept": True,
        "expires": None,
        "refused": False,
    }
    assert state["workspaces"]["fromthepage"] == key.tail
    assert kernel.run(FINGERPRINT).text.strip() == key.fingerprint
    assert is_remembered(kernel.environ, key.reveal())
    heard = json.dumps(page.seen)
    assert traces(key.reveal(), {"heard": heard.encode()}) == []
    assert MARKER not in heard  # so the guard had nothing to take out of it
    assert traces(key.reveal(), {"heard": (heard + key.reveal()).encode()}) == ["heard"]


def test_a_refused_key_is_asked_about_in_the_page(page, kernel):
    key = kernel.sandbox.make_key()
    kernel.sandbox.revoke(key)
    n = page.keep(key, "refused")
    asked = page.kind("ask", n=n)
    assert (asked["name"], asked["choices"], asked["masked"]) == ("keep refused", ["yes", "no"], False)
    page.say(kind="answer", n=n, answer="no")
    assert page.kind("refused", n=n)["text"].startswith(f"Mistral refused the key …{key.tail}")
    n = page.keep(key, "refused")
    page.kind("ask", n=n)
    page.say(kind="answer", n=n, answer="yes")
    assert page.kind("done", n=n)["workspace"] == "refused"
    assert page.kind("state")["key"]["refused"]


def test_replacing_a_key_is_asked_about_and_can_be_cancelled(page, kernel):
    old, new = kernel.sandbox.make_key(), kernel.sandbox.make_key()
    page.kind("done", n=page.keep(old, "taken"))
    n = page.keep(new, "taken")
    assert f"…{old.tail}" in page.kind("ask", n=n)["question"]
    page.say(kind="cancel", n=n)
    page.kind("cancelled", n=n)
    assert page.state()["workspaces"]["taken"] == old.tail


def test_a_switch_and_the_status_come_from_the_same_commands(page, kernel):
    first, second = kernel.sandbox.make_key(), kernel.sandbox.make_key()
    page.kind("done", n=page.keep(first, "first"))
    page.kind("done", n=page.keep(second, "second"))
    page.say(kind="switch", n="s1", workspace="first")
    assert page.kind("done", "failed", n="s1")["tail"] == first.tail
    page.say(kind="status", n="s2")
    status = page.kind("done", n="s2")
    assert status["title"] == f"Active: first …{first.tail}"
    assert any(row[0] == "saves" for row in status["rows"])


def test_a_key_that_was_set_aside_is_kept_by_its_id(page, kernel):
    key = kernel.sandbox.make_key()
    entry = Context(environ=dict(kernel.environ)).set_aside.put(key, RemovalPlace("a.ipynb", 3, "source"))
    page.say(kind="keep-aside", n="k1", id=entry.id, workspace="fromaside")
    done = page.kind("done", "ask", "failed", n="k1")
    assert (done["kind"], done.get("workspace"), done.get("tail")) == ("done", "fromaside", key.tail)
    assert kernel.run(FINGERPRINT).text.strip() == key.fingerprint
    page.say(kind="keep-aside", n="k2", id="nothing", workspace="")
    assert page.kind("failed", "refused", n="k2")["text"]


def test_a_seal_opens_one_message_once(page, kernel):
    key = kernel.sandbox.make_key()
    page.say(kind="seal?", n="once")
    sealed = seal({"key": Secret(key.reveal())}, page.kind("seal", n="once")["to"], page.comm)
    page.say(kind="keep", n="other", workspace="stolen", **sealed)  # a number without a seal
    assert page.kind("failed", "done", n="other")["kind"] == "failed"
    page.say(kind="keep", n="once", workspace="once", **sealed)
    page.kind("done", n="once")
    page.say(kind="keep", n="once", workspace="again", **sealed)
    assert page.kind("failed", "done", n="once")["kind"] == "failed"
    assert not {"stolen", "again"} & set(page.state()["workspaces"])


def test_settings_that_are_wrong_are_told_and_shown_in_no_cell(page, kernel):
    wrong = "import os; os.environ['MISTRAL_NB_STORE'] = 'disk'"
    kernel.run(wrong)
    try:
        assert "MISTRAL_NB_STORE" in page.state()["problem"]
        page.say(kind="status", n="wrong")
        page.kind("failed", "done", n="wrong")
        assert "MISTRAL_NB_STORE" in page.kind("state")["problem"]
        shown = kernel.run("1")
        assert not shown.text
    finally:
        kernel.run("del os.environ['MISTRAL_NB_STORE']")
    assert "problem" not in page.state()


def test_what_is_no_message_of_ours_is_ignored(page):
    for data in ({}, {"kind": "keep"}, {"kind": ["x"]}, {"kind": "status", "n": "x" * 65}, {"kind": "run", "n": "1"}):
        page.say(**data)
    page.say(kind="answer", n="nobody", answer="yes")
    page.say(kind="state?", more="x" * 70_000)
    page.seen.clear()
    page.state()
    assert [data["kind"] for data in page.seen] == ["state"]


def test_the_state_is_sent_after_a_cell_that_changed_it_and_not_after_others(page, kernel):
    page.kind("done", n=page.keep(kernel.sandbox.make_key(), "leaving"))
    page.state()
    sent = [text for text in kernel.run("1").messages if f'"{TARGET}"' in text]
    assert sent == []
    ran = kernel.run("import os; os.environ.pop('MISTRAL_API_KEY')")
    (state,) = [json.loads(text)["content"]["data"] for text in ran.messages if f'"{TARGET}"' in text]
    assert state["key"] is None


def test_a_request_that_mistral_refuses_is_told_to_the_pages_until_a_key_is_accepted(page, kernel):
    key = kernel.sandbox.make_key()
    page.kind("done", n=page.keep(key, "deleted"))
    assert page.state()["key"]["refused"] is False
    ask = f"""
import httpx, os
headers = {{"Authorization": f"Bearer {{os.environ['MISTRAL_API_KEY']}}"}}
httpx.get("{kernel.sandbox.url}/v1/models", headers=headers).raise_for_status()
"""
    assert kernel.run(ask).status == "ok"
    kernel.sandbox.set_fault("401 unauthorized")
    ran = kernel.run(ask)
    assert ran.error.name == "HTTPStatusError"
    (state,) = [json.loads(text)["content"]["data"] for text in ran.messages if f'"{TARGET}"' in text]
    assert (state["key"]["tail"], state["key"]["refused"]) == (key.tail, True)
    kernel.sandbox.set_fault(None)
    kernel.run(f"{ask}42")  # whose value says nothing
    assert page.state()["key"]["refused"] is True
    kernel.run(ask)  # whose value is the response
    assert page.state()["key"]["refused"] is False
    kernel.sandbox.revoke(key)
    kernel.run(ask)
    assert page.state()["key"]["refused"] is True
    page.kind("done", n=page.keep(kernel.sandbox.make_key(), "replaced"))
    assert page.state()["key"]["refused"] is False


@pytest.mark.slow
@pytest.mark.skipif(ipykernel.version_info[0] < 7, reason="ipykernel 6 has no subshells")
def test_a_key_is_kept_while_a_cell_runs(kernel):
    kernel.client.control_channel.send(kernel.client.session.msg("create_subshell_request", {}))
    subshell = kernel.client.get_control_msg(timeout=10 * PATIENCE)["content"]["subshell_id"]
    page = LinkedPage(kernel, subshell)
    page.find()
    page.say(kind="seal?", n="first")
    page.kind("seal", n="first")  # the subshell runs: what is sent while it starts may wait for the next message
    cell = kernel.client.execute(UNTIL_SET)  # ends by the key alone
    page.kind("done", n=page.keep(kernel.sandbox.make_key(), "meanwhile"))
    while kernel.client.get_shell_msg(timeout=30 * PATIENCE)["parent_header"].get("msg_id") != cell:
        pass
