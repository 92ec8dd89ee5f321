"""`move`: a workspace's key from one store to another."""

from collections.abc import Generator

from mistral_nb.actions import choose, occupied, unfinished, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import STORE_NAMES, shown
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Action, Answer, Ask, Report, Step
from mistral_nb.store.base import FILE, KEYRING
from mistral_nb.store.index import Workspace


def action(context: Context, workspace: str, store: str) -> Action:
    if store not in (KEYRING, FILE):
        raise WrongUsage(f"A key can't be moved to {store}.", "Move it to keyring or to file.")
    name = choose.checked_name(workspace)
    yield from unfinished.finish(context)
    kept = context.keeper.workspaces()
    if name not in kept:
        raise WrongUsage(f"No key is kept for a workspace named {name}.", f"See {context.typed('status')}.")
    before = kept[name]
    if before.store == store:
        return Report(
            f"{shown(name, before.tail, before)} is in {STORE_NAMES[store]} already.", data=_data(name, store)
        )
    occupied.refuse_while_rotating(context, name)
    why_not = context.stores[store].why_not() if store == KEYRING else None
    if why_not and not context.interactive:
        raise why_not
    hidden = yield from _hidden(context, name, before)
    entry = yield from unlock.unlocked(context, lambda: context.keeper.move(name, store, hidden))
    was = STORE_NAMES.get(before.store, before.store)
    return Report(
        f"Moved: {shown(name, entry.tail, entry)}, from {was} to {STORE_NAMES[store]}.", data=_data(name, store)
    )


def _hidden(context: Context, name: str, before: Workspace) -> Generator[Ask | Step, Answer, str]:
    """The fingerprint of a stored key that one in memory hides, "" for none: the move takes its place."""
    stored = occupied.stored_entry(context, name)
    if stored is None or stored.fingerprint == before.fingerprint:
        return stored.fingerprint if stored else ""
    stays = f"Give yours another name first: {context.typed(f'rename {name} NEW_NAME')}"
    if not (yield from occupied.may_replace(context, name, stored, context.keeper.read(name), stays)):
        raise WrongUsage(f"Workspace {shown(name, stored.tail, stored)} stays as it is.", stays)
    return stored.fingerprint


def _data(name: str, store: str) -> dict[str, str]:
    return {"workspace": name, "store": store}
