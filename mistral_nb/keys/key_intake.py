"""Obtain and store a key: ask, check its shape, remember, verify, store. `switch` and `login` share it."""

import itertools
from typing import Any, NamedTuple

from mistral_nb import environment
from mistral_nb.api.console_pages import OWN_KEYS_URL
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import ConcurrentChange, KeyRefused, MistralNbError, StoreError, WrongUsage
from mistral_nb.keys import (
    aside_keys,
    expiry,
    host_consent,
    key_prompt,
    other_keys,
    overwrite_checks,
    passphrase_prompt,
    revoked_keys,
    store_choice,
    workspace_choice,
)
from mistral_nb.keys.key_details import expiry_details, reported_details
from mistral_nb.prompts.confirm import MAX_TRIES, confirm
from mistral_nb.report import Ask, Dialog, PromptForm, Step
from mistral_nb.storage.index import Workspace
from mistral_nb.storage.store_protocol import store_name


class StoredKey(NamedTuple):
    """A key that was stored or, if no store accepted it, is in memory; ``problem`` then says why."""

    workspace: str
    key: Key
    entry: Workspace
    verdict: Verdict
    store_problem: str = ""
    source: str = key_prompt.AT_THE_PROMPT

    @property
    def origin(self) -> str:
        """Where it came from and is now, for a report."""
        return f"{self.source}, stored in {store_name(self.entry.store)}"

    def notes(self) -> tuple[str, ...]:
        """Notes on where the key was stored, and on whether Mistral was asked about it."""
        unverified = ("It is unverified: Mistral could not be asked. Run verify once it can be.",)
        return (*self._store_notes(), *(unverified if self.verdict.accepts_key is None else ()))

    def _store_notes(self) -> tuple[str, ...]:
        if self.store_problem:
            return (self.store_problem, "The key is in memory only; it is available until this process exits.")
        if self.entry.store == "memory":
            return ("It is in memory only; other processes will ask again. To store keys, set MISTRAL_NB_STORE=file.",)
        return ()


class LoginOptions(NamedTuple):
    """What was given with the command instead of being asked for."""

    workspace: str | None = None
    key_name: str | None = None
    expires: expiry.Expiry | None = None
    yes: bool = False
    ask_first: bool | None = None
    from_aside: str | None = None  # the id or tail of a key that is set aside; "" to choose one


def parse_ask_first(ask_first: bool, no_ask_first: bool) -> bool | None:
    """What ``--ask-first`` and ``--no-ask-first`` say; None for neither. Raises `WrongUsage` for both."""
    if ask_first and no_ask_first:
        raise WrongUsage("--ask-first and --no-ask-first cannot be used together.", "Use only one of them.")
    return ask_first if ask_first or no_ask_first else None


def obtain_key(context: Context, wishes: LoginOptions) -> Dialog[StoredKey]:
    """Ask for a key, verify it and keep it. Raises `KeyRefused`, `CannotAsk`, `NotAKey`."""
    yield from host_consent.confirm_host(context)
    revoked = None
    if wishes.from_aside is not None:
        source, key = yield from aside_keys.choose(context, wishes.from_aside)
    elif revoked := (yield from revoked_keys.offer(context, wishes.workspace)):
        source, key = revoked_keys.SOURCE, revoked.key
    else:
        source, key = yield from key_prompt.ask_for_key(context, wishes.workspace, _make_form(context, wishes))
    if not revoked:
        yield from overwrite_checks.confirm_revoked_key(context, key)
    environment.register_key(key, context.index)
    verdict = yield from _verify_key(context, key, wishes.workspace)
    workspace = wishes.workspace or (yield from _choose_name(verdict, key))
    target = yield from overwrite_checks.choose_target(context, workspace, key, wishes.yes)
    expires = wishes.expires
    if expires is None:
        expires = yield from ask_expiry(context, verdict)
    name = wishes.key_name or (yield from _ask_name(context, key))
    details = {
        **_details_kept(context, target.workspace, key),
        **reported_details(verdict),
        **({"name": name} if name else {}),
        **(expiry_details(expires) if expires.known else {}),
        **({"verified": context.timestamp()} if verdict.accepts_key else {}),
        "ask_first": _is_ask_first(context, target.workspace, wishes.ask_first),
    }
    while True:
        try:
            stored = yield from _store_with_retry(context, target, key, details, verdict)
            if revoked:
                revoked_keys.take_back(context, revoked)
            return stored._replace(source=source)
        except ConcurrentChange as faster:
            yield Step(faster.failed)
            target = yield from overwrite_checks.choose_target(context, target.workspace, key, wishes.yes)


def _make_form(context: Context, wishes: LoginOptions) -> PromptForm:
    expires = wishes.expires and (wishes.expires.on or ("never" if wishes.expires.known else ""))
    given = {"workspace": wishes.workspace, "name": wishes.key_name, "expires": expires}
    kept = {name: entry.tail for name, entry in context.stored_workspaces().items()}
    return PromptForm({name: value for name, value in given.items() if value is not None}, kept, OWN_KEYS_URL)


def _verify_key(context: Context, key: Key, wished: str | None) -> Dialog[Verdict]:
    yield Step("Asking Mistral about it …")
    verdict = context.verify(key)
    if verdict.accepts_key is not False:
        yield Step(
            verdict.sentence
            + (_describe_owner(verdict) if context.has_form else _wrong_workspace_note(verdict, wished))
        )
        return verdict
    for sentence in other_keys.refusal_sentences(context, key):
        yield Step(sentence)
    if not (yield from confirm("keep refused", f"{verdict.sentence} Keep it anyway?", default=False)):
        raise KeyRefused(f"Mistral refused the key …{key.tail}; it was not saved.", f"Create one at {OWN_KEYS_URL}")
    return verdict


def _describe_owner(verdict: Verdict) -> str:
    """For a card, which is not saved; outputs are saved, so they do not name the organisation."""
    identity = verdict.identity or Identity()
    workspace = f" workspace {identity.workspace}" if identity.workspace else ""
    organisation = f" organisation {identity.organisation}" if identity.organisation else ""
    joined = " of".join(filter(None, (workspace, organisation)))
    return f" It belongs to{joined}." if joined else ""


def _wrong_workspace_note(verdict: Verdict, wished: str | None) -> str:
    """A sentence if the key belongs to another workspace than the one named: perhaps the wrong one was copied."""
    workspace = verdict.identity.workspace if verdict.identity else None
    if not wished or not workspace or workspace_choice.slugify(workspace) == workspace_choice.slugify(wished):
        return ""
    return f" At Mistral it belongs to workspace {workspace}."


def _choose_name(verdict: Verdict, key: Key) -> Dialog[str]:
    default = workspace_choice.slugify(verdict.identity.workspace if verdict.identity else None)
    for _ in range(MAX_TRIES):
        answer = yield Ask("workspace", "Store it under the name", default=default)
        try:
            return workspace_choice.validate_name(str(answer).strip(), key)
        except WrongUsage as error:
            yield Step(str(error))
    return default


def ask_expiry(context: Context, verdict: Verdict) -> Dialog[expiry.Expiry]:
    """No API reports an ordinary key's expiry: one optional question, after the key was accepted."""
    if not verdict.accepts_key:
        return expiry.Expiry()
    for _ in range(MAX_TRIES):
        answer = yield Ask("expires", "When does it expire? (2027-01-31, 90d, never; Enter = unknown)", default="")
        try:
            return expiry.parse_expiry(str(answer or ""), context.today())
        except WrongUsage as error:
            yield Step(str(error))
    return expiry.Expiry()


def _ask_name(context: Context, key: Key) -> Dialog[str]:
    if not context.has_form:
        return ""
    for _ in range(MAX_TRIES):
        name = str((yield Ask("name", "The key's name at Mistral (optional)", default="")) or "")
        try:
            workspace_choice.refuse_key_as_name(name, key)
        except WrongUsage as error:
            yield Step(str(error))
        else:
            return name
    return ""


def _details_kept(context: Context, workspace: str, key: Key) -> dict[str, Any]:
    """What is noted already of the same key in this workspace, such as its expiry."""
    old = context.stored_workspaces().get(workspace)
    return old._asdict() if old and old.fingerprint == key.fingerprint else {}


def _is_ask_first(context: Context, workspace: str, wished: bool | None) -> bool:
    """As said; else as the key was that is replaced."""
    old = context.stored_workspaces().get(workspace)
    return bool(old and old.ask_first) if wished is None else wished


def _store_with_retry(
    context: Context, target: overwrite_checks.StoreTarget, key: Key, details: dict[str, Any], verdict: Verdict
) -> Dialog[StoredKey]:
    """Store it. A key just typed is never asked for again because a store failed: retry, or use memory."""
    while True:
        try:
            kept = yield from _store_key(context, target, key, details)
            return StoredKey(target.workspace, key, kept, verdict)
        except ConcurrentChange:
            raise
        except MistralNbError as error:
            if context.in_notebook:
                name = _free_name(context, target.workspace)
                kept = context.key_manager.keep(name, key, details, "memory")
                return StoredKey(name, key, kept, verdict, store_problem=str(error))
            yield from _ask_retry(error)


def _free_name(context: Context, workspace: str) -> str:
    """The workspace's name, or one beside it where another key is stored under it: memory takes no stored name."""
    names = itertools.chain((workspace, f"{workspace}-new"), (f"{workspace}-new-{n}" for n in itertools.count(2)))
    return next(name for name in names if overwrite_checks.stored_entry(context, name) is None)


def _store_key(
    context: Context, target: overwrite_checks.StoreTarget, key: Key, details: dict[str, Any]
) -> Dialog[Workspace]:
    def keep_in(store: str) -> Workspace:
        return context.key_manager.keep(target.workspace, key, details, store, expected=target.expected)

    store = yield from store_choice.choose_store(context)
    try:
        return (yield from passphrase_prompt.run_unlocked(context, lambda: keep_in(store)))
    except StoreError as error:
        if store != "keyring" or not context.interactive:
            raise
        instead = yield from store_choice.choose_without_keyring(context, error)
        return (yield from passphrase_prompt.run_unlocked(context, lambda: keep_in(instead)))


def _ask_retry(error: MistralNbError) -> Dialog[None]:
    """On the command line memory ends with the command: the person fixes what failed, and it is tried again."""
    question = f"{error} The key is not stored yet. Fix this, then try again?"
    if not (yield from confirm("try again", question, unattended=error)):
        raise error
