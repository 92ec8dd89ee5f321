"""Tells open pages which keys a save removed, or left where they are only suspected: jupyter_server's event bus.

Every page of this server receives it, so it says no more than the server's log does, and never a key.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mistral_nb.config import Environ, data_folder
from mistral_nb.errors import IndexUnreadable
from mistral_nb.jupyter.lab.notices import format_left_notice, format_notice
from mistral_nb.key_records import KeyRecord
from mistral_nb.storage.index import ADMIN, Index, IndexData

SCHEMA_ID = "https://mistral-nb.invalid/removed/v1"  # a name, not an address: nothing is there
_TEXT, _NUMBER = {"type": "string"}, {"type": ["integer", "null"]}
_KEY = {
    "tail": _TEXT,
    "length": {"type": "integer", "description": "Of the key, in characters; 0 where the index has no such key."},
    "tier": _TEXT,
    "kept": _TEXT,
    "aside_id": _TEXT,
    "workspace": _TEXT,
    "path": _TEXT,
    "cell": _NUMBER,
    "cell_id": {"type": ["string", "null"]},
    "place": _TEXT,
    "line": _NUMBER,
    "column": _NUMBER,
}
SCHEMA = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Keys that mistral_nb removed from a file, or left in it, while Jupyter saved it",
    "description": "One entry a key and place, as in KeyRecord. No key, and 12 digits of a fingerprint at most.",
    "personal-data": True,
    "type": "object",
    "required": ["path", "name", "message", "left", "keys"],
    "properties": {
        "path": {"type": "string", "description": "The file, as the contents API names it, without a leading /."},
        "name": {"type": "string", "description": "What was cleaned, in words: the path, or a checkpoint of it."},
        "message": {"type": "string", "description": "The notice for a person."},
        "left": {"type": "boolean", "description": "Whether the keys are only suspected, and are in the file still."},
        "keys": {"type": "array", "items": {"type": "object", "required": sorted(_KEY), "properties": _KEY}},
    },
}


class RemovalEvents:
    """Emits the event from whichever thread a key was removed in.

    ``logger`` is the server's `EventLogger`, ``call_in_loop`` runs a function in the server's loop: listeners write to
    websockets, so nowhere else.
    """

    def __init__(
        self,
        logger: Any,
        call_in_loop: Callable[..., object],
        warn: Callable[..., object],
        environ: Environ | None = None,
    ) -> None:
        self._logger = logger
        self._call_in_loop = call_in_loop
        self._warn = warn
        self._environ = os.environ if environ is None else environ
        logger.register_event_schema(SCHEMA)

    def tell(self, path: str, records: Sequence[KeyRecord], are_left: bool) -> None:
        """``records`` are of one file, ``path`` is where the contents API has it. Never raises."""
        try:
            self._call_in_loop(self._emit, make_event(path, records, self._index(), are_left=are_left))
        except Exception as error:  # noqa: BLE001, the save is done
            self._warn("mistral_nb: open pages were not told of a removed key: %s", type(error).__name__)

    def _emit(self, event: dict[str, Any]) -> None:
        try:
            self._logger.emit(schema_id=SCHEMA_ID, data=event)
        except Exception as error:  # noqa: BLE001, an exception in the loop would show the event
            self._warn("mistral_nb: open pages were not told of a removed key: %s", type(error).__name__)

    def _index(self) -> IndexData | None:
        try:
            return Index(data_folder(self._environ)).read()
        except IndexUnreadable:
            return None


def make_event(
    path: str, records: Sequence[KeyRecord], index: IndexData | None, *, are_left: bool = False
) -> dict[str, Any]:
    """The event's data. ``index`` has lengths, and the names under which keys are stored; None if it can't be read."""
    named = [record._replace(file=record.file.lstrip("/")) for record in records]
    return {
        "path": path,
        "name": named[0].file,
        "message": format_left_notice(named) if are_left else format_notice(named),
        "left": are_left,
        "keys": describe_keys(named, index),
    }


def describe_keys(records: Iterable[KeyRecord], index: IndexData | None = None) -> list[dict[str, Any]]:
    """The records as pages get them: without the file, which is known, and without whole fingerprints."""
    stored, remembered = (index.workspaces, index.remembered) if index else ({}, {})
    names = {entry.fingerprint: name for name, entry in stored.items() if entry.kind != ADMIN}
    lengths = {fingerprint: entry.length for fingerprint, entry in remembered.items()}
    return [
        {name: value for name, value in record._asdict().items() if name in _KEY}
        | {"workspace": names.get(record.fingerprint, ""), "length": lengths.get(record.fingerprint, 0)}
        for record in records
    ]
