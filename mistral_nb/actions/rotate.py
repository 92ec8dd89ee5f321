"""`rotate`: a new key takes the place of a workspace's key, without a gap.

The new key is stored in the slot that is not in use before Mistral is asked about it; it waits there
until it is accepted. What is interrupted goes on with the next `rotate`.
"""

from collections.abc import Generator
from typing import NamedTuple

from mistral_nb import session
from mistral_nb.actions import (
    admin_key,
    admin_make,
    admin_rotate,
    admin_settle,
    choose,
    expiry,
    new_key,
    obtain,
    occupied,
    same_workspace,
    unfinished,
    unlock,
)
from mistral_nb.actions.context import Context
from mistral_nb.actions.pages import page_of
from mistral_nb.actions.placed import shown, store_name, warnings
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.errors import Cancelled, StoreError, WrongUsage
from mistral_nb.key import Key
from mistral_nb.report import Action, Answer, Ask, Report, Step
from mistral_nb.store.index import ADMIN, Workspace

Talk = Generator[Ask | Step, Answer, Key]


class Turn(NamedTuple):
    """A rotation: the workspace, and its old key's entry; None where that was revoked meanwhile."""

    name: str
    old: Workspace | None
    key_name: str | None
    expires: expiry.Expiry | None


def action(  # noqa: PLR0917, the flags come by name
    context: Context,
    workspace: str | None = None,
    name: str | None = None,
    expires: str | None = None,
    keep_old: bool = False,
    yes: bool = False,
    by_hand: bool = False,
    wait: float | None = None,
) -> Action:
    choose.refuse_a_key(name or "")
    wanted = None if expires is None else expiry.parse(expires, context.today())
    yield from choose.agree_to_host(context)
    choice = yield from choose.choose(context, workspace)
    turn = _turn(context, choice.name, name, wanted, keep_old)
    occupied.refuse_where_memory_hides(context, turn.name)
    yield from unfinished.finish(context, rotating=turn.name)
    if not by_hand and admin_rotate.applies(context, turn.name):
        patience = admin_make.PATIENCE if wait is None else wait
        order = admin_make.Order(name, wanted, keep_old, yes, patience)
        return (yield from admin_rotate.action(context, turn.name, order))
    if turn.old and turn.old.kind == ADMIN:
        admin_key.verify(context)
    with context.keeper.rotating(turn.name):
        key = yield from _waiting_key(context, turn)
        if key is None:
            key = yield from _stage(context, turn)
        try:
            return (yield from _swapped(context, turn, key, keep_old=keep_old))
        except KeyboardInterrupt:
            raise _cancelled(context, turn, key) from None


def _swapped(context: Context, turn: Turn, key: Key, *, keep_old: bool) -> Action:
    verdict = yield from _asked(context, key)
    if not verdict.accepts_key:
        return (yield from _not_yet(context, turn, key, verdict))
    yield from same_workspace.check(context, turn.name, turn.old, key, verdict)
    entry = yield from _accept(context, turn, key, verdict)
    kept_old = _keep_old(context, turn) if keep_old else ""
    return _report(context, turn, key, entry, kept_old)


def _cancelled(context: Context, turn: Turn, key: Key) -> Cancelled:
    """Interrupted when the new key was stored already."""
    entry = context.keeper.workspaces().get(turn.name)
    if entry and entry.fingerprint == key.fingerprint:
        return Cancelled(f"Cancelled. The new key is in use: {shown(turn.name, entry.tail, entry)}.")
    stays = f" {shown(turn.name, entry.tail, entry)} stays in use." if entry else ""
    return Cancelled(
        f"Cancelled. The new key …{key.tail} waits here.{stays}",
        f"To go on with it: {context.typed(f'rotate {turn.name}')}",
    )


def _turn(context: Context, name: str | None, key_name: str | None, wanted: expiry.Expiry | None, keep: bool) -> Turn:
    kept = context.keeper.workspaces()
    if not name or (name not in kept and name not in context.keeper.pending()):
        what = f"No key is kept for a workspace named {name}." if name else "No key is kept here."
        raise WrongUsage(
            what, f"There is nothing to rotate. Add a key: {context.typed(f'add {name}' if name else 'add')}"
        )
    if keep:
        choose.checked_name(f"{name}-old")
    if keep and f"{name}-old" in kept:
        raise WrongUsage(
            f"There is a workspace {name}-old already, which is where --keep-old keeps the old key.",
            f"First: {context.typed(f'forget {name}-old')}",
        )
    return Turn(name, kept.get(name), key_name, wanted)


def _waiting_key(context: Context, turn: Turn) -> Generator[Ask | Step, Answer, Key | None]:
    """The new key of a rotation that was interrupted, or that Mistral did not accept yet."""
    waiting = context.keeper.pending().get(turn.name)
    if waiting is None:
        return None
    key = yield from unlock.unlocked(context, lambda: context.keeper.read_pending(turn.name))
    if key is None:
        context.keeper.drop_pending(turn.name)
        yield Step(f"A rotation of {turn.name} was interrupted before the new key was stored; it begins anew.")
        return None
    session.enter(key, context.index)
    yield Step(f"A rotation of {turn.name} is not finished: the new key …{key.tail} waits. Going on with it.")
    return key


def _stage(context: Context, turn: Turn) -> Talk:
    """Ask for the new key and put it beside the old one."""
    old = turn.old
    if old is None:
        raise StoreError(f"The new key of {turn.name} is lost.", f"Add one: {context.typed(f'add {turn.name}')}")
    yield from new_key.guidance(context, turn.name, turn.key_name, old)
    key = yield from new_key.ask(context, turn.name, old)
    session.enter(key, context.index)
    details = {"name": turn.key_name, "kind": old.kind, "protected": old.protected}
    yield from unlock.unlocked(context, lambda: context.keeper.stage(turn.name, key, details, old.fingerprint))
    return key


def _asked(context: Context, key: Key) -> Generator[Ask | Step, Answer, Verdict]:
    """Mistral's answer; as long as somebody says so, it is asked again about a key that it refuses."""
    while True:
        yield Step(f"Asking Mistral about …{key.tail} …")
        verdict = context.verify(key, context.config.api)
        yield Step(verdict.sentence)
        if verdict.accepts_key:
            return verdict
        again = yield Ask("again", "Ask Mistral again now?", choices=("yes", "no"), default="no")
        if again != "yes":
            return verdict


def _not_yet(context: Context, turn: Turn, key: Key, verdict: Verdict) -> Generator[Ask | Step, Answer, Report]:
    """The new key waits, or goes; either way the old one stays in use."""
    stays = f"{shown(turn.name, turn.old.tail, turn.old)} stays in use." if turn.old else ""
    data = {"workspace": turn.name, "tail": key.tail, "verdict": verdict.kind, "rotated": False}
    if verdict.accepts_key is False:
        question = f"A new key is sometimes refused for some minutes. Keep …{key.tail} to try again later?"
        if (yield Ask("wait", question, choices=("yes", "no"), default="yes")) != "yes":
            yield from unlock.unlocked(context, lambda: context.keeper.drop_pending(turn.name))
            title = f"Not rotated: Mistral refuses …{key.tail}, which was deleted here. {stays}"
            return Report(title.strip(), exit_code=1, data=data)
        title = f"Not rotated yet: Mistral does not accept …{key.tail}. {stays}"
    else:
        title = f"Not rotated yet: Mistral could not be asked about …{key.tail}. {stays}"
    later = (
        f"The new key waits here, in {_place(context, turn)}. In some minutes: {context.typed(f'rotate {turn.name}')}"
    )
    return Report(title.strip(), notes=(later,), exit_code=verdict.exit_code, data=data)


def _accept(context: Context, turn: Turn, key: Key, verdict: Verdict) -> Generator[Ask | Step, Answer, Workspace]:
    """The swap: index, then environment; the guard hears of it from there."""
    expires = turn.expires
    if expires is None:
        expires = yield from obtain.ask_expiry(context, verdict)
    identity = verdict.identity or Identity()
    details = {
        "name": turn.key_name or identity.key_name,
        "organisation": identity.organisation,
        "mistral_workspace": identity.workspace,
        "key_id": identity.key_id,
        "expires": expires.on,
        "expiry_known": expires.known,
        "verified": context.stamp(),
        "protected": bool(turn.old and turn.old.protected),
    }
    entry = yield from unlock.unlocked(context, lambda: context.keeper.accept(turn.name, key.fingerprint, details))
    active = context.active
    if active and active.ours and active.workspace == turn.name:
        session.activate(key, turn.name, f"rotation, kept in {store_name(entry)}", context.environ)
    return entry


def _keep_old(context: Context, turn: Turn) -> str:
    """The name under which the old key stays usable."""
    asides = context.keeper.asides(turn.name)
    old = turn.old
    aside = next((a for a in asides if old and a.fingerprint == old.fingerprint), None)
    if aside is None or old is None:
        return ""
    name = f"{turn.name}-old"
    context.keeper.keep_aside(aside, name, old)
    return name


def _report(context: Context, turn: Turn, key: Key, entry: Workspace, kept_old: str) -> Report:
    old = turn.old
    notes: tuple[str, ...] = ()
    page = page_of(entry.kind)
    also = admin_settle.keepers_of(context, old.fingerprint) if old and not kept_old else []
    if old and also:
        notes = (
            f"Workspace {also[0]} keeps the old key, …{old.tail}, too. Before you delete it at Mistral: "
            f"{context.typed(f'rotate {also[0]}')}",
        )
    elif old and kept_old:
        notes = (
            f"The old key, …{old.tail}, stays as {kept_old}. When nothing uses it any more, delete it: {page}",
            f"Whether Mistral still accepts it: {context.typed(f'verify {turn.name} --old')}",
        )
    elif old:
        notes = (
            f"Now delete the old key, …{old.tail}, at Mistral: {page}",
            f"Then see that it is refused: {context.typed(f'verify {turn.name} --old')}",
            f"Other running kernels use the old key until they get the new one: %mistral_key use {turn.name}",
        )
    was = f" in place of …{old.tail}" if old else ""
    return Report(
        f"Rotated: {shown(turn.name, key.tail, entry)}{was}, kept in {store_name(entry)}.",
        notes=(*notes, *warnings(context)),
        data={"workspace": turn.name, "tail": key.tail, "old": old.tail if old else None, "rotated": True},
    )


def _place(context: Context, turn: Turn) -> str:
    waiting = context.keeper.pending().get(turn.name)
    return store_name(waiting) if waiting else "the store"
