"""Remembers keys in a thread, for callers that can't wait for a disk or for another process's lock."""

import atexit
import threading
import time
from collections.abc import Callable, Iterable

from mistral_nb.api_key import Key
from mistral_nb.errors import IndexNotWritten, MistralNbError
from mistral_nb.storage.index import Index

EXIT_SECONDS = 3.0  # that the end of the process may wait for the index's lock
_PAUSES = (0.2, 1.0, 5.0, 15.0, 30.0)  # seconds, before an index that could not be written is tried again

ResultCallback = Callable[[Key, MistralNbError | None], None]


class BackgroundIndex:
    """Writes the keys it is given into their indexes, each once, soon after and at the latest when the process ends.

    Nothing here takes a lock that a forked child could copy locked: dicts and sets are changed in single steps,
    and two threads that write the same keys do no harm. ``report`` hears of each key, with the reason if it is
    not in its index yet.
    """

    def __init__(self, report: ResultCallback) -> None:
        self._report = report
        self._waiting: dict[tuple[str, str], Key] = {}  # by the index's folder and the key's fingerprint
        self._done: set[tuple[str, str]] = set()
        self._thread: threading.Thread | None = None
        self._finishes_at_exit = False

    def remember(self, key: Key, index: Index) -> None:
        """Remember ``key``, as `Index.remember` does, but without waiting. A key given before is skipped."""
        name = index.home, key.fingerprint
        if name in self._done:
            return
        if _has(index, key):  # usually; what follows costs a thread, and once a process 12 ms
            self._done.add(name)
            return
        self._waiting[name] = key
        # Not in the thread: while they are imported, the process must not fork.
        import tempfile  # noqa: F401

        import filelock  # noqa: F401

        if not self._finishes_at_exit:
            self._finishes_at_exit = True
            atexit.register(self.finish)
        if self._thread is None or not self._thread.is_alive():  # a forked child has none of its parent's threads
            self._start()

    def finish(self) -> None:
        """Write what is still waiting, now; what can't be written within a short time is lost."""
        self._write(EXIT_SECONDS)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="mistral_nb index", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the process is ending: `finish` writes it, or nothing does
            self._thread = None

    def _run(self) -> None:
        pauses = iter(_PAUSES)
        while True:
            self._write()
            if self._waiting:
                pause = next(pauses, None)
                if pause is None:  # until the next key comes, or the end
                    return
                time.sleep(pause)
                continue
            self._thread = None
            if not self._waiting or self._thread is not None:  # a key that came meanwhile may have seen this thread
                return
            self._thread = threading.current_thread()

    def _write(self, lock_seconds: float | None = None) -> None:
        for home in {home for home, _ in tuple(self._waiting)}:
            index = Index(home)
            if lock_seconds is not None:
                index.lock_seconds = lock_seconds
            keys = [key for (place, _), key in tuple(self._waiting.items()) if place == home]
            problem = _remember(index, keys)
            for key in keys:
                if problem is None:
                    self._done.add((home, key.fingerprint))
                    self._waiting.pop((home, key.fingerprint), None)
                self._report(key, problem)


def _remember(index: Index, keys: Iterable[Key]) -> MistralNbError | None:
    try:
        index.remember_all(keys)
    except MistralNbError as error:
        return error
    except Exception as error:  # noqa: BLE001, in a thread nobody would hear of it
        return IndexNotWritten(
            f"The list of workspaces, {index.path}, could not be written: {type(error).__name__}.",
            "Run mistral-nb doctor.",
        )
    return None


def _has(index: Index, key: Key) -> bool:
    try:
        return key.fingerprint in index.read().remembered
    except MistralNbError:  # writing says so
        return False
