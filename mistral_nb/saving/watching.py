"""What a long-lived process looks for: gathered again when the index changes, not at every save."""

import os
import time
from collections.abc import Callable

from mistral_nb.config import Environ, home
from mistral_nb.store.index import Index
from mistral_nb.watch import Watchlist, gather

_SECONDS = 2.0  # how old settings and lists of a project may be; the index is asked at every save
_Sign = tuple[int, int, int] | None


class Watching:
    """Watchlists by folder. ``warn`` is told of each problem, once until it changes."""

    def __init__(self, warn: Callable[[str], None], environ: Environ | None = None) -> None:
        self._warn = warn
        self._environ = os.environ if environ is None else environ
        self._lists: dict[str, tuple[_Sign, float, Watchlist]] = {}
        self._told: tuple[str, ...] = ()

    def watchlist(self, folder: str) -> Watchlist:
        """What to look for in a file in ``folder``."""
        sign, now = _sign(Index(home(self._environ)).path), time.monotonic()
        before = self._lists.get(folder)
        if before and before[0] == sign and now - before[1] < _SECONDS:
            return before[2]
        watchlist = gather(folder, environ=self._environ)
        if len(self._lists) > 1000:
            self._lists.clear()
        self._lists[folder] = (sign, now, watchlist)
        if watchlist.problems != self._told:
            self._told = watchlist.problems
            for problem in self._told:
                self._warn(f"mistral_nb: {problem}")
        return watchlist


def _sign(path: str) -> _Sign:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
