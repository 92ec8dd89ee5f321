"""Redacts what a process writes to file descriptors 1 and 2: the real terminal, and so a server's or worker's log.

Child processes, C libraries and a kernel's own log write there, past any Session and any stream of Python.
ipykernel itself puts pipes in the place of 1 and 2 and copies what comes to the real ones; this stands between
the copy and the terminal. Not for Windows, which can't wait for a pipe with a limit.
"""

import atexit
import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable
from weakref import WeakSet

from mistral_nb.guard.stream_buffer import StreamRedactor
from mistral_nb.guard.text_matcher import MatcherSource

_HOLD_MS = 200
_SIZE = 65536
_LAST_WAIT = 1.0


def guard_descriptors(get_matcher: MatcherSource) -> Callable[[], None]:
    """Redact what reaches the terminal from now on; call the returned function to stop."""
    guards = [_DescriptorGuard(number, get_matcher) for number in _terminal_descriptors() if _is_open(number)]
    _guards.update(guards)

    def end() -> None:
        atexit.unregister(end)
        for guard in guards:
            guard.end()

    atexit.register(end)  # the last output must still be written
    return end


def _terminal_descriptors() -> list[int]:
    """The descriptors that lead to the real terminal: ipykernel's copies, or 1 and 2 themselves."""
    copies = (getattr(stream, "_original_stdstream_copy", None) for stream in (sys.stdout, sys.stderr))
    return [plain if copy is None else copy for copy, plain in zip(copies, (1, 2), strict=True)]


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:  # a daemon may have closed it
        return False
    return True


class _DescriptorGuard:
    def __init__(self, number: int, get_matcher: MatcherSource) -> None:
        self._number, self._get_matcher = number, get_matcher
        self._process = os.getpid()
        self._real = os.dup(number)
        self._read, write = os.pipe()
        os.dup2(write, number)
        os.close(write)
        self._thread = threading.Thread(target=self._pass_on, name=f"mistral_nb-descriptor-{number}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        if os.getpid() == self._process:  # a forked child has no such thread
            os.dup2(self._real, self._number)
            self._thread.join(_LAST_WAIT)

    def leave_to_parent(self) -> None:
        """In a forked child: what it writes is its parent's to pass on. Without that, a write fails, not blocks."""
        if os.getpid() != self._process:
            _guards.discard(self)
            for number in (self._read, self._real):
                with contextlib.suppress(OSError):
                    os.close(number)

    def _pass_on(self) -> None:
        redactor, poll = StreamRedactor(), select.poll()
        poll.register(self._read, select.POLLIN)
        while True:
            ready = poll.poll(_HOLD_MS if redactor.held else None)
            data = os.read(self._read, _SIZE) if ready else b""
            try:
                text = data.decode("latin-1")  # byte by byte: what comes need not be text
                given = redactor.feed(text, self._get_matcher()) if data else redactor.flush(self._get_matcher())
            except Exception:  # noqa: BLE001, this thread must go on, or the process would block at a full pipe
                given, redactor = "[mistral_nb could not search this, so it was removed]\n", StreamRedactor()
            _write_all(self._real, given.encode("latin-1", "replace"))
            if ready and not data:
                return


def _write_all(number: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(number, data) :]
        except OSError:  # the terminal is gone
            return


def _leave_to_parent() -> None:
    for guard in tuple(_guards):
        guard.leave_to_parent()


_guards: WeakSet[_DescriptorGuard] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
