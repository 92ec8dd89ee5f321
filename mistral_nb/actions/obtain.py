"""From nothing to a kept key: ask, look at its shape, remember, verify, keep. `use` and `add` share it."""

from collections.abc import Generator
from typing import Any, NamedTuple

from mistral_nb import session
from mistral_nb.actions import ask_key, choose, expiry, occupied, unlock
from mistral_nb.actions.context import Context
from mistral_nb.api.verdict import OWN_KEYS, Identity, Verdict
from mistral_nb.errors import CannotAsk, KeyRefused, MistralNbError, Overtaken, StoreError, WrongUsage
from mistral_nb.key import Key
from mistral_nb.report import Answer, Ask, Form, Step
from mistral_nb.store.index import Workspace

_TRIES = 3
Details = dict[str, Any]


class Obtained(NamedTuple):
    """A key that is kept, or where no store took it, in memory; ``problem`` then says why."""

    workspace: str
    key: Key
    entry: Workspace
    verdict: Verdict
    problem: str = ""

    def notes(self) -> tuple[str, ...]:
        """What a person should know of where the key went."""
        if self.problem:
            return (self.problem, "The key is kept in memory only: it works here until this process ends.")
        if self.entry.store == "memory":
            return ("It is in memory only: another process asks again. To keep keys: set MISTRAL_NB_STORE=file.",)
        return ()


class Wishes(NamedTuple):
    """What was given with the command instead of being asked for."""

    workspace: str | None = None
    name: str | None = None
    expires: expiry.Expiry | None = None
    yes: bool = False
    protected: bool | None = None


def obtain(context: Context, wishes: Wishes) -> Generator[Ask | Step, Answer, Obtained]:
    """Ask for a key, verify it and keep it. Raises `KeyRefused`, `CannotAsk`, `NotAKey`."""
    yield from choose.agree_to_host(context)
    key = yield from ask_key.ask_for_key(context, wishes.workspace, _form(context, wishes))
    yield from occupied.meant_though_revoked(context, key)
    session.enter(key, context.index)
    verdict = yield from _verified(context, key, wishes.workspace)
    workspace = wishes.workspace or (yield from _name_it(verdict, key))
    target = yield from occupied.free_or_replaced(context, workspace, key, wishes.yes)
    expires = wishes.expires
    if expires is None:
        expires = yield from ask_expiry(context, verdict)
    name = wishes.name or (yield from _ask_name(context, key))
    details = _details(verdict, name, expires)
    details["verified"] = context.stamp() if verdict.accepts_key else None
    details["protected"] = _protected(context, target.workspace, wishes.protected)
    while True:
        try:
            return (yield from _put_away(context, target, key, details, verdict))
        except Overtaken as faster:
            yield Step(faster.failed)
            target = yield from occupied.free_or_replaced(context, target.workspace, key, wishes.yes)


def _form(context: Context, wishes: Wishes) -> Form:
    expires = wishes.expires and (wishes.expires.on or ("never" if wishes.expires.known else ""))
    given = {"workspace": wishes.workspace, "name": wishes.name, "expires": expires}
    kept = {name: entry.tail for name, entry in context.kept().items()}
    return Form({name: value for name, value in given.items() if value is not None}, kept, OWN_KEYS)


def _verified(context: Context, key: Key, wished: str | None) -> Generator[Ask | Step, Answer, Verdict]:
    yield Step("Asking Mistral about it …")
    verdict = context.verify(key, context.config.api)
    if verdict.accepts_key is not False:
        yield Step(verdict.sentence + (_whose(verdict) if context.form else _elsewhere(verdict, wished)))
        return verdict
    answer = yield Ask("keep refused", f"{verdict.sentence} Keep it anyway?", choices=("yes", "no"), default="no")
    if answer != "yes":
        raise KeyRefused(f"Mistral refused the key …{key.tail}; it was not kept.", f"Make one at {OWN_KEYS}")
    return verdict


def _whose(verdict: Verdict) -> str:
    """For a card, which is not saved; outputs, which are, name no organisation."""
    identity = verdict.identity or Identity()
    workspace = f" workspace {identity.workspace}" if identity.workspace else ""
    organisation = f" organisation {identity.organisation}" if identity.organisation else ""
    joined = " of".join(filter(None, (workspace, organisation)))
    return f" It belongs to{joined}." if joined else ""


def _elsewhere(verdict: Verdict, wished: str | None) -> str:
    """Said where the key is not of the workspace that was named: the wrong one was copied, perhaps."""
    workspace = verdict.identity.workspace if verdict.identity else None
    if not wished or not workspace or choose.slug(workspace) == choose.slug(wished):
        return ""
    return f" At Mistral it belongs to workspace {workspace}."


def _name_it(verdict: Verdict, key: Key) -> Generator[Ask | Step, Answer, str]:
    default = choose.slug(verdict.identity.workspace if verdict.identity else None)
    for _ in range(_TRIES):
        answer = yield Ask("workspace", "Keep it here under the name", default=default)
        try:
            return choose.checked_name(str(answer).strip(), key)
        except WrongUsage as error:
            yield Step(str(error))
    return default


def ask_expiry(context: Context, verdict: Verdict) -> Generator[Ask | Step, Answer, expiry.Expiry]:
    """No API tells an ordinary key's expiry: one optional question, after the key was accepted."""
    if not verdict.accepts_key:
        return expiry.Expiry()
    for _ in range(_TRIES):
        answer = yield Ask("expires", "When does it expire? (2027-01-31, 90d, never; Enter = unknown)", default="")
        try:
            return expiry.parse(str(answer or ""), context.today())
        except WrongUsage as error:
            yield Step(str(error))
    return expiry.Expiry()


def _ask_name(context: Context, key: Key) -> Generator[Ask | Step, Answer, str]:
    if not context.form:
        return ""
    for _ in range(_TRIES):
        name = str((yield Ask("name", "The key's name at Mistral, if you like", default="")) or "")
        try:
            choose.refuse_a_key(name, key)
        except WrongUsage as error:
            yield Step(str(error))
        else:
            return name
    return ""


def _protected(context: Context, workspace: str, wished: bool | None) -> bool:
    """As said; else as the key was that is replaced."""
    old = context.kept().get(workspace)
    return bool(old and old.protected) if wished is None else wished


def _details(verdict: Verdict, name: str | None, expires: expiry.Expiry) -> Details:
    """What the index notes beside the key: fields of `Workspace`."""
    identity = verdict.identity or Identity()
    return {
        "name": name or identity.key_name,
        "organisation": identity.organisation,
        "mistral_workspace": identity.workspace,
        "key_id": identity.key_id,
        "expires": expires.on,
        "expiry_known": expires.known,
    }


def _put_away(
    context: Context, target: occupied.Target, key: Key, details: Details, verdict: Verdict
) -> Generator[Ask | Step, Answer, Obtained]:
    """Keep it. A key just typed is never asked for again because a store failed: another try, or memory."""
    while True:
        try:
            kept = yield from _keep(context, target, key, details)
            return Obtained(target.workspace, key, kept, verdict)
        except Overtaken:
            raise
        except MistralNbError as error:
            if context.in_notebook:
                kept = context.keeper.keep(target.workspace, key, details, "memory")
                return Obtained(target.workspace, key, kept, verdict, problem=str(error))
            yield from _another_try(error)


def _keep(
    context: Context, target: occupied.Target, key: Key, details: Details
) -> Generator[Ask | Step, Answer, Workspace]:
    def keep_in(store: str) -> Workspace:
        return context.keeper.keep(target.workspace, key, details, store, expected=target.expected)

    store = yield from unlock.choose_store(context)
    try:
        return (yield from unlock.unlocked(context, lambda: keep_in(store)))
    except StoreError as error:
        if store != "keyring" or not context.interactive:
            raise
        instead = yield from unlock.without_a_keyring(context, error)
        return (yield from unlock.unlocked(context, lambda: keep_in(instead)))


def _another_try(error: MistralNbError) -> Generator[Ask | Step, Answer, None]:
    """On the command line memory ends with the command: the person mends what failed, and it is tried again."""
    question = f"{error} The key is not kept yet. Mend that, then try again?"
    try:
        answer = yield Ask("try again", question, choices=("yes", "no"))
    except CannotAsk:
        raise error from None
    if answer != "yes":
        raise error
