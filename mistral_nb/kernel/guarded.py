"""One kernel's Session, guarded: nothing that it sends on any channel carries a known secret."""

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from mistral_nb.kernel import frames, literals, writeback
from mistral_nb.kernel.known import Known
from mistral_nb.kernel.needles import Needles
from mistral_nb.kernel.patches import Patch
from mistral_nb.kernel.streams import Carries, Streams, is_plain, is_stream

_streams: WeakSet[Streams] = WeakSet()
_carries: WeakKeyDictionary[Any, Carries] = WeakKeyDictionary()  # a guard that is loaded again goes on with them


def _finish_before_fork() -> None:
    """What a child writes reaches the front end past the parent's Session: the parent's text goes first."""
    for streams in tuple(_streams):
        with contextlib.suppress(Exception):
            streams.finish()


def _forget_in_child() -> None:
    for streams in tuple(_streams):
        streams.forget()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_finish_before_fork, after_in_child=_forget_in_child)


class GuardedSession:
    """Stands in for three methods of one Session: of the instance, as others in this process are not ours.

    ``failures`` counts the messages that had to be sent without their text.
    """

    def __init__(self, session: Any, known: Known) -> None:
        self.failures = 0
        self._session, self._known = session, known
        self._thread = threading.local()
        carries = _carries.setdefault(session, OrderedDict())
        self._streams = Streams(session, carries, self._send_clean, self._failed, known.needles)
        self._patches = (
            Patch(session, "serialize", self._serializing),
            Patch(session, "send", self._sending),
            Patch(session, "send_raw", self._sending_raw),
        )
        _streams.add(self._streams)

    def remove(self) -> None:
        """Give the Session back as it was."""
        self._streams.finish()
        for patch in self._patches:
            patch.remove()

    def _serializing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def serialize(msg: dict[str, Any], ident: Any = None) -> list[bytes]:
            parts: list[bytes] = original(msg, ident)
            try:
                needles = self._known.needles()
                if not needles:
                    return parts
                clean = frames.redacted(self._session, parts, needles, getattr(self._thread, "clean", False))
                if clean is not parts:
                    writeback.remember(msg, needles, self._session.pack)
            except Exception:  # noqa: BLE001, whatever it is, the message must go, and its text must not
                self.failures += 1
                return frames.without_text(self._session, parts, msg)
            return clean

        return serialize

    def _sending(self, original: Callable[..., Any]) -> Callable[..., Any]:
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
            return self._send(stream, msg, ident, buffers or msg.get("buffers") or [], track)

        return send

    def _send(self, socket: Any, msg: Any, ident: Any, buffers: Any, track: bool) -> Any:
        carried = False
        try:
            if msg["header"]["msg_type"] == "execute_input":
                self._notice(msg["content"])
            needles = self._known.needles()
            if buffers:
                buffers = [_masked(buffer, needles) for buffer in buffers]
            carried = bool(needles) and is_stream(msg)
            if not carried:
                self._streams.flush_before(msg["header"]["msg_type"], (msg["parent_header"] or {}).get("msg_id"))
        except Exception:  # noqa: BLE001, as above
            self.failures += 1
            buffers = [b"*" * memoryview(buffer).nbytes for buffer in buffers]
            msg = {**msg, "content": frames.blank(msg["content"])}
        if not carried:
            return self._original_send(socket, msg, ident=ident, buffers=buffers, track=track)
        self._streams.take(socket, {**msg, "buffers": buffers} if buffers else msg, ident)
        return self._sent(msg)

    def _send_clean(self, socket: Any, msg: Any, ident: Any) -> Any:
        """Send a stream message whose text was looked through, piece by piece, already."""
        self._thread.clean = is_plain(msg["content"])
        try:
            return self._original_send(socket, msg, ident=ident)
        finally:
            self._thread.clean = False

    def _failed(self) -> str:
        """What stands for a stream's text when looking through it failed."""
        self.failures += 1
        return f"{frames.UNSEEN}\n"

    def _sending_raw(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def send_raw(stream: Any, msg_list: list[Any], *args: Any, **kwargs: Any) -> Any:
            try:
                needles = self._known.needles()
                parts = [_masked(part, needles) for part in msg_list]
            except Exception:  # noqa: BLE001, as above
                self.failures += 1
                parts = frames.raw_without_text(self._session, msg_list)
            return original(stream, parts, *args, **kwargs) if parts else None

        return send_raw

    def _notice(self, content: dict[str, Any]) -> None:
        try:
            literals.notice(content["code"])
        except Exception:  # noqa: BLE001, a key that is not recognised is no reason to blank the cell
            self.failures += 1

    @staticmethod
    def _sent(msg: Any) -> Any:
        from jupyter_client.session import DONE

        msg["tracker"] = DONE
        return msg


def _masked(buffer: Any, needles: Needles) -> Any:
    """A binary buffer without secrets: the same object, or bytes of the same length."""
    if not needles:
        return buffer
    if not isinstance(buffer, bytes) and not memoryview(buffer).contiguous:
        return buffer  # which the Session refuses
    data = buffer if isinstance(buffer, bytes) else memoryview(buffer).tobytes("A")  # in the order it is sent in
    clean = needles.mask(data)
    return buffer if clean is data else clean
