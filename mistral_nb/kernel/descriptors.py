"""The real terminal, and so a server's log: what is written to a kernel's file descriptors 1 and 2.

Off unless a setting turns it on. Child processes, C libraries and a kernel's own log write there,
past any Session. ipykernel itself puts pipes in the place of 1 and 2 and copies what comes to the
real ones; this stands between the copy and the terminal.
"""

import atexit
import os
import select
import sys
import threading
from collections.abc import Callable

from mistral_nb.kernel.carry import Carry
from mistral_nb.kernel.needles import Needles

_HOLD = 0.2
_SIZE = 65536
_LAST_WAIT = 1.0

Looking = Callable[[], Needles]


def guard_descriptors(needles: Looking) -> Callable[[], None]:
    """Redact what reaches the terminal from now on; the function returned ends that."""
    guards = [_Descriptor(number, needles) for number in _numbers()]

    def end() -> None:
        atexit.unregister(end)
        for guard in guards:
            guard.end()

    atexit.register(end)  # what was written last must still come out
    return end


def _numbers() -> list[int]:
    """The descriptors that lead to the real terminal: ipykernel's copies, or 1 and 2 themselves."""
    copies = (getattr(stream, "_original_stdstream_copy", None) for stream in (sys.stdout, sys.stderr))
    return [plain if copy is None else copy for copy, plain in zip(copies, (1, 2), strict=True)]


class _Descriptor:
    def __init__(self, number: int, needles: Looking) -> None:
        self._number, self._needles = number, needles
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

    def _pass_on(self) -> None:
        carry = Carry()
        while True:
            ready, _, _ = select.select([self._read], [], [], _HOLD if carry.held else None)
            data = os.read(self._read, _SIZE) if ready else b""
            try:
                text = data.decode("latin-1")  # byte by byte: what comes need not be text
                given = carry.feed(text, self._needles()) if data else carry.flush(self._needles())
            except Exception:  # noqa: BLE001, this thread must go on, or the kernel would block at a full pipe
                given, carry = "[mistral_nb could not look through this]\n", Carry()
            _write(self._real, given.encode("latin-1", "replace"))
            if ready and not data:
                return


def _write(number: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(number, data) :]
        except OSError:  # the terminal is gone
            return
