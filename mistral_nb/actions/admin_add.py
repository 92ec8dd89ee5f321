"""`add --admin`: keep an Admin key, under a workspace of its own kind."""

from collections.abc import Generator

from mistral_nb import session
from mistral_nb.actions import admin_key, choose, obtain, occupied, unfinished, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown, store_name
from mistral_nb.api.verdict import BACKOFFICE, Verdict
from mistral_nb.errors import Cancelled, KeyRefused, NotAKey, WrongUsage
from mistral_nb.key import Key, Secret
from mistral_nb.report import Action, Answer, Ask, Report, Step
from mistral_nb.store.index import ADMIN, utc_now

_TRIES = 3


def action(context: Context, wishes: obtain.Wishes) -> Action:
    from mistral_nb.api.admin_trouble import UNTRIED

    name = choose.checked_name(wishes.workspace or ADMIN)
    yield from admin_key.agree_to_host(context)
    yield from unfinished.finish(context)
    there = context.kept().get(name)
    if there and there.kind != ADMIN:
        raise WrongUsage(f"Workspace {name} keeps an ordinary key.", "Give the Admin key another name.")
    admin_key.verify(context)
    key = yield from _ask()
    yield from occupied.meant_though_revoked(context, key)
    session.enter(key, context.index)
    yield Step("Asking Mistral's Admin API about it …")
    verdict: Verdict = context.verify(key, context.config.api)
    yield Step(verdict.sentence)
    if verdict.accepts_key is False:
        question = "Keep it anyway?"
        if (yield Ask("keep refused", question, choices=("yes", "no"), default="no")) != "yes":
            raise KeyRefused(f"The Admin API refused …{key.tail}; it was not kept.", f"Make one: {BACKOFFICE}")
    expected = there.fingerprint if there else ""
    if there and there.fingerprint != key.fingerprint and not wishes.yes:
        held = shown(name, there.tail, there)
        question = f"{held} is kept. Replace it by …{key.tail}?"
        if (yield Ask("replace", question, choices=("yes", "no"))) != "yes":
            raise Cancelled(f"{held} is still kept.")
    yield from occupied.agree_over_waiting(context, name, key, yes=wishes.yes)
    store = yield from unlock.choose_store(context)
    details = {
        "kind": ADMIN,
        "name": wishes.name,
        "expires": wishes.expires.on if wishes.expires else None,
        "expiry_known": bool(wishes.expires and wishes.expires.known),
        "verified": utc_now() if verdict.accepts_key else None,
        "protected": bool(wishes.protected),
    }
    entry = yield from unlock.unlocked(
        context, lambda: context.keeper.keep(name, key, details, store, expected=expected)
    )
    return Report(
        f"Kept in {store_name(entry)}: {name} …{key.tail}, an Admin key.",
        notes=(f"What it shows: {context.typed('list --remote')}, {context.typed('usage')}", UNTRIED),
        data={"workspace": name, "tail": key.tail, "store": entry.store, "kind": entry.kind, "note": UNTRIED},
    )


def _ask() -> Generator[Ask | Step, Answer, Key]:
    problem = NotAKey("empty", "No Admin key was given.", "Nothing was changed.")
    for _ in range(_TRIES):
        pasted = yield Ask("key", "Admin API key of the organisation", masked=True)
        try:
            return Key.parse(pasted if isinstance(pasted, Secret) else "")
        except NotAKey as error:
            problem = error
            yield Step(error.failed)
    raise problem
