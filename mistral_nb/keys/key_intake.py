"""Obtain and store a key: ask, check its shape, remember, verify, store. `switch` and `login` share it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mistral_nb import environment
from mistral_nb.api.console_pages import OWN_KEYS_URL
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import ConcurrentChange, KeyRefused, WrongUsage
from mistral_nb.keys import (
    aside_keys,
    expiry,
    host_consent,
    interrupted_login,
    key_naming,
    key_prompt,
    key_saving,
    optional_details,
    other_keys,
    overwrite_checks,
    revoked_keys,
    workspace_choice,
)
from mistral_nb.keys.key_details import expiry_details, reported_details
from mistral_nb.keys.key_saving import StoredKey
from mistral_nb.prompts.confirm import confirm
from mistral_nb.report import Dialog, PromptForm, Step


class LoginOptions(NamedTuple):
    """What was given with the command instead of being asked for."""

    workspace: str | None = None
    key_name: str | None = None
    expires: expiry.Expiry | None = None
    yes: bool = False
    ask_first: bool | None = None
    from_aside: str | None = None  # the id or tail of a key that is set aside; "" to choose one
    offer_revoked: bool = True  # a key that was revoked in this workspace


def parse_ask_first(ask_first: bool, no_ask_first: bool) -> bool | None:
    """What ``--ask-first`` and ``--no-ask-first`` say; None for neither. Raises `WrongUsage` for both."""
    if ask_first and no_ask_first:
        raise WrongUsage("--ask-first and --no-ask-first cannot be used together.", "Use only one of them.")
    return ask_first if ask_first or no_ask_first else None


def obtain_key(context: Context, wishes: LoginOptions) -> Dialog[StoredKey]:
    """Ask for a key, verify it and keep it. Raises `KeyRefused`, `CannotAsk`, `NotAKey`.

    Outside a form, Ctrl-C at a question after the key was verified keeps it, and raises `Cancelled`.
    """
    yield from host_consent.confirm_host(context)
    revoked = None
    if wishes.from_aside is not None:
        source, key = yield from aside_keys.choose(context, wishes.from_aside)
    elif wishes.offer_revoked and (revoked := (yield from revoked_keys.offer(context, wishes.workspace))):
        source, key = revoked_keys.SOURCE, revoked.key
    else:
        source, key = yield from key_prompt.ask_for_key(context, wishes.workspace, _make_form(context, wishes))
    if not revoked:
        yield from overwrite_checks.confirm_revoked_key(context, key)
    environment.register_key(key, context.index)
    verdict = yield from _verify_key(context, key, wishes.workspace)
    rest = _name_and_store(context, wishes, key, verdict)
    try:  # a form's Cancel drops what was typed
        stored = yield from (rest if context.has_form else interrupted_login.mark_interrupts(rest))
    except interrupted_login.QuestionInterrupted:
        name = wishes.workspace or key_naming.suggest_name(context, verdict, key)
        details = _make_details(context, wishes, name, key, verdict)
        cancelled = interrupted_login.keep_anyway(context, name, key, details)
        if revoked:
            revoked_keys.take_back(context, revoked)
        raise cancelled from None
    if revoked:
        revoked_keys.take_back(context, revoked)
    return stored._replace(source=source)


def _name_and_store(context: Context, wishes: LoginOptions, key: Key, verdict: Verdict) -> Dialog[StoredKey]:
    workspace = wishes.workspace or (yield from key_naming.choose_name(context, verdict, key))
    target = yield from overwrite_checks.choose_target(context, workspace, key, wishes.yes)
    expires = wishes.expires
    if expires is None:
        expires = yield from optional_details.ask_expiry(context, verdict)
    name = wishes.key_name or (yield from optional_details.ask_name(context, key))
    wishes = wishes._replace(expires=expires, key_name=name)
    while True:
        details = _make_details(context, wishes, target.workspace, key, verdict)
        try:
            return (yield from key_saving.save_key(context, target, key, details, verdict))
        except ConcurrentChange as faster:
            yield Step(faster.failed)
            target = yield from overwrite_checks.choose_target(context, target.workspace, key, wishes.yes)


def _make_details(
    context: Context, wishes: LoginOptions, workspace: str, key: Key, verdict: Verdict
) -> Mapping[str, Any]:
    return {
        **_details_kept(context, workspace, key),
        **reported_details(verdict),
        **({"name": wishes.key_name} if wishes.key_name else {}),
        **(expiry_details(wishes.expires) if wishes.expires and wishes.expires.known else {}),
        **({"verified": context.timestamp()} if verdict.accepts_key else {}),
        "ask_first": _is_ask_first(context, workspace, wishes.ask_first),
    }


def _make_form(context: Context, wishes: LoginOptions) -> PromptForm:
    expires = wishes.expires and (wishes.expires.on or ("never" if wishes.expires.known else ""))
    given = {"workspace": wishes.workspace, "name": wishes.key_name, "expires": expires}
    kept = {name: entry.tail for name, entry in context.stored_workspaces().items()}
    return PromptForm({name: value for name, value in given.items() if value is not None}, kept, OWN_KEYS_URL)


def _verify_key(context: Context, key: Key, wished: str | None) -> Dialog[Verdict]:
    yield Step("Asking Mistral about it …")
    verdict = context.verify(key)
    if verdict.accepts_key is not False:
        note = _describe_owner(verdict) if context.has_form else _wrong_workspace_note(verdict, wished)
        if note or context.has_form or verdict.kind != "accepted":  # else the report says it
            yield Step(verdict.sentence + note)
        return verdict
    for sentence in other_keys.refusal_sentences(context, key):
        yield Step(sentence)
    if not (yield from confirm("keep refused", f"{verdict.sentence} Keep it anyway?")):
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


def _details_kept(context: Context, workspace: str, key: Key) -> dict[str, Any]:
    """What is noted already of the same key in this workspace, such as its expiry."""
    old = context.stored_workspaces().get(workspace)
    return old._asdict() if old and old.fingerprint == key.fingerprint else {}


def _is_ask_first(context: Context, workspace: str, wished: bool | None) -> bool:
    """As said; else as the key was that is replaced."""
    old = context.stored_workspaces().get(workspace)
    return bool(old and old.ask_first) if wished is None else wished
