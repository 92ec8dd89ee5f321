"""Keys that no store held when they were taken out of a file: kept for 30 days, until somebody takes or drops them.

A key is in a store before the index lists it, and the index lists it before the file is changed: a kill at any moment
leaves the key in the file, or set aside, or both. Nothing here asks anybody or opens a dialog.
"""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from mistral_nb.api_key import MARKER, Key
from mistral_nb.config import Config
from mistral_nb.errors import (
    ConcurrentChange,
    MistralNbError,
    NotSetAside,
    PassphraseNeeded,
    StoreError,
    StoreLocked,
    StoreTimedOut,
    StoreUnavailable,
    WrongPassphrase,
    WrongUsage,
)
from mistral_nb.file_io import LOCK_SECONDS
from mistral_nb.printable import one_line
from mistral_nb.sensitive_text import hide_keys
from mistral_nb.storage.index import AsideEntry, Index, IndexData, PendingDeletion
from mistral_nb.storage.index_edits import is_stored, schedule_deletion
from mistral_nb.storage.key_items import KeyItems
from mistral_nb.storage.keyring_store import KeyringStore
from mistral_nb.storage.memory_store import MemoryIndex
from mistral_nb.storage.store_protocol import CURRENT, FILE, KEYRING, Store

KEPT_DAYS = 30
ANNOUNCED_DAYS = 7  # before the end
MOST = 50
_RETRY_SECONDS = 30.0  # after which a store that could not be written is tried again
_CANNOT_TELL = (PassphraseNeeded, WrongPassphrase, StoreLocked, StoreTimedOut, StoreUnavailable)
_CHOICES = {"auto": (KEYRING, FILE), KEYRING: (KEYRING,), FILE: (FILE,)}  # by the setting `store`


class RemovalPlace(NamedTuple):
    """Where a key is taken out of: a file as people call it, a notebook's cell from 1, and the place in that."""

    file: str
    cell: int | None = None
    place: str = ""


class SetAside:
    """The keys that are set aside on this machine. ``wish``: the setting ``store``."""

    def __init__(
        self,
        index: Index | MemoryIndex,
        stores: Mapping[str, Store],
        wish: str = "auto",
        today: Callable[[], date] = date.today,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._items = KeyItems(index, stores)
        self._stores = stores
        self._wish = wish
        self._today = today
        self._clock = clock
        self._refusal: tuple[float, str] | None = None  # when it was, and why

    def entries(self) -> tuple[AsideEntry, ...]:
        """What is set aside, the latest first. Raises `IndexUnreadable`."""
        return tuple(sorted(self._items.index.read().set_aside, key=lambda entry: entry.taken, reverse=True))

    def put(self, key: Key, place: RemovalPlace) -> AsideEntry:
        """Set ``key`` aside before it is taken out of a file; one that is set aside already is noted again.

        Raises `NotSetAside` with the reason: nothing was changed.
        """
        try:
            return self._note_again(key, place) or self._put_new(key, place)
        except MistralNbError as error:
            reason, todo = error.failed, error.todo if isinstance(error, WrongUsage) else _TODO
        if reason[:2].istitle():  # and not a variable's name
            reason = reason[:1].lower() + reason[1:]
        raise NotSetAside(f"…{key.tail} is in no store and could not be set aside: {reason}", todo)

    def take(self, entry: AsideEntry) -> Key:
        """The key. It stays set aside until it is stored or dropped. Raises a `StoreError`."""
        key = self._items.read(entry.store, entry.item, CURRENT, entry.fingerprint)
        if key is None:
            raise StoreError(
                f"The key …{entry.tail} that was set aside is no longer in its store.",
                "To drop it from the list: mistral-nb logout --aside",
            )
        return key

    def find(self, name: str) -> list[AsideEntry]:
        """Those with this id, tail or fingerprint."""
        wanted = name.lstrip("….")
        return [entry for entry in self.entries() if wanted in (entry.id, entry.tail, entry.fingerprint)]

    def drop(self, entry: AsideEntry) -> None:
        """Delete one; its item goes at the latest with the next deletions. Raises a `StoreError`, as `Index.edit`.

        Raises `ConcurrentChange` for one that was noted again since ``entry`` was read: that may be its only copy.
        """
        left = drop(self._items, entry.fingerprint, lambda now: now == entry)
        if left:
            where = f"from {left.file}" if left.file else "from a file"
            raise ConcurrentChange(
                f"…{entry.tail} was removed {where} again meanwhile, so it stays set aside.",
                "To delete it, run the command again.",
            )

    def drop_expired(self) -> list[AsideEntry]:
        """Delete those whose time is over, and say which; not yet if their store is locked. Raises as `Index.edit`."""
        over = [entry for entry in self.entries() if self._is_over(entry)]
        for entry in over:
            with contextlib.suppress(StoreError):  # its item goes with the next deletions
                if self._items.get_store(entry.store).unavailable_reason() is None:
                    drop(self._items, entry.fingerprint, self._is_over)
        left = {entry.fingerprint for entry in self.entries()} if over else set()
        return [entry for entry in over if entry.fingerprint not in left]

    def _is_over(self, entry: AsideEntry) -> bool:
        return days_left(entry, self._today()) < 0

    def _note_again(self, key: Key, place: RemovalPlace) -> AsideEntry | None:
        """For another 30 days, where it was taken out last.

        None if it is not set aside, or its copy is gone.
        """
        before = _entry_of(self._items.index.read(), key.fingerprint)
        if before is None or not self._has_copy(before):
            return None
        new = self._make_entry(key, before.store, place)
        with self._items.index.edit() as contents:
            others = [entry for entry in contents.set_aside if entry.fingerprint != key.fingerprint]
            if len(others) == len(contents.set_aside):  # dropped meanwhile
                return None
            contents.set_aside[:] = [*others, new]
        return new

    def _has_copy(self, entry: AsideEntry) -> bool:
        """Whether its store still has the key. One that can't be opened without a dialog is taken to have it."""
        try:
            store = self._items.get_store(entry.store)
            if isinstance(store, KeyringStore) and store.quiet_problem():
                return True
            return self._items.read(entry.store, entry.item, CURRENT, entry.fingerprint) is not None
        except _CANNOT_TELL:
            return True
        except StoreError:  # it is damaged
            return False

    def _put_new(self, key: Key, place: RemovalPlace) -> AsideEntry:
        before = self._items.index.read()
        self._check_room(before, key)
        lost = _entry_of(before, key.fingerprint)
        entry = self._make_entry(key, self._choose_store(), place)
        try:
            with _lock(self._items, entry):
                self._items.run_deletions(entry.item)
                with self._items.index.edit() as contents:
                    other = _entry_of(contents, key.fingerprint)
                    if (other and other != lost) or is_stored(contents, key.fingerprint):  # another process was faster
                        return other or entry
                    self._check_room(contents, key)
                    schedule_deletion(contents, _item_of(entry))
                self._items.put_announced(entry.store, entry.item, CURRENT, key)
                with self._items.index.edit() as contents:
                    self._check_room(contents, key)
                    contents.pending_deletions[:] = [
                        left for left in contents.pending_deletions if left != _item_of(entry)
                    ]
                    others = [left for left in contents.set_aside if left.fingerprint != key.fingerprint]
                    contents.set_aside[:] = [*others, entry]
        except StoreError as error:
            self._refusal = self._clock(), error.failed
            raise
        except OSError as error:  # a child process could not be started; its text may name what was given to it
            self._refusal = self._clock(), f"The store failed ({type(error).__name__})."
            raise StoreError(self._refusal[1], "Try again.") from None
        return entry

    def _check_room(self, contents: IndexData, key: Key) -> None:
        """Raises `WrongUsage` if there is none for ``key``; what is over is deleted by the next command."""
        others = [entry for entry in contents.set_aside if entry.fingerprint != key.fingerprint]
        if sum(not self._is_over(entry) for entry in others) >= MOST:
            raise WrongUsage(
                f"{MOST} keys are set aside already.",
                "To see them: mistral-nb status. To delete them: mistral-nb logout --aside",
            )

    def _make_entry(self, key: Key, store: str, place: RemovalPlace) -> AsideEntry:
        named = place.file.removeprefix(f".{os.sep}")
        file = one_line(hide_keys(named.replace(key.reveal(), MARKER)))
        expires = (self._today() + timedelta(days=KEPT_DAYS)).isoformat()
        return AsideEntry(key.fingerprint, key.tail, store, file, place.cell, place.place, _now(), expires)

    def _choose_store(self) -> str:
        """The store that can be written without asking. Raises a `StoreError`."""
        if self._refusal and self._clock() - self._refusal[0] < _RETRY_SECONDS:
            raise StoreUnavailable(self._refusal[1])
        problem: StoreError = StoreUnavailable("MISTRAL_NB_STORE is memory.")
        for name in _CHOICES.get(self._wish, ()):
            store = self._stores[name]
            reason = store.quiet_problem() if isinstance(store, KeyringStore) else store.unavailable_reason()
            if reason is None:
                return name
            problem = problem if name == FILE and self._wish == "auto" else reason
        self._refusal = self._clock(), problem.failed
        raise problem


_TODO = (
    "Store it (mistral-nb login), or make a store available: unlock the keyring, or set MISTRAL_NB_PASSPHRASE_FILE. "
    "To remove it all the same: MISTRAL_NB_SET_ASIDE=off"
)


def open_set_aside(config: Config) -> SetAside:
    """The set-aside keys of this machine, with stores that ask nobody. Opens and reads nothing yet."""
    from mistral_nb.storage import open_stores

    return SetAside(Index(config.home), open_stores(config, interactive=False), config.store)


def drop(items: KeyItems, fingerprint: str, may_go: Callable[[AsideEntry], bool] = lambda _: True) -> AsideEntry | None:
    """Delete the set-aside copy of a key, if there is one. Raises a `StoreError`, as `Index.edit`.

    Returns the entry that stays because it may not go: it is asked about as it is when it would be deleted.
    """
    found = _entry_of(items.index.read(), fingerprint)
    if found is None or not may_go(found):
        return found
    with _lock(items, found):
        with items.index.edit() as contents:
            now = _entry_of(contents, fingerprint)
            if now is None or not may_go(now):
                return now
            contents.set_aside.remove(now)
            schedule_deletion(contents, _item_of(now))
        problems = items.run_deletions(found.item)
    if problems:
        raise problems[0]
    return None


def days_left(entry: AsideEntry, today: date) -> int:
    """Whole days until it is deleted, negative when past."""
    try:
        return (date.fromisoformat(entry.expires) - today).days
    except ValueError:
        return KEPT_DAYS


def seconds_since(entry: AsideEntry, now: datetime) -> float:
    """Seconds since it was taken out of a file; 0 where that is not known, or in the future."""
    try:
        return max(0.0, (now.astimezone(UTC) - datetime.fromisoformat(entry.taken)).total_seconds())
    except ValueError:
        return 0.0


def _now() -> str:
    """As `utc_timestamp`, in microseconds: distinguishes two removals, see `SetAside.drop`."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _entry_of(contents: IndexData, fingerprint: str) -> AsideEntry | None:
    return next((entry for entry in contents.set_aside if entry.fingerprint == fingerprint), None)


def _item_of(entry: AsideEntry) -> PendingDeletion:
    return PendingDeletion(entry.store, entry.item, CURRENT)


def _lock(items: KeyItems, entry: AsideEntry) -> contextlib.AbstractContextManager[None]:
    busy = StoreTimedOut(f"Another process is changing the key …{entry.tail}.", "Wait for it to finish, and try again.")
    return items.index.hold_workspace_lock(entry.item, "", LOCK_SECONDS, busy)
