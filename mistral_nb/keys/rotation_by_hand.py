"""`rotate` by hand: the person creates the new key at Mistral, pastes it here, and deletes the old one there."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

from mistral_nb import environment
from mistral_nb.api.console_pages import key_page_url
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk, KeyRefused, NotAKey, StoreError
from mistral_nb.keys import expiry, key_prompt, passphrase_prompt, rotation_state
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.key_details import expiry_details
from mistral_nb.keys.rotation import NewKey, OldKeyResult, Rotation, keep_old_key, old_name
from mistral_nb.prompts.confirm import MAX_TRIES, confirm
from mistral_nb.report import Dialog, Step
from mistral_nb.storage.index import COMPROMISED, LIVE, Workspace


class RotationByHand:
    """The new key is asked for, after instructions; the old one is the person's to delete."""

    note = ""

    def __init__(self, context: Context) -> None:
        self._context = context

    def recover(self, rotation: Rotation) -> Dialog[bool]:
        yield from ()
        return False

    def make_key(self, rotation: Rotation, old: Workspace) -> Dialog[NewKey]:
        yield from _show_guidance(self._context, rotation, old)
        key = yield from _ask_new_key(self._context, rotation.workspace, old)
        environment.register_key(key, self._context.index)
        return NewKey(key, {"name": rotation.key_name})

    def undo_on_failure(self, rotation: Rotation) -> AbstractContextManager[None]:
        return nullcontext()

    def wait_until_accepted(self, rotation: Rotation, key: Key) -> Dialog[Verdict]:
        """A key that Mistral refuses is checked again as long as the person wants, then kept or dropped."""
        context = self._context
        again = True
        while again:
            yield Step(f"Asking Mistral about …{key.tail} …")
            verdict = context.verify(key)
            yield Step(verdict.sentence)
            again = not verdict.accepts_key and (yield from confirm("again", "Ask Mistral again now?"))
        if verdict.accepts_key is False:
            question = f"New keys are sometimes refused for a few minutes. Keep …{key.tail} to try again later?"
            if not (yield from confirm("wait", question, default=True)):
                yield from _drop_pending(context, rotation.workspace)
        return verdict

    def check_key(self, rotation: Rotation, key: Key, verdict: Verdict) -> Dialog[Mapping[str, Any]]:
        yield from _confirm_same_workspace(self._context, rotation, key, verdict)
        expires = rotation.expires
        if expires is None:
            expires = yield from _ask_expiry(self._context, verdict)
        name = rotation.key_name
        return {**expiry_details(expires), **({"name": name} if name else {})}

    def finish_old_key(self, rotation: Rotation, entry: Workspace) -> Dialog[OldKeyResult]:
        yield from ()
        context, name, old = self._context, rotation.workspace, rotation.old
        if old is None:
            return OldKeyResult(None, ())
        page, check = key_page_url(entry.kind), context.format_command(f"verify {name} --old")
        if rotation.keep_old and keep_old_key(context, rotation, old):
            kept = f"The old key …{old.tail} is kept as {old_name(name)}. Delete it once nothing uses it: {page}"
            return OldKeyResult(old.tail, (kept, f"To check whether Mistral still accepts it: {check}"))
        if also := rotation_state.workspaces_with_key(context, old.fingerprint):
            first = f"Before you delete it at Mistral: {context.format_command(f'rotate {also[0]}')}"
            return OldKeyResult(old.tail, (f"Workspace {also[0]} also uses the old key …{old.tail}. {first}",))
        notes = (
            f"Now delete the old key …{old.tail} at Mistral: {page}",
            f"Then check that it is refused: {check}",
            f"Other running kernels use the old key until they get the new one: %mistral_key switch {name}",
        )
        return OldKeyResult(old.tail, notes)


def _drop_pending(context: Context, workspace: str) -> Dialog[None]:
    yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.drop_pending(workspace))


def _show_guidance(context: Context, rotation: Rotation, old: Workspace) -> Dialog[None]:
    name, today = rotation.workspace, context.today()
    until = _recommended_date(context)
    if rotation.expires and rotation.expires.known:
        until = rotation.expires.on or "never"
    where = f" in the workspace {old.mistral_workspace}" if old.mistral_workspace else ""
    yield Step(f"Rotating {format_key(name, old.tail, old)}. It stays in use until the new key is accepted.")
    yield Step(f"1. Create a new key{where}: {key_page_url(old.kind)}")
    yield Step(f"   Name: {rotation.key_name or f'{name}-{today}'}; expiration: {until}")
    yield Step("2. Paste it here.")


def _recommended_date(context: Context) -> str:
    days = expiry.max_age_days(context.config.project) or expiry.DEFAULT_DAYS
    return (context.today() + timedelta(days=days)).isoformat()


def _ask_expiry(context: Context, verdict: Verdict) -> Dialog[expiry.Expiry]:
    """Mistral does not report it; offered is the date that was recommended for the new key."""
    if not verdict.accepts_key:
        return expiry.Expiry()
    offered = _recommended_date(context) if context.interactive else ""
    question = "When does the new key expire? A date, 90d for days from today, never, or unknown"
    return (yield from expiry.ask(question, offered, context.today()))


def _ask_new_key(context: Context, name: str, old: Workspace) -> Dialog[Key]:
    """A key that can be the new one. For the old one, or another known key, it asks again."""
    problem = ""
    for _ in range(MAX_TRIES):
        try:
            key = (yield from key_prompt.ask_for_key(context, name)).key
        except CannotAsk as error:
            if problem:
                break
            raise CannotAsk(error.failed, f"Pipe it in: … | {context.format_command(f'rotate {name}')}") from None
        problem = _unfit_reason(context, old, key)
        if not problem:
            return key
        yield Step(problem)
    raise NotAKey("known", problem, f"Nothing was changed. Create a new key: {key_page_url(old.kind)}")


def _unfit_reason(context: Context, old: Workspace, key: Key) -> str:
    if key.fingerprint == old.fingerprint:
        return f"This is the old key, …{key.tail}."
    for other, entry in context.key_manager.workspaces().items():
        if entry.fingerprint == key.fingerprint:
            return f"This is the key of workspace {other}, …{key.tail}."
    noted = context.read_index().remembered.get(key.fingerprint)
    if noted and noted.state != LIVE:
        what = "revoked here" if noted.state == COMPROMISED else "replaced here before"
        return f"This key, …{key.tail}, was {what}."
    return ""


def _confirm_same_workspace(context: Context, rotation: Rotation, key: Key, verdict: Verdict) -> Dialog[None]:
    """Ask if the new key belongs to another workspace than the old one. Raises `KeyRefused` if declined."""
    name, now = rotation.workspace, verdict.identity or Identity()
    old = yield from _identity_of_old(context, rotation, now)
    differs = [(a, b) for a, b in zip(old, (now.workspace, now.organisation), strict=True) if a and b and a != b]
    if not differs:
        if not (old[0] and now.workspace):
            yield Step("Mistral did not report the workspace of both keys, so it could not be checked that they match.")
        return
    where = f"workspace {now.workspace}" if old[0] != now.workspace else "another organisation"
    was = f"workspace {old[0]}" if old[0] != now.workspace else "the old one's"
    question = f"The new key …{key.tail} belongs to {where} at Mistral, not {was}. Use it for {name} anyway?"
    if (yield from confirm("other workspace", question)):
        return
    yield from _drop_pending(context, name)
    raise KeyRefused(
        f"The new key …{key.tail} belongs to {where} at Mistral, not {was}; it was not used.",
        f"{name} keeps its key. Make one in the right workspace, or store this one under another name: "
        f"{context.format_command('login')}",
    )


def _identity_of_old(context: Context, rotation: Rotation, new: Identity) -> Dialog[tuple[str | None, str | None]]:
    """Workspace and organisation of the old key, as recorded; if nothing is, ask Mistral."""
    name, old = rotation.workspace, rotation.old
    if old is None:
        return None, None
    if old.mistral_workspace or not new.workspace:
        return old.mistral_workspace, old.organisation
    try:
        key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read(name))
    except StoreError:
        return None, old.organisation
    told = context.verify(key).identity or Identity()
    return told.workspace, told.organisation
