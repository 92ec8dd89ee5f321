"""Every key that this machine stores, also out of use or set aside: `logout --all` and `uninstall` delete them."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, PassphraseNeeded, StoreError, StoreLocked, StoreTimedOut, WrongPassphrase
from mistral_nb.keys import passphrase_prompt
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.interrupted_commands import format_item_name
from mistral_nb.report import Dialog, Row
from mistral_nb.storage.index import COMPROMISED, PendingDeletion
from mistral_nb.storage.store_protocol import store_name


class StoredItem(NamedTuple):
    """``name``: as shown, by its tail. ``workspace``: "" for a key out of use. ``delete`` raises `MistralNbError`."""

    name: str
    workspace: str
    store: str
    read: Callable[[], object]
    delete: Callable[[], object]

    @property
    def row(self) -> Row:
        return Row(self.name, store_name(self.store))


def list_items(context: Context) -> list[StoredItem]:
    """Raises `IndexUnreadable`."""
    manager, pending = context.key_manager, context.key_manager.pending_keys()
    items: list[StoredItem] = []
    read: Callable[[], object]
    delete: Callable[[], object]
    kept = manager.workspaces()
    for name, entry in kept.items():
        expected = entry.fingerprint, pending[name].fingerprint if name in pending else ""
        delete = partial(manager.forget, name, expected=expected)
        read = partial(manager.read, name)
        items.append(StoredItem(format_key(name, entry.tail, entry), name, entry.store, read, delete))
    for retired in manager.retired_keys():
        what = "revoked" if retired.state == COMPROMISED else "replaced"
        if retired.former_workspace not in kept:  # else it goes with its workspace
            name = f"{format_key(retired.former_workspace, retired.tail)}, {what}"
            read, delete = partial(manager.read_retired, retired), partial(manager.drop_retired, retired)
            items.append(StoredItem(name, "", retired.store, read, delete))
    aside = context.set_aside
    for left in aside.entries():
        read, delete = partial(aside.take, left), partial(aside.drop, left)
        items.append(StoredItem(f"…{left.tail}, set aside", "", left.store, read, delete))
    for leftover in context.read_index().pending_deletions:
        name = f"a copy that an earlier command left ({format_item_name(leftover.workspace)})"
        delete = partial(_delete_leftover, context, leftover)
        items.append(StoredItem(name, "", leftover.store, delete, delete))
    return items


def _delete_leftover(context: Context, leftover: PendingDeletion) -> None:
    problems = context.key_manager.run_pending_deletions()
    if problems and leftover in context.read_index().pending_deletions:
        raise problems[0]


def check_store_opens(context: Context, read: Callable[[], object]) -> Dialog[None]:
    """Check that a store opens before anything changes. A missing or damaged key can be deleted anyway."""
    try:
        yield from passphrase_prompt.run_unlocked(context, read)
    except (PassphraseNeeded, WrongPassphrase, StoreLocked, StoreTimedOut):
        raise
    except StoreError:
        return


def delete_items(context: Context, items: Iterable[StoredItem]) -> Dialog[list[Row]]:
    """Delete each; a row of each, ``bad`` with the reason for one that could not be deleted. Asks for a passphrase."""
    rows = []
    for item in items:
        try:
            yield from check_store_opens(context, item.read)
            item.delete()
            rows.append(Row(item.name, f"deleted from {store_name(item.store)}", "ok"))
        except MistralNbError as error:
            rows.append(Row(item.name, f"not deleted: {error.failed}", "bad", error.todo))
    return rows
