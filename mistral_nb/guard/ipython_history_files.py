"""IPython's history databases on this machine: keys in them are found, and replaced in place.

Running IPythons share them; each is cleaned while others use it.
"""

import glob
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mistral_nb.api_key import MARKER, Secret, fingerprint
from mistral_nb.errors import MistralNbError
from mistral_nb.guard import ipython_history
from mistral_nb.redaction.redact import ALL_TIERS, redact_text
from mistral_nb.watchlist import Watchlist

_RUN = re.compile(r"[A-Za-z0-9_-]{16,128}")
_TIMEOUT_SECONDS = 30.0  # seconds, for other IPythons that write


class HistoryMatches(NamedTuple):
    """``keys`` are the ones that stand there plainly; ``lines`` is how many inputs and outputs hold any."""

    file: str
    lines: int
    keys: tuple[Secret, ...]


def list_databases(environ: Mapping[str, str]) -> list[str]:
    """The history databases of all profiles."""
    home = environ.get("HOME" if os.name == "posix" else "USERPROFILE") or os.path.expanduser("~")
    folder = environ.get("IPYTHONDIR") or os.path.join(home, ".ipython")
    if not os.path.isabs(folder):  # without a home it would be a folder named ~ of the working one
        return []
    return sorted(glob.glob(os.path.join(glob.escape(folder), "profile_*", "history.sqlite")))


def search_database(file: str, watchlist: Watchlist) -> HistoryMatches:
    """What a database holds. Raises `MistralNbError` when it can't be read."""
    try:
        with ipython_history.open_database(file, time.monotonic() + 2) as database:
            texts = [text for _, _, _, text in _read_texts(database)]
    except (sqlite3.Error, OSError) as error:
        raise _unreadable_error(file, error) from None
    together = "\n".join(texts)
    if redact_text(together, watchlist)[0] is together:  # in one go: a history has many short lines
        return HistoryMatches(file, 0, ())
    keys, lines = _find_keys(texts, watchlist)
    return HistoryMatches(file, lines, tuple(keys))


def clean_database(file: str, watchlist: Watchlist, *, seconds: float = _TIMEOUT_SECONDS) -> HistoryMatches:
    """Replace every key with the marker. Returns what was found.

    No byte of a key stays in the file, its write-ahead log or its journal. Raises `MistralNbError`
    where another program has it locked for ``seconds``.
    """
    found = search_database(file, watchlist)
    if not found.lines:
        return found
    deadline = time.monotonic() + seconds
    try:
        with ipython_history.open_database(file, deadline) as database:
            _redact_rows(database, watchlist)  # first, and all at once: also what is encoded, or a part
            for key in found.keys:
                ipython_history.purge_secret(database, file, key, MARKER)
    except (sqlite3.Error, OSError) as error:
        raise _unreadable_error(file, error) from None
    return found


def _redact_rows(database: sqlite3.Connection, watchlist: Watchlist) -> None:
    database.execute("BEGIN IMMEDIATE")
    for table, column, row, text in list(_read_texts(database)):
        redacted = redact_text(text, watchlist)[0]
        if redacted is not text:
            database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (redacted, row))  # noqa: S608  (names from a table)
    database.execute("COMMIT")


def _read_texts(database: sqlite3.Connection) -> Iterator[tuple[str, str, int, str]]:
    for table, column in ipython_history.COLUMNS:
        query = f"SELECT rowid, {column} FROM {table} WHERE length({column}) > 14"  # noqa: S608  (names from a table)
        for row, text in database.execute(query):
            if isinstance(text, str):
                yield table, column, row, text


def _find_keys(texts: Iterable[str], watchlist: Watchlist) -> tuple[list[Secret], int]:
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


def _unreadable_error(file: str, error: Exception) -> MistralNbError:
    why = "another program has it locked" if "locked" in str(error) else type(error).__name__
    return MistralNbError(f"IPython's history {file} could not be searched: {why}.", "Try again later.")
