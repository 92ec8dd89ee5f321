"""A watchlist for a long-lived process: rebuilt when the index changes, not at every save."""

import os
import time
from collections.abc import Callable

from mistral_nb.config import Environ, data_folder
from mistral_nb.file_io import FileStamp, file_stamp
from mistral_nb.storage.index import Index
from mistral_nb.watchlist import Watchlist, build_watchlist

_MAX_AGE_SECONDS = 2.0  # how old settings and lists of a project may be; the index is asked at every save


class WatchlistCache:
    """Watchlists by folder. ``warn`` is called with each problem, once until it changes."""

    def __init__(self, warn: Callable[[str], None], environ: Environ | None = None) -> None:
        self._warn = warn
        self.environ = os.environ if environ is None else environ
        self._cached: dict[str, tuple[FileStamp | None, float, Watchlist]] = {}
        self._warned_problems: tuple[str, ...] = ()

    def watchlist(self, folder: str) -> Watchlist:
        """What to look for in a file in ``folder``."""
        stamp, now = file_stamp(Index(data_folder(self.environ)).path), time.monotonic()
        before = self._cached.get(folder)
        if before and before[0] == stamp and now - before[1] < _MAX_AGE_SECONDS:
            return before[2]
        watchlist = build_watchlist(folder, environ=self.environ)
        if len(self._cached) > 1000:
            self._cached.clear()
        self._cached[folder] = (stamp, now, watchlist)
        if watchlist.problems != self._warned_problems:
            self._warned_problems = watchlist.problems
            for problem in self._warned_problems:
                self._warn(f"mistral_nb: {problem}")
        return watchlist
