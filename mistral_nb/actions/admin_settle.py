"""What an interrupted rotation by Admin key left at Mistral: looked up, and deleted or named.

A key whose text is lost can't be adopted: it is shown once. A key that waits in its store is.
"""

import contextlib
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

from mistral_nb.actions.context import Context
from mistral_nb.api.admin import ORGANISATION_KEYS, Admin
from mistral_nb.errors import AdminFailed, MistralNbError, StoreTimedOut
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store import intentions
from mistral_nb.store.intentions import Intention

_ON_THE_WAY = timedelta(hours=1)  # a request that seemed lost may still be carried out


def settle(context: Context, admin: Admin, held: str | None = None) -> Generator[Ask | Step, Answer, None]:
    """Finish what needs no person, for every workspace that no process is rotating; ``held``: the one we are."""
    for intention in intentions.read(context.index):
        try:
            ours = intention.workspace == held
            with contextlib.nullcontext() if ours else context.keeper.rotating(intention.workspace):
                yield from _settle(context, admin, intention)
        except StoreTimedOut:
            continue
        except AdminFailed as error:  # it stays noted
            yield Step(str(error))


def swapped(context: Context, intention: Intention) -> bool:
    """Whether the new key has become the workspace's."""
    entry = context.keeper.workspaces().get(intention.workspace)
    return bool(entry and intention.fingerprint and entry.fingerprint == intention.fingerprint)


def waits(context: Context, intention: Intention) -> bool:
    """Whether the new key is stored, and waits to be accepted."""
    entry = context.keeper.pending().get(intention.workspace)
    return bool(entry and intention.fingerprint and entry.fingerprint == intention.fingerprint)


def keepers_of(context: Context, fingerprint: str | None, key_id: str | None = None) -> list[str]:
    """The workspaces that keep a key, or wait for it: it is not to be deleted. Also those that memory hides."""
    stored = context.contents()
    places = (context.keeper.workspaces(), context.keeper.pending(), stored.workspaces, stored.pending)
    entries = (item for place in places for item in place.items())
    same = (
        name
        for name, entry in entries
        if (fingerprint and entry.fingerprint == fingerprint) or (key_id and entry.key_id == key_id)
    )
    return list(dict.fromkeys(same))


def swapped_of(context: Context, workspace: str) -> list[Intention]:
    """The rotations of a workspace that only have the old key to delete."""
    return [
        intention
        for intention in intentions.read(context.index)
        if intention.workspace == workspace and (intention.step == intentions.DELETE or swapped(context, intention))
    ]


def give_up(context: Context, begun: list[Intention]) -> tuple[str, ...]:
    """Their workspace's key is gone, so no `rotate` finishes them: what they leave at Mistral, in sentences."""
    for intention in begun:
        intentions.drop(context.index, intention)
    return tuple(
        f"A rotation of {intention.workspace} was not finished: its old key …{intention.old_tail} may still be at "
        f"Mistral. Delete it there: {ORGANISATION_KEYS}"
        for intention in begun
        if not keepers_of(context, intention.old_fingerprint)
    )


def _settle(context: Context, admin: Admin, intention: Intention) -> Generator[Ask | Step, Answer, None]:
    if intention.step == intentions.DELETE or swapped(context, intention) or waits(context, intention):
        return
    if keepers_of(context, intention.fingerprint):  # under another name by now
        intentions.drop(context.index, intention)
        return
    if intention.key_id:
        yield from remove(context, admin, intention, intention.key_id)
        return
    left = admin.matching(intention.name, lambda key: key.name == intention.name)
    for key in left:
        yield from remove(context, admin, intention, key.key_id)
    if not left and _is_over(intention):
        intentions.drop(context.index, intention)


def remove(context: Context, admin: Admin, intention: Intention, key_id: str) -> Generator[Ask | Step, Answer, None]:
    """Delete the new key, whose text is nowhere, at Mistral; then forget the intention."""
    admin.delete(key_id)
    intentions.drop(context.index, intention)
    yield Step(
        f"The key {intention.name}, which a rotation of {intention.workspace} had made and which is in no store, "
        "is deleted at Mistral."
    )


def undo(context: Context, admin: Admin, intention: Intention, key_id: str | None) -> str:
    """After a failure: the new key deleted at Mistral, if that can be done now; a sentence on how it stands."""
    try:
        named = [] if key_id else admin.matching(intention.name, lambda key: key.name == intention.name)
        found = [key_id] if key_id else [key.key_id for key in named]
        for each in found:
            admin.delete(each)
        if found:
            intentions.drop(context.index, intention)
            return "The key that was made for it is deleted at Mistral."
    except MistralNbError:
        pass
    return (
        f"A key named {intention.name} may be left at Mistral: "
        f"{context.typed(f'rotate {intention.workspace}')} looks for it and deletes it."
    )


def _is_over(intention: Intention) -> bool:
    try:
        return datetime.now(UTC) - datetime.fromisoformat(intention.since) > _ON_THE_WAY
    except (ValueError, TypeError):
        return True
