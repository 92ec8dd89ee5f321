"""The streams of a kernel: held text, sent in order by the kernel's own publishing thread.

Everything here runs in that one thread. So it needs no lock that a fork could copy, an interrupt of
the running cell can't fall between taking text and sending it, and what is given out keeps its
place among the messages that other threads send.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from mistral_nb.api_key import MARKER
from mistral_nb.guard.stream_buffer import StreamRedactor
from mistral_nb.guard.text_matcher import MatcherSource

HOLD_SECONDS = 0.2  # seconds; with the publisher's own delays it stays under the 250 ms that are promised
_MAX_STREAMS = 256  # streams whose last characters are remembered, for text that comes after a cell's end
_WAIT_SECONDS = 2.0  # for the publishing thread to give out what a prompt must not overtake

Send = Callable[[Any, dict[str, Any], Any], Any]
StreamId = tuple[str | None, str]  # the cell (its request's id) and the stream's name
StreamRedactors = OrderedDict[StreamId, StreamRedactor]


class Streams:
    """``send(socket, message, ident)`` sends a message of ``session`` that holds no key any more.

    ``get_failure_text()`` is what stands for a text that could not be searched; ``on_redaction`` gets each message in
    which a key was replaced.
    """

    def __init__(
        self,
        session: Any,
        redactors: StreamRedactors,
        send: Send,
        get_failure_text: Callable[[], str],
        get_matcher: MatcherSource,
        *,
        on_redaction: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self._session, self._send, self._failure_text, self._get_matcher = session, send, get_failure_text, get_matcher
        self._on_redaction = on_redaction
        self._redactors = redactors
        self._held: dict[StreamId, _BufferedMessage] = {}
        self._is_ending = False

    def take(self, socket: Any, message: dict[str, Any], ident: Any) -> None:
        """Send a stream message without what has to wait; from another thread, have it sent."""
        publisher = _publisher(socket)
        if publisher is None or not _is_running(publisher) or _is_current_thread(publisher):
            self._process(publisher, socket, message, ident)
        else:
            publisher.schedule(lambda: self._process(publisher, socket, message, ident))

    def flush_before(self, kind: str, cell: str | None) -> None:
        """Another message is about to be sent: what is held of the same cell goes first.

        ``cell`` is its parent's id. A prompt waits until everything is out.
        """
        self._is_ending = self._is_ending or kind == "shutdown_reply"
        held = [h for stream_id, h in self._held.copy().items() if kind in _FLUSH_ALL_TYPES or stream_id[0] == cell]
        for publisher in {id(h.publisher): h.publisher for h in held}.values():
            if _is_current_thread(publisher) or not _is_running(publisher):
                self._flush(None if kind in _FLUSH_ALL_TYPES else cell, everything=kind in _FLUSH_ALL_TYPES)
                continue
            done = threading.Event()

            def flush_it(done: threading.Event = done) -> None:
                try:
                    self._flush(cell, everything=kind in _FLUSH_ALL_TYPES)
                finally:
                    done.set()

            publisher.schedule(flush_it)
            if kind in _FLUSH_ALL_TYPES:
                done.wait(_WAIT_SECONDS)

    def run_in_order(self, socket: Any, act: Callable[[Any], None]) -> None:
        """``act``, with the socket to use, once everything that is sent already is out."""
        publisher = _publisher(socket)
        if publisher is None or not _is_running(publisher) or _is_current_thread(publisher):
            act(socket)
        else:
            publisher.schedule(lambda: act(_DirectSocket(publisher)))

    def flush_all(self) -> None:
        """Give out everything that is held."""
        self.flush_before("input_request", None)

    def drop_held(self) -> None:
        """In a forked child: what is held is its parent's to send, and the child's text comes after it."""
        self._held = {}
        for redactor in self._redactors.values():
            redactor.hand_over()

    def _process(self, publisher: Any, socket: Any, message: dict[str, Any], ident: Any) -> None:
        stream_id, text = _stream_id(message), message["content"]["text"]
        for other in [p for p in self._held if p[0] == stream_id[0] and p != stream_id]:
            self._flush_one(other)
        hold = publisher is not None and not self._is_ending and _is_running(publisher)
        redactor = self._get_redactor(stream_id)
        try:
            given = redactor.feed(text, self._get_matcher()) if hold else redactor.flush(self._get_matcher(), text)
        except Exception:  # noqa: BLE001, nothing in the publishing thread could catch it
            given = self._failure_text()
            redactor = self._redactors[stream_id] = StreamRedactor()
        self._report_redaction(message, given, text)
        if given or not text or message.get("buffers"):
            self._send(_direct_socket(publisher, socket), _replace_text(message, given), ident)
        if redactor.held:
            self._hold(_BufferedMessage(publisher, socket, message, ident), stream_id)
        else:
            self._held.pop(stream_id, None)

    def _hold(self, held: "_BufferedMessage", stream_id: StreamId) -> None:
        before = self._held.get(stream_id)
        if before:
            held.since = before.since
        else:
            held.publisher.io_loop.call_later(HOLD_SECONDS, self._flush_if_due, stream_id, held.since)
        self._held[stream_id] = held

    def _flush_if_due(self, stream_id: StreamId, since: float) -> None:
        held = self._held.get(stream_id)
        if held and held.since == since:
            self._flush_one(stream_id)

    def _flush(self, cell: str | None, everything: bool = False) -> None:
        for stream_id in list(self._held):
            if everything or stream_id[0] == cell:
                self._flush_one(stream_id)

    def _flush_one(self, stream_id: StreamId) -> None:
        held = self._held.pop(stream_id, None)
        if held is None:
            return
        try:
            given = self._get_redactor(stream_id).flush(self._get_matcher())
        except Exception:  # noqa: BLE001, as above
            given = self._failure_text()
            self._redactors[stream_id] = StreamRedactor()
        if given:  # a message of its own: the first part of the text went out under the old id
            old, content = held.message, {**held.message["content"], "text": given}
            message = self._session.msg("stream", content, parent=old["parent_header"], metadata=old["metadata"])
            self._report_redaction(message, given)
            self._send(_direct_socket(held.publisher, held.socket), message, held.ident)

    def _report_redaction(self, message: dict[str, Any], given: str, text: str = "") -> None:
        if given.count(MARKER) > text.count(MARKER):
            self._on_redaction(message)

    def _get_redactor(self, stream_id: StreamId) -> StreamRedactor:
        redactor = self._redactors.pop(stream_id, None) or StreamRedactor()
        self._redactors[stream_id] = redactor
        while len(self._redactors) > _MAX_STREAMS:
            oldest = next(iter(self._redactors))
            if oldest in self._held:
                self._flush_one(oldest)
            self._redactors.pop(oldest, None)
        return redactor


def is_stream(message: dict[str, Any]) -> bool:
    """Whether a message is of a stream, and has a text that can be carried."""
    content = message.get("content")
    if message["header"]["msg_type"] != "stream" or not isinstance(content, dict):
        return False
    return isinstance(content.get("text"), str) and isinstance(content.get("name"), str)


def is_plain(content: dict[str, Any]) -> bool:
    """Whether the text is all that a stream's message says."""
    return len(content) == 2 and content["name"] in ("stdout", "stderr")


class _BufferedMessage:
    """Where and as what the held text of a stream will be sent."""

    def __init__(self, publisher: Any, socket: Any, message: dict[str, Any], ident: Any) -> None:
        self.publisher, self.socket, self.message, self.ident = publisher, socket, message, ident
        self.since = time.monotonic()


class _DirectSocket:
    """A socket of the publishing thread, used in it: what is sent is not queued behind later messages."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher

    def send_multipart(self, parts: list[bytes], **options: Any) -> None:
        self._publisher._really_send(parts, **options)


_FLUSH_ALL_TYPES = ("input_request", "shutdown_reply")


def _publisher(socket: Any) -> Any:
    """ipykernel's publishing thread behind a socket; None for anything else, where nothing is held."""
    from ipykernel.iostream import BackgroundSocket, IOPubThread

    publisher = socket.io_thread if isinstance(socket, BackgroundSocket) else socket
    return publisher if isinstance(publisher, IOPubThread) and hasattr(publisher, "_really_send") else None


def _is_running(publisher: Any) -> bool:
    return bool(publisher.thread.is_alive())  # false in a forked child


def _is_current_thread(publisher: Any) -> bool:
    return publisher.thread is threading.current_thread()


def _direct_socket(publisher: Any, socket: Any) -> Any:
    return _DirectSocket(publisher) if publisher is not None and _is_running(publisher) else socket


def _stream_id(message: dict[str, Any]) -> StreamId:
    return message["parent_header"].get("msg_id"), str(message["content"]["name"])


def _replace_text(message: dict[str, Any], text: str) -> dict[str, Any]:
    return {**message, "content": {**message["content"], "text": text}}
