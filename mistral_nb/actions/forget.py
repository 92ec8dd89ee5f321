"""`forget`: remove a workspace's key from here. Its fingerprint stays, so that saves still catch it."""

from collections.abc import Generator

from mistral_nb import session
from mistral_nb.actions import admin_settle, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.pages import page_of
from mistral_nb.actions.placed import shown
from mistral_nb.errors import (
    Cancelled,
    CannotAsk,
    PassphraseNeeded,
    StoreError,
    StoreLocked,
    StoreTimedOut,
    WrongPassphrase,
    WrongUsage,
)
from mistral_nb.report import Action, Answer, Ask, Report, Step


def action(context: Context, workspace: str, trace: bool = False, yes: bool = False) -> Action:
    kept = context.keeper.workspaces()
    if workspace not in kept:
        there = f"Kept here: {', '.join(kept)}." if kept else "Nothing is kept here."
        raise WrongUsage("There is no such workspace.", there)
    tail, waiting = kept[workspace].tail, context.keeper.pending().get(workspace)
    who = shown(workspace, tail, kept[workspace])
    if not yes:
        new = f", and the new key …{waiting.tail} that waits" if waiting else ""
        question = f"Forget {who}{new}? Mistral shows a key only once, so nothing brings it back"
        try:
            answer = yield Ask("forget", question, choices=("yes", "no"))
        except CannotAsk:
            todo = f"Say so: {context.typed(f'forget {workspace} --yes')}"
            raise CannotAsk("Nobody is here to agree to that.", todo) from None
        if answer != "yes":
            raise Cancelled(f"{who} is still kept.")
    active = context.active
    yield from _reachable(context, workspace)
    begun = admin_settle.swapped_of(context, workspace)
    meant = kept[workspace].fingerprint, waiting.fingerprint if waiting else ""
    yield from unlock.unlocked(context, lambda: context.keeper.forget(workspace, trace=trace, meant=meant))
    if active and active.ours and active.workspace == workspace:
        session.deactivate(context.environ)
    traceless = ("Its fingerprint is gone too: saves no longer catch this key.",) if trace else ()
    return Report(
        f"Forgotten: {who}. At Mistral the key still works until you delete it: {page_of(kept[workspace].kind)}",
        notes=(*traceless, *admin_settle.give_up(context, begun)),
        data={"workspace": workspace, "tail": tail},
    )


def _reachable(context: Context, workspace: str) -> Generator[Ask | Step, Answer, None]:
    """Before anything changes: the store opens. A key that is missing or damaged can be forgotten all the same."""
    try:
        yield from unlock.unlocked(context, lambda: context.keeper.read(workspace))
    except (PassphraseNeeded, WrongPassphrase, StoreLocked, StoreTimedOut):
        raise
    except StoreError:
        return
