"""One kernel's guarded Session: nothing that it sends on any channel contains a known secret."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from mistral_nb.guard import cell_keys, kernel_messages, widget_updates
from mistral_nb.guard.first_redaction import FirstRedaction, is_from_a_person
from mistral_nb.guard.forks import prepare_forks
from mistral_nb.guard.ipython_patches import Patch
from mistral_nb.guard.known_secrets import ProcessSecrets
from mistral_nb.guard.streams import StreamRedactors, Streams, is_plain, is_stream
from mistral_nb.guard.text_matcher import TextMatcher

# a guard that is loaded again goes on with them
_stream_redactors: WeakKeyDictionary[Any, StreamRedactors] = WeakKeyDictionary()
_first_redactions: WeakKeyDictionary[Any, FirstRedaction] = WeakKeyDictionary()


class GuardedSession:
    """Replaces three methods of one Session: on the instance, since others in this process are not ours.

    ``failures`` counts the messages that had to be sent without their text.
    """

    def __init__(self, session: Any, known: ProcessSecrets) -> None:
        self.failures = 0
        self._session, self._secrets = session, known
        self._thread_state = threading.local()
        redactors = _stream_redactors.setdefault(session, OrderedDict())
        self._first_redaction = _first_redactions.setdefault(session, FirstRedaction())
        self._streams = Streams(
            *(session, redactors, self._send_clean, self._count_failure, known.matcher),
            on_redaction=self._first_redaction.record,
        )
        self._patches = (
            Patch(session, "serialize", self._wrap_serialize),
            Patch(session, "send", self._wrap_send),
            Patch(session, "send_raw", self._wrap_send_raw),
        )
        prepare_forks(self._streams)

    def remove(self) -> None:
        """Restore the Session."""
        self._streams.flush_all()
        for patch in self._patches:
            patch.remove()

    def _wrap_serialize(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def serialize(msg: dict[str, Any], ident: Any = None) -> list[bytes]:
            parts: list[bytes] = original(msg, ident)
            try:
                matcher = self._secrets.matcher()
                if not matcher:
                    return parts
                clean = kernel_messages.redact_message(
                    self._session, parts, matcher, getattr(self._thread_state, "clean", False)
                )
                if clean is not parts:
                    widget_updates.record_redacted_traits(msg, matcher, self._session.pack)
                    self._first_redaction.record(msg)
            except Exception:  # noqa: BLE001, whatever it is, the message must go, and its text must not
                self.failures += 1
                return kernel_messages.blank_message(self._session, parts, msg)
            return clean

        return serialize

    def _wrap_send(self, original: Callable[..., Any]) -> Callable[..., Any]:
        self._original_send = original

        def send(  # noqa: PLR0917, the signature of Session.send
            stream: Any,
            msg_or_type: Any,
            content: Any = None,
            parent: Any = None,
            ident: Any = None,
            buffers: Any = None,
            track: bool = False,
            header: Any = None,
            metadata: Any = None,
        ) -> Any:
            msg = msg_or_type
            if isinstance(msg_or_type, str) or msg_or_type is None:
                msg = self._session.msg(msg_or_type, content=content, parent=parent, header=header, metadata=metadata)
            return self._send(stream, msg, ident, buffers or msg.get("buffers") or [], track, request=parent)

        return send

    def _send(self, socket: Any, msg: Any, ident: Any, buffers: Any, track: bool, *, request: Any) -> Any:
        is_buffered = False
        try:
            if msg["header"]["msg_type"] == "execute_input":
                self._register_keys(msg["content"])
            matcher = self._secrets.matcher()
            if buffers:
                buffers = [_mask_buffer(buffer, matcher) for buffer in buffers]
            is_buffered = bool(matcher) and is_stream(msg)
            if not is_buffered:
                self._streams.flush_before(msg["header"]["msg_type"], (msg["parent_header"] or {}).get("msg_id"))
        except Exception:  # noqa: BLE001, as above
            self.failures += 1
            buffers = [b"*" * memoryview(buffer).nbytes for buffer in buffers]
            msg = {**msg, "content": kernel_messages.blank_values(msg["content"])}
        if not is_buffered:
            self._forget_cleared(socket, msg)
            self._tell_first_redaction(socket, msg, request)
            return self._original_send(socket, msg, ident=ident, buffers=buffers, track=track)
        self._streams.take(socket, {**msg, "buffers": buffers} if buffers else msg, ident)
        return self._mark_sent(msg)

    def _forget_cleared(self, socket: Any, msg: Any) -> None:
        """After `clear_output` there is nothing that the note could stand under."""
        if msg["header"]["msg_type"] == "clear_output":
            cell = (msg["parent_header"] or {}).get("msg_id", "")
            self._first_redaction.clear(cell, streams=False)
            self._streams.run_in_order(socket, lambda _: self._first_redaction.clear(cell, streams=True))

    def _tell_first_redaction(self, socket: Any, msg: Any, request: Any) -> None:
        """When a person's cell ends, and a key was replaced in what it showed, for the first time in this kernel."""
        ends = msg["header"]["msg_type"] == "status" and msg["content"].get("execution_state") == "idle"
        if self._first_redaction.is_told or not ends or not is_from_a_person(request):
            return

        def tell(direct: Any) -> None:
            content = self._first_redaction.take(msg["parent_header"].get("msg_id", ""))
            if content:
                note = self._session.msg("display_data", content, parent=msg["parent_header"])
                self._original_send(direct, note, ident=b"display_data")

        self._streams.run_in_order(socket, tell)

    def _send_clean(self, socket: Any, msg: Any, ident: Any) -> Any:
        """Send a stream message whose text was already searched piece by piece."""
        self._thread_state.clean = is_plain(msg["content"])
        try:
            return self._original_send(socket, msg, ident=ident)
        finally:
            self._thread_state.clean = False

    def _count_failure(self) -> str:
        """The replacement for a stream's text if searching it failed."""
        self.failures += 1
        return f"{kernel_messages.UNSEARCHED_TEXT}\n"

    def _wrap_send_raw(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def send_raw(stream: Any, msg_list: list[Any], *args: Any, **kwargs: Any) -> Any:
            try:
                matcher = self._secrets.matcher()
                parts = [_mask_buffer(part, matcher) for part in msg_list]
            except Exception:  # noqa: BLE001, as above
                self.failures += 1
                parts = kernel_messages.blank_raw_parts(self._session, msg_list)
            return original(stream, parts, *args, **kwargs) if parts else None

        return send_raw

    def _register_keys(self, content: dict[str, Any]) -> None:
        try:
            cell_keys.register_cell_keys(content["code"])
        except Exception:  # noqa: BLE001, a key that is not recognised is no reason to blank the cell
            self.failures += 1

    @staticmethod
    def _mark_sent(msg: Any) -> Any:
        from jupyter_client.session import DONE

        msg["tracker"] = DONE
        return msg


def _mask_buffer(buffer: Any, matcher: TextMatcher) -> Any:
    """A binary buffer without secrets: the same object, or bytes of the same length."""
    if not matcher:
        return buffer
    if not isinstance(buffer, bytes) and not memoryview(buffer).contiguous:
        return buffer  # which the Session refuses
    data = buffer if isinstance(buffer, bytes) else memoryview(buffer).tobytes("A")  # in the order it is sent in
    clean = matcher.mask(data)
    return buffer if clean is data else clean
