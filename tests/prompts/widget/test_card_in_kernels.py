"""The card in real kernels: the cell waits for it, the others wait for the cell, and nothing is lost."""

import contextlib
import json
import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

import ipykernel
import pytest

from mistral_nb.api_key import Key, Secret
from mistral_nb.prompts.widget import comm_events
from mistral_nb.prompts.widget.anywidget_channel import unavailable_reason
from mistral_nb.sealing import Seal, seal
from support.commands import PASSPHRASE
from support.kernels import RealKernel, start_kernel, vault_environment
from support.key_traces import traces
from support.keys import make_text
from support.patience import PATIENCE
from support.sandboxes import start_sandbox
from support.widget_page import form

FINGERPRINT = "import os; from mistral_nb.api_key import fingerprint; print(fingerprint(os.environ['MISTRAL_API_KEY']))"


class FrontEnd:
    """Runs cells, and shows their cards as a page does; ``subshell``: its widgets' messages go there."""

    def __init__(self, kernel: RealKernel, subshell: str | None = None) -> None:
        self.kernel, self.client, self.subshell = kernel, kernel.client, subshell
        self.seen: list[Any] = []
        self.prompts: list[str] = []
        self.comm = ""
        self.typed: Callable[[Any], Any] | None = None
        self.secure = True

    def start(self, code: str, allow_stdin: bool = True) -> str:
        return str(self.client.execute(code, allow_stdin=allow_stdin))

    def send(self, kind: str, content: Any) -> None:
        message = self.client.session.msg(kind, content)
        if self.subshell:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def say(self, content: Any) -> None:
        self.send("comm_msg", {"comm_id": self.comm, "data": {"method": "custom", "content": content}})

    def until(self, holds: Callable[[], Any], timeout: float = 20) -> None:
        """Do a front end's work until something holds."""
        deadline = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < deadline, json.dumps(self.seen[-8:], default=str)[-3000:]
            with contextlib.suppress(queue.Empty):
                message = self.client.get_iopub_msg(timeout=0.05)
                self.seen.append(message)
                self._work(message)
            with contextlib.suppress(queue.Empty):
                self.prompts.append(self.client.get_stdin_msg(timeout=0.01)["content"]["prompt"])

    def done(self, request: str) -> bool:
        return any(
            message["msg_type"] == "status"
            and message["content"]["execution_state"] == "idle"
            and message["parent_header"].get("msg_id") == request
            for message in self.seen
        )

    def text(self, request: str) -> str:
        """What a cell has shown: streams, displays with their updates, errors."""
        shown, displays = [], set()
        for message in self.seen:
            content = message["content"]
            display = (content.get("transient") or {}).get("display_id")
            if message["parent_header"].get("msg_id") == request or display in displays:
                displays |= {display} - {None}
                plain = (content.get("data") or {}).get("text/plain", "")
                shown += [content.get("text", ""), plain, *content.get("traceback", [])]
        return "\n".join(shown)

    def _work(self, message: Any) -> None:
        content = message["content"]
        if message["msg_type"] == "comm_open" and "_esm" in content["data"].get("state", {}):
            self.comm = content["comm_id"]
            self.say({"kind": "ready", "view": "v", "secure": self.secure})
        elif message["msg_type"] == "comm_msg" and self.typed:
            ask = content["data"].get("content") or {}
            if ask.get("kind") == "ask":
                fields = {
                    name: Secret(said.reveal() if isinstance(said, Key) else said)
                    for name, said in self.typed(ask).items()
                }
                self.typed = None
                self.say({"kind": "answer", **seal(fields, ask["to"], ask["widget"])})


@pytest.fixture(scope="module")
def kernel(tmp_path_factory) -> Iterator[RealKernel]:
    folder = tmp_path_factory.mktemp("card")
    with start_sandbox() as sandbox:
        env = vault_environment(folder, sandbox.url, PASSPHRASE)
        with start_kernel(env) as running:
            running.sandbox = sandbox
            assert running.run("%load_ext mistral_nb").status == "ok"
            yield running


@pytest.fixture(params=["main shell", "subshell"])
def front_end(request, kernel: RealKernel) -> FrontEnd:
    if request.param == "main shell":
        return FrontEnd(kernel)
    if ipykernel.version_info[0] < 7:
        pytest.skip("ipykernel 6 has no subshells")
    asked = kernel.client.session.msg("create_subshell_request", {})
    kernel.client.control_channel.send(asked)
    return FrontEnd(kernel, kernel.client.get_control_msg(timeout=10)["content"]["subshell_id"])


@pytest.mark.slow_except("main shell")
def test_the_cell_waits_for_the_card_and_the_next_one_has_the_key(front_end, kernel):
    key = kernel.sandbox.make_key()
    cell = front_end.start("%mistral_key login one --yes --widget")
    following = [front_end.start(FINGERPRINT), front_end.start("print('and', 'third')")]
    front_end.until(lambda: front_end.comm)
    front_end.until(lambda: any(message["msg_type"] == "comm_msg" for message in front_end.seen))
    assert not front_end.done(following[0])
    front_end.send("comm_info_request", {"target_name": "jupyter.widget"})  # as a page that comes back
    front_end.typed = lambda ask: form(key)
    front_end.say({"kind": "ready", "view": "w", "secure": True})
    front_end.until(lambda: front_end.done(following[1]))
    assert f"one …{key.tail} · MISTRAL_API_KEY is set" in front_end.text(cell)
    assert key.fingerprint in front_end.text(following[0])
    assert "and third" in front_end.text(following[1])
    shown = {"all": json.dumps(front_end.seen, default=str).encode()}
    assert traces(key.reveal(), shown) == []
    assert front_end.prompts == []


@pytest.mark.slow
def test_without_waiting_the_next_cell_runs_first(front_end, kernel):
    key = kernel.sandbox.make_key()
    cell = front_end.start("%mistral_key login two --yes --widget --no-wait")
    following = front_end.start("print('next', 'cell')")
    front_end.until(lambda: front_end.done(following))
    assert "This cell does not wait" in front_end.text(cell)
    assert "next cell" in front_end.text(following)
    front_end.typed = lambda ask: form(key)
    front_end.say({"kind": "ready", "view": "w", "secure": True})
    front_end.until(lambda: "✓ two …" in front_end.text(cell))
    last = front_end.start(FINGERPRINT)
    front_end.until(lambda: front_end.done(last))
    assert key.fingerprint in front_end.text(last)


def test_prompt_in_python_returns_at_once(kernel):
    front_end = FrontEnd(kernel)
    cell = front_end.start("%mistral_key switch three --widget --no-wait")
    front_end.until(lambda: front_end.done(cell) and front_end.comm)
    front_end.until(lambda: any(message["msg_type"] == "comm_msg" for message in front_end.seen))
    front_end.say({"kind": "cancel"})
    front_end.until(lambda: "Cancelled; nothing was changed." in front_end.text(cell))


def test_a_prompt_that_is_run_again_replaces_the_earlier_one(kernel):
    front_end = FrontEnd(kernel)
    cells = []
    for _ in range(2):
        front_end.comm = ""
        cells.append(front_end.start("%mistral_key switch again --widget --no-wait"))
        front_end.until(lambda: front_end.done(cells[-1]) and front_end.comm)
    front_end.until(lambda: "Another prompt replaced this one" in front_end.text(cells[0]))
    threads = "import threading; [t.name for t in threading.enumerate()].count('mistral-nb-card')"
    assert kernel.run(threads).results[0]["text/plain"] == "1"
    front_end.typed = lambda ask: form(kernel.sandbox.make_key())
    front_end.say({"kind": "ready", "view": "w", "secure": True})
    front_end.until(lambda: "✓ again …" in front_end.text(cells[1]))
    assert kernel.run(threads).results[0]["text/plain"] == "0"


@pytest.mark.slow
def test_cancel_during_verification_ends_the_cell_and_stores_nothing(kernel):
    front_end = FrontEnd(kernel)
    kernel.sandbox.set_fault("silent")
    cell = front_end.start("%mistral_key login slow --widget")
    front_end.typed = lambda ask: form(kernel.sandbox.make_key())
    front_end.until(lambda: any("Asking Mistral" in json.dumps(m["content"], default=str) for m in front_end.seen))
    front_end.say({"kind": "cancel"})
    front_end.until(lambda: front_end.done(cell), timeout=60 * PATIENCE)
    kernel.sandbox.set_fault(None)
    assert "Cancelled; nothing was saved." in front_end.text(cell)
    assert "slow" not in kernel.run("%mistral_key list --json").text


def test_ctrl_c_closes_the_card_and_leaves_a_kernel_that_works(kernel):
    front_end = FrontEnd(kernel)
    cell = front_end.start("%mistral_key login four --widget")
    front_end.until(lambda: any(message["msg_type"] == "comm_msg" for message in front_end.seen))
    kernel.interrupt()
    front_end.until(lambda: front_end.done(cell))
    assert "Cancelled; nothing was changed." in front_end.text(cell)
    assert any(message["msg_type"] == "comm_close" for message in front_end.seen)
    assert kernel.run("1 + 1").results[0]["text/plain"] == "2"


def test_a_page_that_cannot_encrypt_gets_a_plain_prompt(kernel):
    front_end = FrontEnd(kernel)
    front_end.secure = False
    cell = front_end.start("%mistral_key login five --yes --widget")
    front_end.until(lambda: front_end.prompts)
    key = kernel.sandbox.make_key()
    front_end.client.input(key.reveal())
    front_end.until(lambda: front_end.done(cell))
    assert [prompt.partition(" ")[0] for prompt in front_end.prompts] == ["Paste"]
    assert "not a secure context" in front_end.text(cell)
    assert f"five …{key.tail} · MISTRAL_API_KEY is set" in front_end.text(cell)


def test_non_interactively_no_card_is_shown(kernel):
    for line in ("%mistral_key login six --widget", "%mistral_key switch six --widget --no-wait"):
        ran = kernel.run(line, allow_stdin=False)
        assert ran.error.name == "CannotAsk"
        assert not any('"comm_open"' in message for message in ran.messages)


def test_the_card_can_be_the_default_prompt(kernel):
    front_end = FrontEnd(kernel)
    kernel.run("import os; os.environ['MISTRAL_NB_PROMPT'] = 'widget'")
    cell = front_end.start("%mistral_key login seven")
    front_end.until(lambda: any(message["msg_type"] == "comm_msg" for message in front_end.seen))
    front_end.say({"kind": "cancel"})
    front_end.until(lambda: front_end.done(cell))
    kernel.run("del os.environ['MISTRAL_NB_PROMPT']")
    assert "Cancelled" in front_end.text(cell)


def test_the_search_finds_input_from_a_plain_prompt(kernel):
    text = make_text()
    ran = kernel.run(f"import ipywidgets; ipywidgets.Password(value='{text[:16]}' '{text[16:]}')")
    assert traces(text, {"all": "\n".join(ran.messages).encode()}) == ["all"]


class OtherKernel:
    comm_manager = None


class Shell:
    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel


def test_another_kind_of_kernel_is_recognised():
    assert not comm_events.can_wait(Shell(None))
    assert not comm_events.can_wait(Shell(OtherKernel()))
    assert unavailable_reason(Shell(None), wait=False) == "Only a notebook can show the widget."
    assert (
        unavailable_reason(Shell(OtherKernel()), wait=True)
        == "This kernel can't receive widget messages while a cell runs."
    )
    assert unavailable_reason(Shell(OtherKernel()), wait=False) == ""


def _forged(ask: Any, key: str) -> dict[str, dict[str, Any]]:
    """Answers that no person gave in this card: each is refused or ignored, and the card asks on."""
    good = seal({name: Secret(text) for name, text in form(key).items()}, ask["to"], ask["widget"])
    other = Seal(ask["widget"])
    return {
        "sealed for a page's own key": {**good, "to": other.public},
        "sealed for another question": seal({"key": Secret(key)}, other.public, ask["widget"]),
        "sealed for another kernel's card": seal({"key": Secret(key)}, ask["to"], "0" * 32),
        "not sealed": {"to": ask["to"], "key": key},
        "altered": {**good, "sealed": good["sealed"][:-8] + "AAAAAAA="},
        "a point that is none": {**good, "public": good["iv"]},
        "oversized": {**good, "sealed": "A" * 5_000_000},
        "many parts": {**good, **{str(number): "x" for number in range(1000)}},
        "nested": {**good, "sealed": [[[good["sealed"]]]]},
    }


def _asks(front_end: FrontEnd) -> list[Any]:
    shown = [message["content"]["data"].get("content") or {} for message in _of_kind(front_end, "comm_msg")]
    asks = [content for content in shown if content.get("kind") == "ask"]
    return list({ask["to"]: ask for ask in asks}.values())


def _of_kind(front_end: FrontEnd, kind: str) -> list[Any]:
    return [message for message in front_end.seen if message["msg_type"] == kind]


def test_forged_replayed_and_oversized_messages_are_refused(kernel):
    key, forged = kernel.sandbox.make_key(), make_text()
    front_end = FrontEnd(kernel)
    cell = front_end.start("%mistral_key login forged --yes --widget")
    front_end.until(lambda: _asks(front_end))
    first = _asks(front_end)[0]
    for kind in _forged(first, forged):
        ask = _asks(front_end)[-1]
        before = len(_asks(front_end))
        front_end.say({"kind": "answer", **_forged(ask, forged)[kind]})
        if kind not in ("oversized", "many parts", "nested"):  # those are dropped before anything is made of them
            front_end.until(lambda before=before: len(_asks(front_end)) > before)
            assert "Enter it again" in _asks(front_end)[-1]["lines"][0], kind
    for noise in ([], "text", 7, {"kind": ["ready"]}, {"kind": "ready", "view": [1], "secure": True}, {"kind": "ask"}):
        front_end.say(noise)
    late = seal({name: Secret(text) for name, text in form(forged).items()}, first["to"], first["widget"])
    front_end.say({"kind": "answer", **late})
    front_end.until(lambda: "earlier question" in str(_asks(front_end)[-1]["lines"]))
    last = _asks(front_end)[-1]
    answer = {
        "kind": "answer",
        **seal({n: Secret(t) for n, t in form(key.reveal()).items()}, last["to"], last["widget"]),
    }
    front_end.say(answer)  # negative control: what the card itself seals is taken
    front_end.until(lambda: front_end.done(cell))
    assert f"forged …{key.tail} · MISTRAL_API_KEY is set" in front_end.text(cell)
    front_end.say(answer)  # late: the card is gone
    following = front_end.start(FINGERPRINT)
    front_end.until(lambda: front_end.done(following))
    assert key.fingerprint in front_end.text(following)
    assert forged not in front_end.text(cell)


def test_of_two_pages_at_once_the_first_answer_counts_and_the_second_changes_nothing(kernel):
    first, second = kernel.sandbox.make_key(), kernel.sandbox.make_key()
    front_end = FrontEnd(kernel)
    cell = front_end.start("%mistral_key login twice --yes --widget")
    front_end.until(lambda: _asks(front_end))
    front_end.say({"kind": "ready", "view": "another page", "secure": True})
    ask = _asks(front_end)[0]
    for key in (first, second):
        sealed = seal({n: Secret(t) for n, t in form(key.reveal()).items()}, ask["to"], ask["widget"])
        front_end.say({"kind": "answer", **sealed})
    front_end.until(lambda: front_end.done(cell))
    following = front_end.start(FINGERPRINT)
    front_end.until(lambda: front_end.done(following))
    assert first.fingerprint in front_end.text(following)
    assert second.fingerprint not in front_end.text(following)


@pytest.mark.slow
def test_a_card_of_another_kernel_is_not_answered_by_this_one(kernel):
    front_end = FrontEnd(kernel)
    cell = front_end.start("%mistral_key login other --yes --widget")
    front_end.until(lambda: _asks(front_end))
    ask, key = _asks(front_end)[0], kernel.sandbox.make_key()
    sealed = seal({n: Secret(t) for n, t in form(key.reveal()).items()}, ask["to"], ask["widget"])
    own, front_end.comm = front_end.comm, "f" * 32  # the comm of a card that this kernel never opened
    front_end.say({"kind": "answer", **sealed})
    front_end.comm = own
    deadline = time.monotonic() + 1
    front_end.until(lambda: time.monotonic() > deadline)
    assert not front_end.done(cell)
    front_end.say({"kind": "cancel"})
    front_end.until(lambda: front_end.done(cell))
    assert "Cancelled" in front_end.text(cell)
