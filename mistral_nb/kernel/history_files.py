"""IPython's history databases on this machine: which hold keys, and taking them out in place.

They belong to every IPython that runs; each is cleaned while others use it.
"""

import glob
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mistral_nb.errors import MistralNbError
from mistral_nb.kernel import history
from mistral_nb.key import MARKER, Secret, fingerprint
from mistral_nb.scrub import ALL_TIERS, redact_text
from mistral_nb.watch import Watchlist

_RUN = re.compile(r"[A-Za-z0-9_-]{16,128}")
_PATIENCE = 30.0  # seconds, for other IPythons that write


class Found(NamedTuple):
    """``keys`` are the ones that stand there plainly; ``lines`` is how many inputs and outputs hold any."""

    file: str
    lines: int
    keys: tuple[Secret, ...]


def files(environ: Mapping[str, str]) -> list[str]:
    """The history databases of all profiles."""
    home = environ.get("HOME" if os.name == "posix" else "USERPROFILE") or os.path.expanduser("~")
    folder = environ.get("IPYTHONDIR") or os.path.join(home, ".ipython")
    return sorted(glob.glob(os.path.join(glob.escape(folder), "profile_*", "history.sqlite")))


def search(file: str, watchlist: Watchlist) -> Found:
    """What a database holds. Raises `MistralNbError` when it can't be read."""
    try:
        with history.opened(file, time.monotonic() + 2) as database:
            texts = [text for _, _, _, text in _texts(database)]
    except (sqlite3.Error, OSError) as error:
        raise _unreadable(file, error) from None
    together = "\n".join(texts)
    if redact_text(together, watchlist)[0] is together:  # in one go: a history has many short lines
        return Found(file, 0, ())
    keys, lines = _keys_in(texts, watchlist)
    return Found(file, lines, tuple(keys))


def clean(file: str, watchlist: Watchlist, *, seconds: float = _PATIENCE) -> Found:
    """Put the marker in the place of every key. Returns what was there.

    No byte of a key stays in the file, its write-ahead log or its journal. Raises `MistralNbError`
    where another program has it locked for ``seconds``.
    """
    found = search(file, watchlist)
    if not found.lines:
        return found
    deadline = time.monotonic() + seconds
    try:
        with history.opened(file, deadline) as database:
            _rewrite(database, watchlist)  # first, and all at once: also what is encoded, or a part
            for key in found.keys:
                history.scour(database, file, key, MARKER)
    except (sqlite3.Error, OSError) as error:
        raise _unreadable(file, error) from None
    return found


def _rewrite(database: sqlite3.Connection, watchlist: Watchlist) -> None:
    database.execute("BEGIN IMMEDIATE")
    for table, column, row, text in list(_texts(database)):
        redacted = redact_text(text, watchlist)[0]
        if redacted is not text:
            database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (redacted, row))  # noqa: S608  (names from a table)
    database.execute("COMMIT")


def _texts(database: sqlite3.Connection) -> Iterator[tuple[str, str, int, str]]:
    for table, column in history.COLUMNS:
        query = f"SELECT rowid, {column} FROM {table} WHERE length({column}) > 14"  # noqa: S608  (names from a table)
        for row, text in database.execute(query):
            if isinstance(text, str):
                yield table, column, row, text


def _keys_in(texts: Iterable[str], watchlist: Watchlist) -> tuple[list[Secret], int]:
    keys: dict[str, Secret] = {}
    lines = 0
    for text in texts:
        _, findings = redact_text(text, watchlist)
        rewritten = [finding for finding in findings if finding.tier in ALL_TIERS]
        lines += bool(rewritten)
        names = {finding.fingerprint for finding in rewritten}
        if names:
            runs = {fingerprint(run): run for run in _RUN.findall(text)}
            keys.update({name: Secret(runs[name]) for name in names & runs.keys()})
    return list(keys.values()), lines


def _unreadable(file: str, error: Exception) -> MistralNbError:
    why = "another program has it locked" if "locked" in str(error) else type(error).__name__
    return MistralNbError(f"IPython's history {file} could not be looked through: {why}.", "Try again later.")
