"""What an Admin key is about to do at Mistral, recorded in the index before the request.

A rotation creates a key with a unique name. So, whatever interrupts it, no key is left at
Mistral that is not known here: by the intention's name, by its ``key_id``, or by its fingerprint.
"""

from typing import Any, NamedTuple

from mistral_nb.storage.index import Index, IndexData

CREATE, DELETE = "create", "delete"


class RotationEntry(NamedTuple):
    """A rotation by an Admin key, from before the new key is made until the old one is deleted."""

    workspace: str
    name: str  # the new key's at Mistral
    since: str  # ISO, UTC
    old_fingerprint: str
    old_tail: str
    old_key_id: str
    key_id: str | None = None  # the new key's; None until Mistral's answer is here
    fingerprint: str | None = None
    tail: str | None = None
    step: str = CREATE  # then DELETE: the new key is in use, the old one is to go


def read_entries(index: Index) -> list[RotationEntry]:
    """The intentions, oldest first. Raises `IndexUnreadable`."""
    return _parse_entries(index.read())


def find_latest(index: Index, workspace: str) -> RotationEntry | None:
    """The latest one for a workspace; one whose key is known comes before one whose answer was lost."""
    found = [intention for intention in read_entries(index) if intention.workspace == workspace]
    return max(found, key=lambda intention: intention.key_id is not None, default=None)


def record_entry(index: Index, intention: RotationEntry) -> None:
    """Write it down, in place of the one with its name. Raises as `Index.edit`."""
    with index.edit() as contents:
        others = [entry for entry in _raw_entries(contents) if _entry_name(entry) != intention.name]
        contents.raw["intentions"] = [*others, intention._asdict()]


def remove_entry(index: Index, intention: RotationEntry) -> None:
    with index.edit() as contents:
        contents.raw["intentions"] = [entry for entry in _raw_entries(contents) if _entry_name(entry) != intention.name]


def rename_workspace(contents: IndexData, workspace: str, name: str) -> None:
    """A workspace has another name from here on, and so has its rotation. ``contents`` are about to be written."""
    if any(entry.get("workspace") == workspace for entry in _raw_entries(contents)):
        contents.raw["intentions"] = [
            entry | {"workspace": name} if entry.get("workspace") == workspace else entry
            for entry in _raw_entries(contents)
        ]


def _parse_entries(contents: IndexData) -> list[RotationEntry]:
    found = []
    for entry in _raw_entries(contents):
        fields = {name: entry[name] for name in RotationEntry._fields if isinstance(entry.get(name), str)}
        if {"workspace", "name"} <= fields.keys():
            defaults = dict.fromkeys(("since", "old_fingerprint", "old_tail", "old_key_id"), "")
            found.append(RotationEntry(**defaults | fields))
    return found


def _raw_entries(contents: IndexData) -> list[dict[str, Any]]:
    entries = contents.raw.get("intentions", [])
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _entry_name(entry: dict[str, Any]) -> object:
    return entry.get("name")
