"""Writing files so that a crash leaves the old or the new content, and nobody else can read them."""

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_POLL = 0.01  # seconds between two looks at a lock that another holds
_NAME_SHOWN = 100  # bytes
_held: set[int] = set()


def write_atomically(
    path: str, data: bytes, mode: int = PRIVATE_FILE, last_look: Callable[[], None] | None = None
) -> None:
    """Put ``data`` at ``path`` in one step: a temp file in the same folder, flushed, then moved.

    Private from the first byte; ``mode`` is set before the move. ``last_look`` is called right before
    it, because flushing takes long; what it raises stops it. Raises OSError; ``path`` is then as it was.
    """
    import tempfile  # brings shutil along, which readers need not pay for

    folder = os.path.dirname(path) or "."
    descriptor, temporary = tempfile.mkstemp(prefix=_temporary(path), suffix=".tmp", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode != PRIVATE_FILE:
            os.chmod(temporary, mode)
        if last_look:
            last_look()
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _flush_folder(folder)


def sweep(path: str) -> None:
    """Remove the temp files that writers of ``path`` left when they were killed. Hold its lock."""
    folder = os.path.dirname(path) or "."
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(_temporary(path)) and name.endswith(".tmp"):
                os.unlink(os.path.join(folder, name))


def make_private_folder(path: str) -> None:
    """Make ``path`` (and its parents), readable by its owner alone. Raises OSError."""
    os.makedirs(path, mode=PRIVATE_FOLDER, exist_ok=True)


def open_to_others(path: str) -> bool:
    """Whether someone beside the owner may read ``path`` (POSIX; Windows keeps its own lists)."""
    return os.name == "posix" and bool(os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO))


@contextlib.contextmanager
def locked(path: str, seconds: float) -> Iterator[None]:
    """Hold the lock file at ``path`` against other threads and processes.

    Raises TimeoutError when another holder outlasts ``seconds``; OSError when it can't be made.
    The lock ends with its process, however that dies.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=seconds, mode=PRIVATE_FILE)
    try:
        lock.acquire(poll_interval=_POLL)  # not filelock's 50 ms: a busy writer would starve the others
    except Timeout:
        raise TimeoutError(f"{path} is held by another process") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def locked_with_children(path: str, seconds: float) -> Iterator[None]:
    """As `locked`; a child process that is given `locks_for_children()` holds the lock on.

    So what a killed process had begun is over before anybody else gets the lock. (POSIX; elsewhere
    it is `locked`.)
    """
    if os.name != "posix":
        with locked(path, seconds):
            yield
        return
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        _flock(descriptor, path, seconds)
        _held.add(descriptor)
        try:
            yield
        finally:
            _held.discard(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def locks_for_children() -> tuple[int, ...]:
    """The descriptors to pass to a child that works under a lock of `locked_with_children`."""
    return tuple(_held)


def _flock(descriptor: int, path: str, seconds: float) -> None:
    import fcntl

    end = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise TimeoutError(f"{path} is held by another process") from None
        time.sleep(_POLL)


def _temporary(path: str) -> str:
    """How temp files of ``path`` begin. A name may be as long as file systems allow, so not all of it is in.

    Whole characters alone: macOS and Windows take no name with a part of one.
    """
    start = os.fsencode(os.path.basename(path))[:_NAME_SHOWN].decode("utf-8", "ignore")
    return f".mistral-nb-{start}-"


def _flush_folder(folder: str) -> None:
    """Make the move itself durable, where a folder can be opened (not on Windows)."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
