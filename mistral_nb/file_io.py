"""Files and their locks: written so that a crash leaves the old or the new content, readable only by their owner."""

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator

from mistral_nb.errors import reason, writable_hint

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
READABLE_FILE = 0o644  # for what holds no key
LOCK_SECONDS = 5.0  # that a command waits for a lock held by another process
_POLL = 0.01  # seconds between checks of a lock held by another process
TEMP_PREFIX = ".mistral-nb-"  # of the names of temp files
_TEMP_NAME_LENGTH = 100  # bytes
_held_descriptors: set[int] = set()

FileStamp = tuple[int, int, int]  # differs once a file was written


def write_atomically(
    path: str,
    data: bytes,
    mode: int = PRIVATE_FILE,
    before_replace: Callable[[], None] | None = None,
    attributes_of: str = "",
) -> None:
    """Put ``data`` at ``path`` in one step: a temp file in the same folder, flushed, then moved.

    Private from the first byte; ``mode`` is set before the move. ``before_replace`` is called right before
    it, because flushing takes long; what it raises stops it. ``attributes_of``: a file whose extended attributes
    the new one gets, where the system has them. Raises OSError; ``path`` is then as it was.
    """
    import tempfile  # imports shutil, which readers do not need

    folder = os.path.dirname(path) or "."
    descriptor, temporary = tempfile.mkstemp(prefix=_temp_prefix(path), suffix=".tmp", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if attributes_of:
            _copy_attributes(attributes_of, temporary)
        if mode != PRIVATE_FILE:
            os.chmod(temporary, mode)
        if before_replace:
            before_replace()
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _flush_folder(folder)


def _copy_attributes(source: str, target: str) -> None:
    """Copy the extended attributes; one that only the system may set stays as the system set it."""
    if not hasattr(os, "listxattr"):  # Linux alone
        return
    with contextlib.suppress(OSError):  # a file system without them
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))


def remove_stale_temp_files(path: str) -> None:
    """Remove the temp files that writers of ``path`` left when they were killed. Hold its lock."""
    folder = os.path.dirname(path) or "."
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(_temp_prefix(path)) and name.endswith(".tmp"):
                os.unlink(os.path.join(folder, name))


def make_private_folder(path: str) -> None:
    """Make ``path``, and its parents where they are missing, readable by its owner alone. Raises OSError."""
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        make_private_folder(parent)  # makedirs would make them readable by all
    os.makedirs(path, mode=PRIVATE_FOLDER, exist_ok=True)


def stamp_of(status: os.stat_result) -> FileStamp:
    return status.st_mtime_ns, status.st_size, status.st_ino


def file_stamp(path: str) -> FileStamp | None:
    """None where there is no such file."""
    try:
        return stamp_of(os.stat(path))
    except (OSError, ValueError):
        return None


def is_readable_by_others(path: str) -> bool:
    """Whether anyone but the owner may read ``path`` (POSIX; Windows uses ACLs)."""
    return os.name == "posix" and bool(os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO))


@contextlib.contextmanager
def hold_lock(path: str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock file at ``path`` against other threads and processes.

    Raises TimeoutError when another holder outlasts ``seconds``; OSError when it can't be made.
    The lock is released when its process ends, however that happens.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=seconds, mode=PRIVATE_FILE)
    try:
        lock.acquire(poll_interval=_POLL)  # not filelock's 50 ms: a busy writer would starve the others
    except Timeout:
        raise TimeoutError(f"{path} is locked by another process") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def hold_private_file(
    path: str, not_written: Callable[[str, str], Exception], seconds: float = LOCK_SECONDS
) -> Iterator[None]:
    """Hold the lock beside a private file, whose folder is made, while it is read and written.

    Raises ``not_written(why, what to do)`` when the lock, the folder or what is done under it fails.
    """
    try:
        make_private_folder(os.path.dirname(path))
        with hold_lock(f"{path}.lock", seconds):
            yield
    except TimeoutError:
        raise not_written("it is locked by another process", "Wait for it to finish, and try again.") from None
    except OSError as error:
        raise not_written(reason(error), writable_hint(error)) from None


@contextlib.contextmanager
def hold_lock_with_children(path: str, seconds: float) -> Iterator[None]:
    """As `hold_lock`; a child process that is given `locks_for_children()` keeps the lock.

    So what a killed process had started is finished before another gets the lock. (POSIX; elsewhere
    it is `hold_lock`.)
    """
    try:
        import fcntl
    except ImportError:
        with hold_lock(path, seconds):
            yield
        return

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        _acquire_flock(descriptor, path, seconds)
        _held_descriptors.add(descriptor)
        try:
            yield
        finally:
            _held_descriptors.discard(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def locks_for_children() -> tuple[int, ...]:
    """The descriptors to pass to a child that works under a lock of `hold_lock_with_children`."""
    return tuple(_held_descriptors)


def _acquire_flock(descriptor: int, path: str, seconds: float) -> None:
    import fcntl

    end = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise TimeoutError(f"{path} is locked by another process") from None
        time.sleep(_POLL)


def _temp_prefix(path: str) -> str:
    """The prefix of temp files for ``path``. A name may be as long as file systems allow, so it is shortened.

    Only whole characters: macOS and Windows reject a name with part of one.
    """
    start = os.fsencode(os.path.basename(path))[:_TEMP_NAME_LENGTH].decode("utf-8", "ignore")
    return f"{TEMP_PREFIX}{start}-"


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
