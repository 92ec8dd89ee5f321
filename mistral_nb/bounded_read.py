"""Reads a file that somebody else may have put there: bounded in bytes and, for a pipe or a device, in time.

Imports nothing but built-in modules: the git filter and the first look at a file use it.
"""

import os
import stat

PIPE_SECONDS = 3.0
MAX_SECRET = 1 << 16  # bytes: a key or a passphrase comes alone, or in a small .env
MAX_SETTINGS = 1 << 18  # bytes: settings that come with a repository
MAX_OWN_FILE = 1 << 24  # bytes: index, vault and lists of ours
_GROWTH = 1 << 24  # bytes that a file may grow by while it is read; those of /proc say that they have none
_PIECE = 1 << 20


def read_file(path: str, limit: int, *, pipe_seconds: float | None = None) -> bytes:
    """The content of a file of at most ``limit`` bytes.

    A pipe or a device is refused, or, with ``pipe_seconds``, read for at most that long: ``<(pass show mistral)``
    is one. Raises OSError with a reason for people in its ``strerror``.
    """
    return read_with_status(path, limit, pipe_seconds=pipe_seconds)[0]


def read_with_status(
    path: str, limit: int | None = None, *, pipe_seconds: float | None = None
) -> tuple[bytes, os.stat_result]:
    """As `read_file`, with the file's status from before the reading.

    Without a ``limit`` it is the file's size and some more, for one that grows while it is read.
    """
    _check_type(os.stat(path), pipe_seconds)  # opening some devices has an effect of its own
    descriptor = os.open(path, os.O_RDONLY | _NO_WAIT)
    try:
        status = os.fstat(descriptor)
        _check_type(status, pipe_seconds)
        most = status.st_size + _GROWTH if limit is None else limit
        too_large = "it grows while it is read" if limit is None else f"it is larger than {_format_size(most)}"
        wait = None if stat.S_ISREG(status.st_mode) else _make_wait(descriptor, pipe_seconds or 0.0)
        return _read_all(descriptor, most, too_large, wait, max(status.st_size + 1, _PIECE)), status
    finally:
        os.close(descriptor)


def read_beginning(path: str, size: int) -> bytes:
    """At most the first ``size`` bytes of a file. Raises OSError as `read_file`."""
    _check_type(os.stat(path), None)
    descriptor = os.open(path, os.O_RDONLY | _NO_WAIT)
    try:
        _check_type(os.fstat(descriptor), None)
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from collections.abc import Callable


def _check_type(status: os.stat_result, pipe_seconds: float | None) -> None:
    if pipe_seconds is None and not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is not a regular file")
    if stat.S_ISDIR(status.st_mode):
        raise OSError(0, "it is a folder")


def _read_all(descriptor: int, most: int, too_large: str, wait: "Callable[[], None] | None", piece_size: int) -> bytes:
    """``piece_size``: a large file comes in one piece, which needs no joining: that would take its size once more."""
    pieces: list[bytes] = []
    left = most + 1
    while left > 0:
        if wait:
            wait()
        try:
            piece = os.read(descriptor, min(left, piece_size))
        except BlockingIOError:  # another reader was faster
            continue
        if not piece:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.append(piece)
        left -= len(piece)
    raise OSError(0, too_large)


def _make_wait(descriptor: int, seconds: float) -> "Callable[[], None]":
    """A function that returns when there is something to read, and raises TimeoutError at the end of the time."""
    import select
    import time

    end = time.monotonic() + seconds
    poll = select.poll() if hasattr(select, "poll") else None
    if poll:
        poll.register(descriptor, select.POLLIN)

    def wait() -> None:
        left = end - time.monotonic()
        if left <= 0 or (poll and not poll.poll(left * 1000)):
            raise TimeoutError(0, f"nothing came within {seconds:g} seconds")

    return wait


def _format_size(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"
