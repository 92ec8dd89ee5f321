"""The kernel's side of the page: how JupyterLab and Notebook learn which key is set here, and give it one to keep.

A comm is registered here and never opened, so that front ends without our extension hear of nothing. A page finds it
by its target's name (``comm_info_request``), or by the ``hello`` that is sent once. Nothing is polled: the state is
sent when it has changed after a cell.

    page → kernel   state? · seal? n · keep n workspace to public iv sealed · keep-aside n id workspace ·
                    switch n workspace · status n · answer n answer · cancel n · enter n · ready, gone n view
    kernel → page   hello · state … · bye · seal n to widget · card n card (for card.js) ·
                    step n text · ask n question … · done n title rows notes store · refused, cancelled, failed n text

Handlers may run in a thread of a subshell (JEP 91): they take a lock and do not touch IPython.
"""

import contextlib
import socket
import threading
from collections.abc import Mapping
from typing import Any

from mistral_nb import environment
from mistral_nb.api_key import Secret
from mistral_nb.command_context import Context
from mistral_nb.command_table import MAGIC
from mistral_nb.errors import MistralNbError, SealRefused
from mistral_nb.guard import lifecycle
from mistral_nb.jupyter.save_coverage import check_coverage
from mistral_nb.magic.page_requests import MOST_OPEN, CardRequest, Message, PageRequest, SealedRequests
from mistral_nb.magic.request_verdicts import find_verdict
from mistral_nb.paths import identify_folder
from mistral_nb.prompts.widget.conversation import is_small_message
from mistral_nb.storage.index import ADMIN, Workspace

TARGET = "mistral_nb"
_LONGEST_NUMBER = 64
_COMMANDS = {"keep": "login", "keep-aside": "login", "enter": "login", "switch": "switch", "status": "status"}
_REPLIES = ("answer", "cancel", "ready", "gone")
_TOO_MANY = "Too many requests are open in this kernel. Wait a few minutes, or restart it."
_links: dict[int, "PageLink"] = {}


def start(shell: Any) -> None:
    """Register the comm of this shell's kernel, and greet the pages. Does nothing where there is no kernel."""
    if id(shell) not in _links and getattr(getattr(shell, "kernel", None), "comm_manager", None) is not None:
        _links[id(shell)] = PageLink(shell)


def stop(shell: Any) -> None:
    link = _links.pop(id(shell), None)
    if link:
        link.close()


def describe_state(shell: Any, context: Context) -> Message:
    """What a page shows of this kernel. Opens no store, and holds no key; dates are ISO, ``home`` names no folder.

    ``key``: the active one, or None. ``saves`` is "covered", or why this notebook's saves are not.
    """
    guard, coverage = lifecycle.guard_state(shell), check_coverage(context.environ)
    stored = context.stored_workspaces()
    usable = {name: entry.tail for name, entry in stored.items() if entry.kind != ADMIN}
    return {
        "key": _describe_key(context, stored),
        "workspaces": usable,
        "guarded": guard.guarded,
        "guard": guard.sentence,
        "covered": coverage.covered,
        "saves": str(coverage),
        "home": identify_folder(context.config.home),
        "machine": socket.gethostname(),
    }


def _describe_key(context: Context, stored: Mapping[str, Workspace]) -> Message | None:
    active = context.active
    if active is None:
        return None
    entry = stored.get(active.workspace or "")
    is_kept = entry is not None and entry.fingerprint == active.key.fingerprint
    return {
        "workspace": active.workspace or "",
        "tail": active.key.tail,
        "kept": is_kept,
        "expires": entry.expires if entry and is_kept else None,
        "refused": environment.is_refused(active.key),
    }


def _record_verdict(told: object) -> None:
    with contextlib.suppress(MistralNbError):  # a setting outside its choices: the state says so
        found = find_verdict(told, Context(host=MAGIC).config.api)
        if found:
            environment.record_verdict(found.key, found.accepted)


class PageLink:
    """The registered comm of one kernel, and what pages ask by it."""

    def __init__(self, shell: Any) -> None:
        from comm import create_comm

        self._shell = shell
        self._comm = create_comm(target_name=TARGET, primary=False)
        self._comm.on_msg(self._take)
        self._seals = SealedRequests()
        self._running: dict[str, PageRequest] = {}
        self._lock = threading.Lock()
        self._last_state: Message | None = None
        shell.kernel.comm_manager.register_comm(self._comm)
        shell.events.register("post_run_cell", self._after_cell)
        self._send({"kind": "hello"})

    def close(self) -> None:
        self._shell.events.unregister("post_run_cell", self._after_cell)
        self._send({"kind": "bye"})
        self._shell.kernel.comm_manager.unregister_comm(self._comm)

    def _send(self, message: Message) -> None:
        self._comm.send({**message, "target": TARGET})

    def _send_state(self) -> None:
        self._send_new_state(self._read_state())

    def _after_cell(self, result: Any) -> None:
        """Send a state that the cell has changed; until a page has asked, nobody is told."""
        told = result.result if result.error_in_exec is None else result.error_in_exec
        if told is not None:
            _record_verdict(told)
        if self._last_state is None:
            return
        state = self._read_state()
        if state != self._last_state:
            self._send_new_state(state)

    def _read_state(self) -> Message:
        """As `describe_state`, or with the ``problem`` alone."""
        try:
            return describe_state(self._shell, Context(host=MAGIC))
        except MistralNbError as error:  # a setting outside its choices
            return {"problem": str(error)}
        except Exception as error:  # noqa: BLE001 - its traceback would be shown in a cell
            return {"problem": f"The state can't be read ({type(error).__name__})."}

    def _send_new_state(self, state: Message) -> None:
        with self._lock:
            self._last_state = state
        self._send({"kind": "state", **state})

    def _take(self, message: Mapping[str, Any]) -> None:
        """A message of a page, or of any script in it: what is not understood is dropped."""
        data = message.get("content", {}).get("data")
        if not is_small_message(data):
            return
        kind, number = data.get("kind"), data.get("n")
        if kind == "state?":
            self._send_state()
        if not isinstance(number, str) or not 0 < len(number) <= _LONGEST_NUMBER:
            return
        if kind == "seal?":
            self._give_seal(number)
        elif kind in _REPLIES:
            with self._lock:
                request = self._running.get(number)
            if request:
                request.reply(data)
        elif kind in _COMMANDS:
            self._start(number, data)

    def _give_seal(self, number: str) -> None:
        public = self._seals.make(number, self._comm.comm_id)
        if public is None:
            self._send({"kind": "failed", "n": number, "text": _TOO_MANY})
        else:
            self._send({"kind": "seal", "n": number, "to": public, "widget": self._comm.comm_id})

    def _start(self, number: str, data: Mapping[str, Any]) -> None:
        kind = str(data["kind"])
        flags: dict[str, object] = {}
        if kind != "status":
            flags["workspace"] = data.get("workspace") or None
        if kind == "keep-aside":
            flags["from_aside"] = str(data.get("id", ""))
        try:
            key = self._open_key(number, data) if kind == "keep" else None
        except SealRefused as refused:
            self._send({"kind": "failed", "n": number, "text": str(refused)})
            return
        kind_of_request = CardRequest if kind == "enter" else PageRequest
        request = kind_of_request(number, self._send, self._comm.comm_id, key)
        with self._lock:
            fits = number not in self._running and len(self._running) < MOST_OPEN
            if fits:
                self._running[number] = request
        if fits:
            request.start(_COMMANDS[kind], flags, lambda: self._end(number))
        else:
            self._send({"kind": "failed", "n": number, "text": _TOO_MANY})

    def _open_key(self, number: str, data: Mapping[str, Any]) -> Secret:
        seal = self._seals.take(number)
        if seal is None:
            raise SealRefused("The page waited too long with this key, so it was not opened.", "Try again.")
        return seal.open(data).get("key", Secret(""))

    def _end(self, number: str) -> None:
        with self._lock:
            self._running.pop(number, None)
        self._send_state()
