"""The end of a rotation by Admin key: the old key deleted at Mistral, after a yes."""

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mistral_nb.actions import admin_settle, unlock
from mistral_nb.actions.context import Context
from mistral_nb.api.admin import ORGANISATION_KEYS, Admin
from mistral_nb.errors import AdminFailed, CannotAsk, MistralNbError, StoreError
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store import intentions
from mistral_nb.store.intentions import Intention

if TYPE_CHECKING:
    from mistral_nb.actions.admin_make import Order


class Outcome(NamedTuple):
    deleted: bool
    notes: tuple[str, ...]
    exit_code: int = 0


def deleted(
    context: Context, admin: Admin, intention: Intention, order: "Order"
) -> Generator[Ask | Step, Answer, Outcome]:
    """Delete the old key, unless nobody says yes. The intention stays until it is decided."""
    tail, name = intention.old_tail, intention.workspace
    if order.keep_old:
        return _kept(context, intention)
    if still := _in_use(context, intention):
        return still
    if not (yield from _new_one_works(context, name)):
        again = f"When it is accepted: {context.typed(f'rotate {name}')}"
        why = f"The old key …{tail} is not deleted: Mistral does not accept the new one now."
        return Outcome(False, (why, again), 1)
    agreed = order.yes or (yield from _agreed(tail, name))
    if agreed is None:
        return Outcome(False, (f"The old key …{tail} is not deleted yet: {context.typed(f'rotate {name} --yes')}",))
    if not agreed:
        intentions.drop(context.index, intention)
        return Outcome(False, (f"The old key …{tail} stays at Mistral. Delete it there: {ORGANISATION_KEYS}",))
    return (yield from _delete(context, admin, intention))


def _kept(context: Context, intention: Intention) -> Outcome:
    name = intention.workspace
    aside = next((a for a in context.keeper.asides(name) if a.fingerprint == intention.old_fingerprint), None)
    entry = context.keeper.workspaces()[name]
    intentions.drop(context.index, intention)
    if aside is None:
        return Outcome(False, (f"The old key …{intention.old_tail} is not in its store any more.",))
    old = entry._replace(name=None, key_id=intention.old_key_id, expires=None, expiry_known=False, verified=None)
    context.keeper.keep_aside(aside, f"{name}-old", old)
    return Outcome(False, (f"The old key, …{intention.old_tail}, stays as {name}-old, here and at Mistral.",))


def _in_use(context: Context, intention: Intention) -> Outcome | None:
    """Not deleted where a workspace keeps it: under a second name, or because it was added again."""
    keeping = admin_settle.keepers_of(context, intention.old_fingerprint, intention.old_key_id)
    if not keeping:
        return None
    intentions.drop(context.index, intention)
    why = f"The old key …{intention.old_tail} is not deleted: workspace {keeping[0]} keeps it."
    return Outcome(False, (why, f"To replace it there too: {context.typed(f'rotate {keeping[0]}')}"))


def _new_one_works(context: Context, name: str) -> Generator[Ask | Step, Answer, bool]:
    """Asked once more, just before the old one goes."""
    key = yield from unlock.unlocked(context, lambda: context.keeper.read(name))
    return context.verify(key, context.config.api).accepts_key is True


def _agreed(tail: str, name: str) -> Generator[Ask | Step, Answer, bool | None]:
    """None where nobody is there to say it."""
    question = (
        f"Delete the old key …{tail} of {name} at Mistral? Whatever still uses it stops working. Type yes to delete it"
    )
    try:
        return (yield Ask("delete old", question)) == "yes"
    except CannotAsk:
        return None


def _delete(context: Context, admin: Admin, intention: Intention) -> Generator[Ask | Step, Answer, Outcome]:
    tail, name = intention.old_tail, intention.workspace
    if still := _in_use(context, intention):  # by now: a person may have taken minutes to say yes
        return still
    try:
        there = admin.delete(intention.old_key_id)
    except AdminFailed as error:
        again = f"The new key is in use. To try again: {context.typed(f'rotate {name} --yes')}"
        return Outcome(False, (f"The old key …{tail} is not deleted. {error}", again), error.exit_code)
    try:
        for aside in context.keeper.asides():
            if aside.fingerprint == intention.old_fingerprint:
                yield from unlock.unlocked(context, partial(context.keeper.drop_aside, aside))
    except (StoreError, MistralNbError) as error:
        yield Step(str(error))
    intentions.drop(context.index, intention)
    gone = "is deleted at Mistral" if there else "was not in Mistral's list any more"
    return Outcome(True, (f"The old key …{tail} {gone}, and here. Running kernels: %mistral_key use {name}",))
