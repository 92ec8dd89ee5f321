"""The streams of a kernel: held text, given out in order by the kernel's own publishing thread.

Everything here runs in that one thread. So it needs no lock that a fork could copy, an interrupt of
the running cell can't fall between taking text and sending it, and what is given out keeps its
place among the messages that other threads send.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from mistral_nb.kernel.carry import Carry
from mistral_nb.kernel.needles import Needles

HOLD = 0.2  # seconds; with the publisher's own delays it stays under the 250 ms that are promised
_REMEMBERED = 256  # streams whose last characters are remembered, for text that comes after a cell's end
_WAIT = 2.0  # for the publishing thread to give out what a prompt must not overtake

Send = Callable[[Any, dict[str, Any], Any], Any]
Place = tuple[str | None, str]  # the cell (its request's id) and the stream's name
Carries = OrderedDict[Place, Carry]


class Streams:
    """``send(socket, message, ident)`` sends a message of ``session`` that holds no key any more.

    ``failed()`` is what stands for a text that could not be looked through.
    """

    def __init__(
        self, session: Any, carries: Carries, send: Send, failed: Callable[[], str], needles: Callable[[], Needles]
    ) -> None:
        self._session, self._send, self._failed, self._needles = session, send, failed, needles
        self._carries = carries
        self._held: dict[Place, _Held] = {}
        self._ending = False

    def take(self, socket: Any, message: dict[str, Any], ident: Any) -> None:
        """Send a stream message without what has to wait; from another thread, have it sent."""
        publisher = _publisher(socket)
        if publisher is None or not _runs(publisher) or _is_current(publisher):
            self._give(publisher, socket, message, ident)
        else:
            publisher.schedule(lambda: self._give(publisher, socket, message, ident))

    def flush_before(self, kind: str, cell: str | None) -> None:
        """Another message is about to be sent: what is held of the same cell goes first.

        ``cell`` is its parent's id. A prompt waits until everything is out.
        """
        self._ending = self._ending or kind == "shutdown_reply"
        held = [h for place, h in self._held.copy().items() if kind in _OF_ALL or place[0] == cell]
        for publisher in {id(h.publisher): h.publisher for h in held}.values():
            if _is_current(publisher) or not _runs(publisher):
                self._flush(None if kind in _OF_ALL else cell, everything=kind in _OF_ALL)
                continue
            done = threading.Event()

            def flush_it(done: threading.Event = done) -> None:
                try:
                    self._flush(cell, everything=kind in _OF_ALL)
                finally:
                    done.set()

            publisher.schedule(flush_it)
            if kind in _OF_ALL:
                done.wait(_WAIT)

    def finish(self) -> None:
        """Give out everything that is held."""
        self.flush_before("input_request", None)

    def forget(self) -> None:
        """In a forked child: what is held is its parent's to send, and the child's text comes after it."""
        self._held = {}
        for carry in self._carries.values():
            carry.leave()

    def _give(self, publisher: Any, socket: Any, message: dict[str, Any], ident: Any) -> None:
        place, text = _place(message), message["content"]["text"]
        for other in [p for p in self._held if p[0] == place[0] and p != place]:
            self._flush_one(other)
        hold = publisher is not None and not self._ending and _runs(publisher)
        carry = self._carry(place)
        try:
            given = carry.feed(text, self._needles()) if hold else carry.flush(self._needles(), text)
        except Exception:  # noqa: BLE001, in the publishing thread nobody could catch it
            given = self._failed()
            carry = self._carries[place] = Carry()
        if given or not text or message.get("buffers"):
            self._send(_direct(publisher, socket), _with_text(message, given), ident)
        if carry.held:
            self._hold(_Held(publisher, socket, message, ident), place)
        else:
            self._held.pop(place, None)

    def _hold(self, held: "_Held", place: Place) -> None:
        before = self._held.get(place)
        if before:
            held.since = before.since
        else:
            held.publisher.io_loop.call_later(HOLD, self._due, place, held.since)
        self._held[place] = held

    def _due(self, place: Place, since: float) -> None:
        held = self._held.get(place)
        if held and held.since == since:
            self._flush_one(place)

    def _flush(self, cell: str | None, everything: bool = False) -> None:
        for place in list(self._held):
            if everything or place[0] == cell:
                self._flush_one(place)

    def _flush_one(self, place: Place) -> None:
        held = self._held.pop(place, None)
        if held is None:
            return
        try:
            given = self._carry(place).flush(self._needles())
        except Exception:  # noqa: BLE001, as above
            given = self._failed()
            self._carries[place] = Carry()
        if given:  # a message of its own: the first part of the text went out under the old id
            old, content = held.message, {**held.message["content"], "text": given}
            message = self._session.msg("stream", content, parent=old["parent_header"], metadata=old["metadata"])
            self._send(_direct(held.publisher, held.socket), message, held.ident)

    def _carry(self, place: Place) -> Carry:
        carry = self._carries.pop(place, None) or Carry()
        self._carries[place] = carry
        while len(self._carries) > _REMEMBERED:
            oldest = next(iter(self._carries))
            if oldest in self._held:
                self._flush_one(oldest)
            self._carries.pop(oldest, None)
        return carry


def is_stream(message: dict[str, Any]) -> bool:
    """Whether a message is of a stream, and has a text that can be carried."""
    content = message.get("content")
    if message["header"]["msg_type"] != "stream" or not isinstance(content, dict):
        return False
    return isinstance(content.get("text"), str) and isinstance(content.get("name"), str)


def is_plain(content: dict[str, Any]) -> bool:
    """Whether the text is all that a stream's message says."""
    return len(content) == 2 and content["name"] in ("stdout", "stderr")


class _Held:
    """Where and as what the held text of a stream will be sent."""

    def __init__(self, publisher: Any, socket: Any, message: dict[str, Any], ident: Any) -> None:
        self.publisher, self.socket, self.message, self.ident = publisher, socket, message, ident
        self.since = time.monotonic()


class _Direct:
    """A socket of the publishing thread, used in it: what is sent is not queued behind later messages."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher

    def send_multipart(self, parts: list[bytes], **options: Any) -> None:
        self._publisher._really_send(parts, **options)


_OF_ALL = ("input_request", "shutdown_reply")


def _publisher(socket: Any) -> Any:
    """ipykernel's publishing thread behind a socket; None for anything else, where nothing is held."""
    from ipykernel.iostream import BackgroundSocket, IOPubThread

    publisher = socket.io_thread if isinstance(socket, BackgroundSocket) else socket
    return publisher if isinstance(publisher, IOPubThread) and hasattr(publisher, "_really_send") else None


def _runs(publisher: Any) -> bool:
    return bool(publisher.thread.is_alive())  # false in a forked child


def _is_current(publisher: Any) -> bool:
    return publisher.thread is threading.current_thread()


def _direct(publisher: Any, socket: Any) -> Any:
    return _Direct(publisher) if publisher is not None and _runs(publisher) else socket


def _place(message: dict[str, Any]) -> Place:
    return message["parent_header"].get("msg_id"), str(message["content"]["name"])


def _with_text(message: dict[str, Any], text: str) -> dict[str, Any]:
    return {**message, "content": {**message["content"], "text": text}}
