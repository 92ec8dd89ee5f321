"""Removes a secret from IPython's history: its lists, variables and database."""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from typing import Any

from mistral_nb.api_key import MARKER, Secret
from mistral_nb.errors import MistralNbError

# IPython's own writer waits up to five seconds for a locked database, holding the cache's lock.
_TIMEOUT_SECONDS = 6.0
_INPUT_NAME = re.compile(r"_i{1,3}|_i\d+")
_LISTS = ("input_hist_raw", "input_hist_parsed", "output_hist_reprs", "outputs", "exceptions")
COLUMNS = (("history", "source"), ("history", "source_raw"), ("output_history", "output"))


def remove_from_history(shell: Any, secret: Secret, marker: str = MARKER, *, seconds: float = _TIMEOUT_SECONDS) -> int:
    """Replace a secret wherever this IPython's history holds it; returns how many places changed.

    Covers ``In``, ``_i…``, the history manager's lists and cache, the terminal's arrow-up lines, and
    the database with all its sessions: no byte of the secret stays in its file, ``-wal`` or
    ``-journal``. Not covered: what a running frame or the user's own variables hold.

    Raises `MistralNbError` when the database could not be cleaned within about ``seconds``; memory
    is clean all the same.
    """
    if not secret.reveal():
        return 0
    replacement = _SecretReplacement(secret, marker)
    deadline = time.monotonic() + seconds
    manager = getattr(shell, "history_manager", None)
    changed = _clean_variables(shell, replacement) + _clean_terminal_lines(shell, replacement)
    if manager is None:
        return changed
    for name in _LISTS:  # memory first: the manager would write it again
        changed += replacement.apply_in_place(getattr(manager, name, None))
    for name in ("_i00", "_i", "_ii", "_iii"):
        if replacement.matches(getattr(manager, name, "")):
            setattr(manager, name, replacement.apply(getattr(manager, name)))
            changed += 1
    changed += _clean_cache(manager, replacement, deadline)
    return changed + _clean_own_database(manager, replacement, deadline)


def remove_from_file(file: str, secret: Secret, marker: str = MARKER, *, seconds: float = _TIMEOUT_SECONDS) -> int:
    """As `remove_from_history`, for the database of any profile, in use or not; what running kernels hold stays."""
    import sqlite3

    try:
        with open_database(file, time.monotonic() + seconds) as database:
            return _purge(database, file, _SecretReplacement(secret, marker))
    except (sqlite3.Error, OSError):
        raise MistralNbError(
            f"The key may still be in IPython's history, {file}: it could not be written.",
            "Close the notebooks that use it and try again, or delete that file.",
        ) from None


def is_in_file(file: str, secret: Secret) -> bool:
    """Whether a history database holds the secret, in a row or in what was left of one."""
    import sqlite3

    replacement = _SecretReplacement(secret, MARKER)
    try:
        with open_database(file, time.monotonic() + 1) as database:
            return _is_anywhere(database, file, replacement)
    except (sqlite3.Error, OSError):
        return False


class _SecretReplacement:
    """The secret and its replacement; the text is never stored in a variable."""

    def __init__(self, secret: Secret, replacement: str) -> None:
        self.secret = secret
        self.replacement = replacement

    def matches(self, value: object) -> bool:
        return isinstance(value, str) and self.secret.reveal() in value

    def can_be_stored(self) -> bool:
        """Whether it is valid UTF-8: a passphrase from the environment need not be, SQLite's text is."""
        return not re.search("[\ud800-\udfff]", self.secret.reveal())

    def apply(self, value: Any) -> Any:
        """A string, or a tuple of them, without the secret; anything else as it is."""
        if isinstance(value, tuple):
            return tuple(map(self.apply, value))
        return value.replace(self.secret.reveal(), self.replacement) if self.matches(value) else value

    def apply_in_place(self, holder: object) -> int:
        """Change a list's or dict's strings in place, at any depth; returns how many entries changed."""
        if not isinstance(holder, list | dict):
            bundle = getattr(holder, "bundle", None)  # IPython's HistoryOutput
            return self.apply_in_place(bundle) if isinstance(bundle, dict) else 0
        changed = 0
        for place, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if self._matches_entry(value):
                holder[place] = self.apply(value)
                changed += 1
            else:
                changed += self.apply_in_place(value)
        return changed

    def _matches_entry(self, value: object) -> bool:
        return any(map(self.matches, value)) if isinstance(value, tuple) else self.matches(value)


def _clean_variables(shell: Any, replacement: _SecretReplacement) -> int:
    """``In``, ``_ih``, ``_i``, ``_ii``, ``_iii``, ``_i1`` …; hidden names keep copies of the values."""
    changed = 0
    for space in (getattr(shell, "user_ns", None), getattr(shell, "user_ns_hidden", None)):
        if not isinstance(space, dict):
            continue
        for name in ("In", "_ih"):
            changed += replacement.apply_in_place(space.get(name))
        for name, value in list(space.items()):
            if isinstance(name, str) and _INPUT_NAME.fullmatch(name) and replacement.matches(value):
                space[name] = replacement.apply(value)
                changed += 1
    return changed


def _clean_terminal_lines(shell: Any, replacement: _SecretReplacement) -> int:
    """What arrow-up brings back in terminal IPython; prompt_toolkit has no public way to change it."""
    history = getattr(getattr(shell, "pt_app", None), "history", None)
    return replacement.apply_in_place(getattr(history, "_loaded_strings", None))


def _clean_cache(manager: Any, replacement: _SecretReplacement, deadline: float) -> int:
    """Lines not written yet. Once their lock was held, every other line is in the database."""
    changed = 0
    for name in ("db_input_cache", "db_output_cache"):
        lock = getattr(manager, f"{name}_lock", None)
        if lock is None:
            continue
        if not lock.acquire(timeout=max(0.1, deadline - time.monotonic())):
            raise _not_cleaned_error(manager, "IPython is still writing to it")
        try:
            changed += replacement.apply_in_place(getattr(manager, name))
        finally:
            lock.release()
    return changed


def _clean_own_database(manager: Any, replacement: _SecretReplacement, deadline: float) -> int:
    import sqlite3

    if not isinstance(getattr(manager, "db", None), sqlite3.Connection):  # history is disabled
        return 0
    if not replacement.can_be_stored():
        return 0
    file = str(manager.hist_file)
    try:
        if not os.path.isfile(file):  # in memory, or deleted under the kernel
            with manager.db:
                return _update_rows(manager.db, replacement)
        with open_database(file, deadline) as database:
            return _purge(database, file, replacement)
    except (sqlite3.Error, OSError) as error:
        why = "another program has it locked" if "locked" in str(error) else type(error).__name__
        raise _not_cleaned_error(manager, why) from None


@contextlib.contextmanager
def open_database(file: str, deadline: float) -> Iterator[Any]:
    """A connection of our own that overwrites what it removes."""
    import sqlite3

    patience = max(0.5, deadline - time.monotonic())
    with contextlib.closing(sqlite3.connect(file, timeout=patience, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete=ON")
        yield database


def purge_secret(database: Any, file: str, secret: Secret, marker: str) -> int:
    """Take a secret out of a database of `open_database`, and every trace of it out of ``file``."""
    replacement = _SecretReplacement(secret, marker)
    return _purge(database, file, replacement) if replacement.can_be_stored() else 0


def _purge(database: Any, file: str, replacement: _SecretReplacement) -> int:
    """Rows first, then whatever else of the file, its log and its journal still holds the secret."""
    import sqlite3

    if not _is_anywhere(database, file, replacement):
        return 0  # without having waited for the write lock
    database.execute("BEGIN IMMEDIATE")
    changed = _update_rows(database, replacement)
    database.execute("COMMIT")
    if _is_in_pages(database, replacement):  # left behind by rows that were moved or deleted
        database.execute("VACUUM")
    if _is_in_logs(file, replacement):
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if _is_anywhere(database, file, replacement):
        raise sqlite3.OperationalError("locked: a reader still needs the old pages")
    return changed or 1


def _is_anywhere(database: Any, file: str, replacement: _SecretReplacement) -> bool:
    """Whether the secret is in a row, in what was left of one, or in the logs beside the file."""
    rows = _count_rows(database, replacement)
    return bool(rows) or _is_in_pages(database, replacement) or _is_in_logs(file, replacement)


def _count_rows(database: Any, replacement: _SecretReplacement) -> int:
    counts = (
        database.execute(f"SELECT count(*) FROM {table} WHERE instr({column}, ?)", (replacement.secret.reveal(),))  # noqa: S608  (names from the table above)
        for table, column in COLUMNS
    )
    return sum(count.fetchone()[0] for count in counts)


def _update_rows(database: Any, replacement: _SecretReplacement) -> int:
    changed = 0
    for table, column in COLUMNS:
        changed += database.execute(
            f"UPDATE {table} SET {column} = replace({column}, :secret, :new) WHERE instr({column}, :secret)",  # noqa: S608  (names from the table above)
            {"secret": replacement.secret.reveal(), "new": replacement.replacement},
        ).rowcount
    return changed


def _is_in_pages(database: Any, replacement: _SecretReplacement) -> bool:
    """Whether any page holds the secret, unused space included.

    Asked of SQLite: opening and closing the file ourselves would drop the locks that IPython's
    connections hold in this process (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    if not hasattr(database, "serialize"):  # an SQLite built without it: take no chances
        return bool(_count_rows(database, replacement))
    return replacement.secret.reveal().encode() in database.serialize()


def _is_in_logs(file: str, replacement: _SecretReplacement) -> bool:
    """Whether the write-ahead log or the rollback journal holds the secret; neither carries locks."""
    for suffix in ("-wal", "-journal"):
        with contextlib.suppress(FileNotFoundError), open(file + suffix, "rb") as log:
            if replacement.secret.reveal().encode() in log.read():
                return True
    return False


def _not_cleaned_error(manager: Any, why: str) -> MistralNbError:
    return MistralNbError(
        f"The key may still be in IPython's history, {manager.hist_file}: {why}.",
        "Close the other notebooks and run this cell again, or delete that file.",
    )
