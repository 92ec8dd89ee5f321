"""`rotate` with an Admin key: the new key is made and the old one deleted by Mistral's Admin API.

The intention is written down before each request. At every failure it stops in a state that works,
and says which: the next `rotate` goes on from there.
"""

from collections.abc import Generator

from mistral_nb import session
from mistral_nb.actions import admin_key, admin_old, admin_settle, expiry, unlock
from mistral_nb.actions.admin_make import Order, Turn, in_use, made
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown, store_name, warnings
from mistral_nb.api.admin import UNTRIED, Admin
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.errors import AdminFailed, Cancelled
from mistral_nb.key import Key
from mistral_nb.report import Answer, Ask, Report, Step
from mistral_nb.store import intentions
from mistral_nb.store.index import ADMIN, Workspace, utc_now
from mistral_nb.store.intentions import Intention

Talk = Generator[Ask | Step, Answer, Report]


def applies(context: Context, name: str) -> bool:
    """Whether a rotation of this workspace goes by Admin key: there is one, and no pasted key waits."""
    entry, waiting = context.keeper.workspaces().get(name), context.keeper.pending().get(name)
    if not admin_key.at_hand(context) or (entry and entry.kind == ADMIN):
        return False
    begun = intentions.of(context.index, name)
    return waiting is None or bool(begun and begun.fingerprint == waiting.fingerprint)


def action(context: Context, name: str, order: Order) -> Talk:
    try:
        return (yield from _rotated(context, name, order))
    except KeyboardInterrupt:
        if intentions.of(context.index, name) is None:
            raise
        todo = f"To go on with the rotation: {context.typed(f'rotate {name}')}"
        raise Cancelled(f"Cancelled. {in_use(context, name)}".strip(), todo) from None
    except AdminFailed as error:
        todo = f"{error.todo} By hand: {context.typed(f'rotate {name} --by-hand')}"
        raise AdminFailed(f"{error.failed} {in_use(context, name)}", todo, error.kind) from None


def _rotated(context: Context, name: str, order: Order) -> Talk:
    found = yield from admin_key.find(context)
    admin = Admin(found.key, admin_key.base(context))
    with context.keeper.rotating(name):
        yield from admin_settle.settle(context, admin, held=name)
        turn = Turn(name, context.keeper.workspaces().get(name), order, admin)
        intention = intentions.of(context.index, name)
        if intention and (yield from _is_in_use_again(context, intention)):
            intention = None
        if intention and (intention.step == intentions.DELETE or admin_settle.swapped(context, intention)):
            yield Step(f"A rotation of {name} is not finished: the old key …{intention.old_tail} is still at Mistral.")
            return (yield from _finished(context, turn, intention, ""))
        key = None
        if intention and admin_settle.waits(context, intention):
            key = yield from unlock.unlocked(context, lambda: context.keeper.read_pending(name))
            if key is None:
                context.keeper.drop_pending(name)
                yield from admin_settle.settle(context, admin, held=name)
        clamped = ""
        if intention is None or key is None:
            intention, key, clamped = yield from made(context, turn)
        else:
            yield Step(f"A rotation of {name} is not finished: the new key …{key.tail} waits. Going on with it.")
        session.enter(key, context.index)
        verdict = yield from _accepted(context, key, order.wait)
        if not verdict.accepts_key:
            return _not_yet(context, turn, key, verdict)
        yield from _swap(context, turn, key, verdict)
        intention = intention._replace(step=intentions.DELETE)
        intentions.note(context.index, intention)
        return (yield from _finished(context, turn, intention, clamped))


def _is_in_use_again(context: Context, intention: Intention) -> Generator[Ask | Step, Answer, bool]:
    """An old key that was to be deleted, and that a workspace keeps by now: then it is not an old one any more."""
    keeping = admin_settle.keepers_of(context, intention.old_fingerprint, intention.old_key_id)
    if intention.step != intentions.DELETE or admin_settle.swapped(context, intention) or not keeping:
        return False
    intentions.drop(context.index, intention)
    yield Step(f"The key …{intention.old_tail}, which a rotation was to delete, is in use again as {keeping[0]}.")
    return True


def _accepted(context: Context, key: Key, patience: float) -> Generator[Ask | Step, Answer, Verdict]:
    """Mistral's answer, asked for again until the key is accepted or ``patience`` seconds are over."""
    waited, pause = 0.0, 0.5
    while True:
        verdict = context.verify(key, context.config.api)
        if verdict.accepts_key or waited >= patience:
            return verdict
        if not waited:
            yield Step(f"Mistral does not accept …{key.tail} yet. Asking again for up to {patience:g} seconds …")
        pause = min(pause * 2, 15.0, max(patience - waited, 0.1))
        context.sleep(pause)
        waited += pause


def _swap(context: Context, turn: Turn, key: Key, verdict: Verdict) -> Generator[Ask | Step, Answer, None]:
    identity = verdict.identity or Identity()
    told = {
        "name": identity.key_name,
        "organisation": identity.organisation,
        "mistral_workspace": identity.workspace,
    }
    details = {"verified": utc_now(), **{name: value for name, value in told.items() if value}}
    yield from unlock.unlocked(context, lambda: context.keeper.accept(turn.name, key.fingerprint, details))
    active = context.active
    if active and active.ours and active.workspace == turn.name:
        session.activate(key, turn.name, f"rotation, kept in {store_name(_entry(context, turn))}", context.environ)


def _entry(context: Context, turn: Turn) -> Workspace:
    return context.keeper.workspaces()[turn.name]


def _not_yet(context: Context, turn: Turn, key: Key, verdict: Verdict) -> Report:
    again = f"The new key waits here. In some minutes: {context.typed(f'rotate {turn.name}')}"
    what = "does not accept" if verdict.accepts_key is False else "could not be asked about"
    return Report(
        f"Not rotated yet: Mistral {what} …{key.tail}. {in_use(context, turn.name)}".strip(),
        notes=(verdict.sentence, again, UNTRIED),
        exit_code=verdict.exit_code or 1,
        data={"workspace": turn.name, "tail": key.tail, "verdict": verdict.kind, "rotated": False, "note": UNTRIED},
    )


def _finished(context: Context, turn: Turn, intention: Intention, clamped: str) -> Talk:
    """The new key is in use: the old one is deleted, if somebody says so."""
    entry = _entry(context, turn)
    outcome = yield from admin_old.deleted(context, turn.admin, intention, turn.order)
    words, _ = expiry.sentence(entry, context.today())
    title = (
        f"Rotated: {shown(turn.name, entry.tail, entry)} in place of …{intention.old_tail}, "
        f"kept in {store_name(entry)}; it expires: {words}."
    )
    data = {
        "workspace": turn.name,
        "tail": entry.tail,
        "old": intention.old_tail,
        "rotated": True,
        "old_deleted": outcome.deleted,
        "expires": entry.expires,
        "note": UNTRIED,
    }
    notes = (*filter(None, (clamped,)), *outcome.notes, *warnings(context), UNTRIED)
    return Report(title, notes=notes, exit_code=outcome.exit_code, data=data)
