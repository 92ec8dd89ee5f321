"""The index, ``workspaces.json``: which workspaces are kept and which keys were seen. No secret in it.

    {"version": 1,
     "workspaces": {name: Workspace}, "seen": [Seen],
     "unfinished": [Leftover],          items to delete from a store, see store/keep.py
     "pending": {name: Workspace},      new keys that are stored and not yet in use, see store/life.py
     "aside": [Aside],                  old and revoked keys that Mistral may still accept
     "intentions": [Intention],         what an Admin key is about to do, see store/intentions.py
     "choices": {question: answer}}     what a person was asked once: no_keyring, host:…, project:…

Readers take no lock, ignore unknown fields and accept newer versions. Writers hold the lock, keep
unknown fields, and refuse a damaged or newer file.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Container, Iterator
from typing import Any, NamedTuple, TypeVar

from mistral_nb.errors import IndexNotWritten, IndexTooNew, IndexUnreadable
from mistral_nb.files import locked, make_private_folder, write_atomically
from mistral_nb.key import Key, fingerprint, key_shaped

VERSION = 1
FILE_NAME = "workspaces.json"
ADMIN = "admin"  # the kind of a workspace that keeps an Admin key
LIVE, RETIRED, COMPROMISED = "live", "retired", "compromised"
_LOCK_SECONDS = 5.0


class Workspace(NamedTuple):
    """What is known of a kept key, but for the key. Dates are ISO: ``2027-01-31``."""

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
    protected: bool = False  # asked about once a process before it is used
    key_id: str | None = None  # the key's id at Mistral


class Seen(NamedTuple):
    """A key that this machine has seen, by its fingerprint. ``since`` is ISO, UTC."""

    fingerprint: str
    length: int
    tail: str
    state: str  # live, retired, compromised
    since: str
    standard: bool | None = None  # shaped as Mistral's keys are; None where that was not noted


class Leftover(NamedTuple):
    """An item that is no longer, or not yet, part of the index: to be deleted.

    ``trace``: the fingerprint to drop from ``seen`` when the item is gone, and not before.
    """

    store: str
    workspace: str
    slot: str
    trace: str = ""


class Aside(NamedTuple):
    """A key that is out of use and still stored, for asking Mistral whether it is deleted there."""

    of: str  # the workspace whose key it was
    fingerprint: str
    tail: str
    store: str
    workspace: str  # the item's name, which for a revoked key is none of a workspace
    slot: str
    state: str = RETIRED  # or compromised
    verified: str | None = None  # when the API last accepted it, as in `Workspace`
    kind: str = "api"  # as in `Workspace`


class Contents(NamedTuple):
    """The index as values. ``raw`` is the whole document: what is not understood is kept."""

    workspaces: dict[str, Workspace]
    seen: dict[str, Seen]
    unfinished: list[Leftover]
    choices: dict[str, str]
    raw: dict[str, Any]
    pending: dict[str, Workspace]
    aside: list[Aside]


_NUMBERS = ("length",)
_FREE_TEXTS = ("name", "organisation", "mistral_workspace")
_Entry = TypeVar("_Entry", Workspace, Seen, Leftover, Aside)


class Index:
    """``workspaces.json`` in the folder ``home``."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.path = os.path.join(home, FILE_NAME)

    def read(self) -> Contents:
        """The contents; empty ones without a file. Raises `IndexUnreadable`."""
        try:
            with open(self.path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return _parse({})
        except OSError as error:
            raise IndexUnreadable(
                f"The list of workspaces, {self.path}, can't be read: {error.strerror or type(error).__name__}.",
                "Make it readable for you, or set MISTRAL_NB_HOME to a folder of your own.",
            ) from None
        try:
            return _parse(json.loads(data))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._unreadable("it is damaged") from None

    @contextlib.contextmanager
    def edit(self) -> Iterator[Contents]:
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
        """Note a key's fingerprint, before the key goes anywhere. A no-op for one noted already.

        A state only gets worse: live, retired, compromised. Raises as `edit`.
        """
        known = self.read().seen.get(key.fingerprint)
        if known and _worse(known.state, state) == known.state:
            return
        with self.edit() as contents:
            contents.seen[key.fingerprint] = seen(key, state, contents.seen.get(key.fingerprint))

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            make_private_folder(self.home)
            with locked(f"{self.path}.lock", _LOCK_SECONDS):
                yield
        except TimeoutError:
            raise self._not_written("another process holds its lock") from None
        except OSError as error:
            raise self._not_written(error.strerror or type(error).__name__) from None

    def _write(self, contents: Contents) -> None:
        old_workspaces = contents.raw.get("workspaces", {})
        old_seen = {entry["fingerprint"]: entry for entry in contents.raw.get("seen", ())}
        document = contents.raw | {
            "version": VERSION,
            "workspaces": {
                name: _keeping_unknown(_without_keys(entry, contents.seen), old_workspaces.get(name))
                for name, entry in contents.workspaces.items()
            },
            "seen": [_keeping_unknown(e, old_seen.get(e.fingerprint)) for e in contents.seen.values()],
            "unfinished": [entry._asdict() for entry in contents.unfinished],
            "choices": contents.choices,
            "pending": {
                name: _without_keys(entry, contents.seen)._asdict() for name, entry in contents.pending.items()
            },
            "aside": [entry._asdict() for entry in contents.aside],
        }
        write_atomically(self.path, json.dumps(document, ensure_ascii=False, indent=1).encode())

    def _unreadable(self, why: str) -> IndexUnreadable:
        return IndexUnreadable(
            f"The list of workspaces, {self.path}, could not be used: {why}.",
            "Move that file aside and add each key again; the keys are still in their store.",
        )

    def _not_written(self, why: str) -> IndexNotWritten:
        return IndexNotWritten(
            f"The list of workspaces, {self.path}, could not be written: {why}.",
            "Make room or set MISTRAL_NB_HOME to a folder that can be written, and try again.",
        )


def seen(key: Key, state: str = LIVE, before: Seen | None = None) -> Seen:
    """The note on a key; what was noted ``before`` keeps its date, and a state only gets worse."""
    if before:
        return before._replace(state=_worse(before.state, state))
    return Seen(key.fingerprint, key.length, key.tail, state, utc_now(), key.is_standard)


def utc_now() -> str:
    """Now, as the index writes it: ``2026-11-23T09:42:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _worse(one: str, other: str) -> str:
    order = (LIVE, RETIRED, COMPROMISED)
    return max(one, other, key=lambda state: order.index(state) if state in order else len(order))


def _parse(raw: dict[str, Any]) -> Contents:
    if not isinstance(raw.get("version", VERSION), int):
        raise TypeError("version")
    return Contents(
        workspaces={name: _make(Workspace, entry) for name, entry in raw.get("workspaces", {}).items()},
        seen={entry["fingerprint"]: _make(Seen, entry) for entry in raw.get("seen", ())},
        unfinished=[_make(Leftover, entry) for entry in raw.get("unfinished", ())],
        choices=dict(raw.get("choices", {})),
        raw=raw,
        pending={name: _make(Workspace, entry) for name, entry in raw.get("pending", {}).items()},
        aside=[_make(Aside, entry) for entry in raw.get("aside", ())],
    )


def _make(kind: type[_Entry], entry: dict[str, Any]) -> _Entry:
    """Raises TypeError for a value that no version wrote: every field is text, a number, yes or no, or nothing."""
    fields = {name: entry[name] for name in kind._fields if name in entry}
    texts = [value for name, value in fields.items() if name not in _NUMBERS]
    if any(value is not None and not isinstance(value, str | bool) for value in texts):
        raise TypeError
    return kind(**fields)


def _without_keys(entry: Workspace, known: Container[str]) -> Workspace:
    """Without the free texts that look like a key or hold a known one: whoever pasted it there, no file holds a key."""

    def holds_a_key(text: str) -> bool:
        return bool(key_shaped(text)) or any(fingerprint(word) in known for word in re.findall(r"[\w-]+", text))

    texts = {name: getattr(entry, name) or "" for name in _FREE_TEXTS}
    return Workspace(**entry._asdict() | {name: None for name, text in texts.items() if holds_a_key(text)})


def _keeping_unknown(entry: Workspace | Seen, before: dict[str, Any] | None) -> dict[str, Any]:
    """The entry to write: what a newer version noted on the same key stays."""
    same_key = before is not None and before.get("fingerprint") == entry.fingerprint
    return (before or {} if same_key else {}) | entry._asdict()
