"""The index, ``workspaces.json``: which workspaces are kept and which keys were seen. No secret in it.

    {"version": 1,
     "workspaces": {name: Workspace}, "seen": [Seen],
     "unfinished": [Leftover],          items to delete from a store, see key_items.py
     "pending": {name: Workspace},      new keys that are stored and not yet in use, see pending_keys.py
     "aside": [Aside],                  old and revoked keys that Mistral may still accept
     "set_aside": [AsideEntry],         keys that no store held when they were taken out of a file
     "intentions": [Intention],         what an Admin key is about to do, see rotation_journal.py
     "choices": {question: answer}}     what a person was asked once: no_keyring, host:…, project:…

Readers take no lock, ignore unknown fields and accept newer versions. Writers hold the lock, keep
unknown fields, and refuse a damaged or newer file.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Container, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from mistral_nb.api_key import Key, fingerprint
from mistral_nb.bounded_read import MAX_OWN_FILE, read_file
from mistral_nb.errors import IndexNotWritten, IndexTooNew, IndexUnreadable, StoreTimedOut, reason
from mistral_nb.file_io import LOCK_SECONDS, hold_private_file, remove_stale_temp_files, write_atomically
from mistral_nb.paths import NO_FOLDER, NO_HOME_TEXT
from mistral_nb.sensitive_text import key_shaped_words
from mistral_nb.storage.workspace_lock import hold_workspace_lock

VERSION = 1
FILE_NAME = "workspaces.json"
ADMIN = "admin"  # the kind of a workspace that keeps an Admin key
LIVE, RETIRED, COMPROMISED = "live", "retired", "compromised"


class Workspace(NamedTuple):
    """The details of a stored key, without the key. Dates are ISO: ``2027-01-31``."""

    store: str  # keyring, file
    slot: str  # current or next: which of the two items holds the key
    fingerprint: str
    tail: str
    kind: str = "api"  # api, admin, vibe
    name: str | None = None  # the key's name at Mistral
    organisation: str | None = None
    mistral_workspace: str | None = None
    expires: str | None = None
    expiry_known: bool = False  # with expires None: it never expires
    verified: str | None = None  # when the API last accepted it, ISO with seconds, UTC
    ask_first: bool = False  # asked about once a process before it is used
    key_id: str | None = None  # the key's id at Mistral


class RememberedKey(NamedTuple):
    """A key that this machine has seen, by its fingerprint. ``since`` is ISO, UTC."""

    fingerprint: str
    length: int
    tail: str
    state: str  # live, retired, compromised
    since: str
    standard: bool | None = None  # shaped as Mistral's keys are; None where that was not noted


class PendingDeletion(NamedTuple):
    """An item that is no longer, or not yet, part of the index: to be deleted.

    ``forget_fingerprint``: what to drop from ``remembered`` when the item is gone, and not before.
    """

    store: str
    workspace: str
    slot: str
    forget_fingerprint: str = ""


class RetiredKey(NamedTuple):
    """A retired key that is still stored, for asking Mistral whether it was deleted there."""

    former_workspace: str  # the workspace whose key it was
    fingerprint: str
    tail: str
    store: str
    workspace: str  # the item's name, which for a revoked key is none of a workspace
    slot: str
    state: str = RETIRED  # or compromised
    verified: str | None = None  # when the API last accepted it, as in `Workspace`
    kind: str = "api"  # as in `Workspace`


class AsideEntry(NamedTuple):
    """A key that no store held when it was taken out of a file, and that is stored until ``expires``. Without the key.

    ``file``, ``cell`` (from 1, in a notebook) and ``place`` say where it was last, as in `KeyRecord`. ``taken`` is an
    ISO time, UTC; ``expires`` an ISO date.
    """

    fingerprint: str
    tail: str
    store: str
    file: str
    cell: int | None
    place: str
    taken: str
    expires: str

    @property
    def id(self) -> str:
        """What names it in commands and in the page."""
        return aside_id(self.fingerprint)

    @property
    def item(self) -> str:
        """The name of its item in the store."""
        return f"(set aside) {self.fingerprint}"


class IndexData(NamedTuple):
    """The index as values. ``raw`` is the whole document: what is not understood is kept."""

    workspaces: dict[str, Workspace]
    remembered: dict[str, RememberedKey]
    pending_deletions: list[PendingDeletion]
    choices: dict[str, str]
    raw: dict[str, Any]
    pending: dict[str, Workspace]
    retired: list[RetiredKey]
    set_aside: list[AsideEntry]


_NUMBERS = ("length", "cell")
_ID_LENGTH = 12  # characters of a fingerprint: one in 10^12 that two of fifty keys share them
_FORMER_NAMES = {"ask_first": "protected", "former_workspace": "of", "forget_fingerprint": "trace"}  # in older files
_FREE_TEXTS = ("name", "organisation", "mistral_workspace")
_Entry = TypeVar("_Entry", Workspace, RememberedKey, PendingDeletion, RetiredKey, AsideEntry)


class Index:
    """``workspaces.json`` in the folder ``home``."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.path = os.path.join(home, FILE_NAME)
        self.lock_seconds = LOCK_SECONDS

    def read(self) -> IndexData:
        """The contents; empty ones without a file. Raises `IndexUnreadable`."""
        if self.home == NO_FOLDER:
            return parse_document({})
        try:
            data = read_file(self.path, MAX_OWN_FILE)
        except FileNotFoundError:
            return parse_document({})
        except OSError as error:
            raise IndexUnreadable(
                f"The list of workspaces, {self.path}, can't be read: {reason(error)}.",
                "Make it readable, or set MISTRAL_NB_HOME to another folder.",
            ) from None
        try:
            return parse_document(json.loads(data))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._unreadable_error("it is damaged") from None

    @contextlib.contextmanager
    def edit(self) -> Iterator[IndexData]:
        """The contents, to be changed in place; written when the block ends without an error.

        Raises `IndexUnreadable`, `IndexTooNew`, `IndexNotWritten`; the file is then as it was.
        """
        with self._lock():
            contents = self.read()
            if contents.raw.get("version", VERSION) > VERSION:
                raise IndexTooNew(
                    f"{self.path} was written by a newer mistral_nb.",
                    "Update mistral_nb here: pip install -U mistral_nb.",
                )
            yield contents
            self._write(contents)

    def remember(self, key: Key, state: str = LIVE) -> None:
        """Remember a key's fingerprint before the key is used. A no-op for one already remembered.

        A state only gets worse: live, retired, compromised. Raises as `edit`.
        """
        self.remember_all([key], state)

    def remember_all(self, keys: Iterable[Key], state: str = LIVE) -> None:
        """As `remember`, of several keys in one write."""
        before = self.read().remembered
        new = [key for key in keys if not _is_noted(before.get(key.fingerprint), state)]
        if not new:
            return
        with self.edit() as contents:
            seen = contents.remembered
            seen.update({key.fingerprint: make_remembered(key, state, seen.get(key.fingerprint)) for key in new})

    def forget(self, fingerprint: str) -> None:
        """Drop a fingerprint from what is remembered. Raises as `edit`."""
        with self.edit() as contents:
            contents.remembered.pop(fingerprint, None)

    def hold_workspace_lock(
        self, workspace: str, purpose: str, seconds: float, busy: StoreTimedOut
    ) -> contextlib.AbstractContextManager[None]:
        """As `workspace_lock.hold_workspace_lock`."""
        return hold_workspace_lock(self.home, workspace, purpose, seconds, busy)

    def remove_stale_temp_files(self) -> None:
        """Those that a kill left behind. The index is being edited."""
        remove_stale_temp_files(self.path)

    def _lock(self) -> contextlib.AbstractContextManager[None]:
        return hold_private_file(self.path, self._not_written_error, self.lock_seconds)

    def _write(self, contents: IndexData) -> None:
        old_workspaces = contents.raw.get("workspaces", {})
        old_seen = {entry["fingerprint"]: entry for entry in contents.raw.get("seen", ())}
        old_aside = {entry["fingerprint"]: entry for entry in contents.raw.get("set_aside", ())}
        document = contents.raw | {
            "version": VERSION,
            "workspaces": {
                name: _keep_unknown_fields(_remove_key_texts(entry, contents.remembered), old_workspaces.get(name))
                for name, entry in contents.workspaces.items()
            },
            "seen": [_keep_unknown_fields(e, old_seen.get(e.fingerprint)) for e in contents.remembered.values()],
            "unfinished": [entry._asdict() for entry in contents.pending_deletions],
            "choices": contents.choices,
            "pending": {
                name: _remove_key_texts(entry, contents.remembered)._asdict()
                for name, entry in contents.pending.items()
            },
            "aside": [entry._asdict() for entry in contents.retired],
            "set_aside": [_keep_unknown_fields(e, old_aside.get(e.fingerprint)) for e in contents.set_aside],
        }
        write_atomically(self.path, _to_json(document))

    def _unreadable_error(self, why: str) -> IndexUnreadable:
        return IndexUnreadable(
            f"The list of workspaces, {self.path}, could not be used: {why}.",
            "Rename that file and log in with each key again; the keys are still in their store.",
        )

    def _not_written_error(self, why: str, todo: str) -> IndexNotWritten:
        if self.home == NO_FOLDER:
            return IndexNotWritten(NO_HOME_TEXT)
        return IndexNotWritten(f"The list of workspaces, {self.path}, could not be written: {why}.", todo)


def copy_data(data: IndexData) -> IndexData:
    """A copy whose lists and mappings can be changed; the entries in them are immutable."""
    return IndexData(
        workspaces=dict(data.workspaces),
        remembered=dict(data.remembered),
        pending_deletions=list(data.pending_deletions),
        choices=dict(data.choices),
        raw=dict(data.raw),
        pending=dict(data.pending),
        retired=list(data.retired),
        set_aside=list(data.set_aside),
    )


def make_remembered(key: Key, state: str = LIVE, before: RememberedKey | None = None) -> RememberedKey:
    """The note on a key; what was noted ``before`` keeps its date, and a state only gets worse."""
    if before:
        return before._replace(state=_worse_state(before.state, state))
    return RememberedKey(key.fingerprint, key.length, key.tail, state, utc_timestamp(), key.is_standard)


def aside_id(fingerprint: str) -> str:
    """What names the set-aside key with this fingerprint."""
    return fingerprint[:_ID_LENGTH]


def _is_noted(before: RememberedKey | None, state: str) -> bool:
    return before is not None and _worse_state(before.state, state) == before.state


def utc_timestamp() -> str:
    """Now, as the index writes it: ``2026-11-23T09:42:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _worse_state(one: str, other: str) -> str:
    order = (LIVE, RETIRED, COMPROMISED)
    return max(one, other, key=lambda state: order.index(state) if state in order else len(order))


def parse_document(raw: dict[str, Any]) -> IndexData:
    if not isinstance(raw.get("version", VERSION), int):
        raise TypeError("version")
    return IndexData(
        workspaces={name: _make_entry(Workspace, entry) for name, entry in raw.get("workspaces", {}).items()},
        remembered={entry["fingerprint"]: _make_entry(RememberedKey, entry) for entry in raw.get("seen", ())},
        pending_deletions=[_make_entry(PendingDeletion, entry) for entry in raw.get("unfinished", ())],
        choices=dict(raw.get("choices", {})),
        raw=raw,
        pending={name: _make_entry(Workspace, entry) for name, entry in raw.get("pending", {}).items()},
        retired=[_make_entry(RetiredKey, entry) for entry in raw.get("aside", ())],
        set_aside=[_make_entry(AsideEntry, entry) for entry in raw.get("set_aside", ())],
    )


def _to_json(document: dict[str, Any]) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False, indent=1).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, in what a newer version or a person wrote
        return json.dumps(document, indent=1).encode()


def _make_entry(kind: type[_Entry], entry: dict[str, Any]) -> _Entry:
    """Raises TypeError for a value that no version wrote: every field is text, a number, yes or no, or nothing."""
    entry = {new: entry[old] for new, old in _FORMER_NAMES.items() if new in kind._fields and old in entry} | entry
    fields = {name: entry[name] for name in kind._fields if name in entry}
    texts = [value for name, value in fields.items() if name not in _NUMBERS]
    numbers = [value for name, value in fields.items() if name in _NUMBERS]
    if any(value is not None and not isinstance(value, str | bool) for value in texts):
        raise TypeError
    if any(type(value) is not int for value in numbers if value is not None or kind is RememberedKey):
        raise TypeError
    return kind(**fields)


def _remove_key_texts(entry: Workspace, known: Container[str]) -> Workspace:
    """Without the free texts that look like a key or hold a known one: whoever pasted it there, no file holds a key."""

    def holds_a_key(text: str) -> bool:
        return bool(key_shaped_words(text)) or any(fingerprint(word) in known for word in re.findall(r"[\w-]+", text))

    texts = {name: getattr(entry, name) or "" for name in _FREE_TEXTS}
    return Workspace(**entry._asdict() | {name: None for name, text in texts.items() if holds_a_key(text)})


def _keep_unknown_fields(
    entry: Workspace | RememberedKey | AsideEntry, before: dict[str, Any] | None
) -> dict[str, Any]:
    """The entry to write: what a newer version noted on the same key stays."""
    same_key = before is not None and before.get("fingerprint") == entry.fingerprint
    kept = before or {} if same_key else {}
    former = {old for new, old in _FORMER_NAMES.items() if new in entry._fields}
    return {name: value for name, value in kept.items() if name not in former} | entry._asdict()
