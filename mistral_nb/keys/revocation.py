"""Chooses the key to revoke, and takes it out of the environment and every workspace.

No other key: the one in this process, the one named, or one that was revoked before and
not yet rejected. If it is ambiguous it asks; without an answer no key in use is revoked.
"""

import contextlib
from functools import partial
from typing import NamedTuple

from mistral_nb import environment
from mistral_nb.api.console_pages import key_page_url
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.config import keys_in
from mistral_nb.errors import Cancelled, CannotAsk, ConcurrentChange, StoreError, WrongUsage
from mistral_nb.keys import passphrase_prompt, rotation_state, workspace_choice
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.admin_access import can_use_admin_key
from mistral_nb.prompts.confirm import confirm, no_confirmation
from mistral_nb.report import Ask, Dialog, Step
from mistral_nb.storage.index import ADMIN, COMPROMISED, RetiredKey, Workspace
from mistral_nb.storage.rotation_journal import RotationEntry

_ENVIRONMENT = "this process's environment and "


class RevokedKey(NamedTuple):
    """The leaked key; ``key`` is None if it could not be read, ``aside`` if no copy is stored."""

    workspace: str | None
    tail: str
    key: Key | None
    stored_copy: RetiredKey | None
    entry: Workspace | None = None  # as it was kept until now
    notes: tuple[str, ...] = ()
    deleted: bool = False  # at Mistral, by an Admin key

    @property
    def kind(self) -> str:
        known = self.entry or self.stored_copy
        return known.kind if known else "api"


def take_out_of_use(context: Context, named: str | None, *, yes: bool = False) -> Dialog[list[RevokedKey]]:
    """Remove the key from environment and workspaces and mark it as compromised, before Mistral is asked.

    ``yes``: without asking. Several if more than one revoked key of a workspace is not yet rejected. Raises
    `WrongUsage`, `Cancelled`.
    """
    active = context.active
    if named is None and active:
        return (yield from _revoke_active_key(context, active, yes))
    name = workspace_choice.validate_name(named) if named else (yield from _ask_workspace(context))
    name = yield from workspace_choice.confirm_near_miss(context, name)
    return (yield from _revoke_workspace_key(context, name, yes))


def _revoke_active_key(context: Context, active: environment.ActiveKey, yes: bool) -> Dialog[list[RevokedKey]]:
    """The key in the environment, wherever else it is stored."""
    kept = context.key_manager.workspaces()
    entry = kept.get(active.workspace or "")
    if active.workspace and entry and entry.fingerprint != active.key.fingerprint:
        question = (
            f"This process uses …{active.key.tail}, but {format_key(active.workspace, entry.tail, entry)} "
            "is stored now. Which one leaked?"
        )
        choices = ("process", "kept")
        if (yield Ask("which leaked", question, choices=choices, default="process")) == "kept":
            return (yield from _revoke_workspace_key(context, active.workspace, yes))
    names = [name for name, each in kept.items() if each.fingerprint == active.key.fingerprint]
    if names:
        name = active.workspace if active.workspace in names else names[0]
        return (yield from _revoke_workspace_key(context, name, yes))
    yield from _confirm(context, f"…{active.key.tail}", "api", yes)
    return [(yield from _revoke_environment_key(context, active.key))]


def _revoke_environment_key(context: Context, key: Key) -> Dialog[RevokedKey]:
    """A key that no workspace holds; one that a workspace replaced or revoked before has a retired copy."""
    environment.register_key(key, context.index, COMPROMISED)
    _remove_from_environment(context, key.fingerprint)
    asides = yield from passphrase_prompt.run_unlocked(
        context, lambda: context.key_manager.mark_compromised(key.fingerprint)
    )
    yield from _drop_pending_key(context, key.fingerprint)
    yield Step(f"…{key.tail} was removed from this process's environment and marked as compromised.")
    aside = asides[-1] if asides else None
    return RevokedKey(aside.former_workspace if aside else None, key.tail, key, aside)


def _ask_workspace(context: Context) -> Dialog[str]:
    """With no name and no key in the environment: the revoked key not yet rejected, else ask which."""
    revoked = list(
        dict.fromkeys(
            aside.former_workspace for aside in context.key_manager.retired_keys() if aside.state == COMPROMISED
        )
    )
    if len(revoked) == 1:
        return revoked[0]
    kept = list(context.key_manager.workspaces())
    if not revoked and not kept:
        raise WrongUsage(
            "No key is stored, and no revoked key is waiting for Mistral to reject it.",
            f"Add one: {context.format_command('login')}",
        )
    names = revoked or kept
    try:
        return str((yield Ask("workspace", "Which workspace's key leaked?", choices=tuple(names))))
    except CannotAsk:
        raise CannotAsk(
            f"No key is in this process, so it is not clear which leaked ({', '.join(names)}).",
            f"Name its workspace: {context.format_command('revoke WORKSPACE')}",
        ) from None


def _revoke_workspace_key(context: Context, name: str, yes: bool) -> Dialog[list[RevokedKey]]:
    entry = context.key_manager.workspaces().get(name)
    waiting = [
        aside
        for aside in context.key_manager.retired_keys(name)
        if aside.state == COMPROMISED and not (entry and aside.fingerprint == entry.fingerprint)
    ]
    if waiting and (entry is None or (yield from _ask_look_again(name, entry, waiting))):
        return (yield from _recheck_revoked(context, waiting))
    if entry:
        was_asked = yes or bool(waiting)
        yield from _confirm(context, format_key(name, entry.tail, entry), entry.kind, was_asked)
        return [(yield from _take_out_key(context, name, entry))]
    active = context.active
    if active and active.workspace == name:
        yield from _confirm(context, format_key(name, active.key.tail), "api", yes)
        return [(yield from _revoke_environment_key(context, active.key))]
    raise WrongUsage(
        f"No key is stored for a workspace named {name}, and no revoked key is waiting for Mistral to reject it.",
        f"See {context.format_command('list')}.",
    )


def _confirm(context: Context, what: str, kind: str, yes: bool) -> Dialog[None]:
    """Ask before a key is taken out of use. Raises `Cancelled`, `CannotAsk`."""
    if yes:
        return
    question = f"Take {what} out of use here? At Mistral it stays valid until it is deleted: {key_page_url(kind)}"
    deletes = kind != ADMIN and can_use_admin_key(context)  # with --yes, without another question
    todo = "Use --yes, with --manual to leave it at Mistral." if deletes else "Use --yes."
    if not (yield from confirm("revoke", question, unattended=no_confirmation(todo))):
        raise Cancelled("Nothing was revoked.")


def _ask_look_again(name: str, entry: Workspace, waiting: list[RetiredKey]) -> Dialog[bool]:
    """A key was revoked and another stored since: ask whether to check the first again or revoke the second."""
    tails, new = ", ".join(f"…{aside.tail}" for aside in waiting), format_key(name, entry.tail, entry)
    question = (
        f"{tails} of {name} was revoked earlier; {new} is stored now. Check the revoked key again, or revoke this one?"
    )
    look = (yield Ask("look again", question, choices=("look", "revoke"), default="look")) != "revoke"
    if look:
        yield Step(f"Checking {tails} again, which was revoked earlier; {new} is still in use.")
    return look


def _recheck_revoked(context: Context, waiting: list[RetiredKey]) -> Dialog[list[RevokedKey]]:
    """The remaining copies of what was revoked before, to check again."""
    found = []
    for aside in waiting:
        key = yield from passphrase_prompt.run_unlocked(context, partial(context.key_manager.read_retired, aside))
        if key:
            environment.register_key(key, context.index, COMPROMISED)
        _remove_from_environment(context, aside.fingerprint)
        found.append(RevokedKey(aside.former_workspace, aside.tail, key, aside))
    return found


def _take_out_key(context: Context, name: str, entry: Workspace) -> Dialog[RevokedKey]:
    """Remove it from its workspace, and from every other that holds the same key."""
    key: Key | None = None
    try:
        key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read(name))
    except (StoreError, CannotAsk) as error:
        yield Step(f"{error} It was taken out of use anyway.")
    if key:
        environment.register_key(key, context.index)
    was_set = _remove_from_environment(context, entry.fingerprint)
    names, begun = _remove_from_workspaces(context, entry.fingerprint)  # and compromised, in the same write
    if key:
        environment.register_key(key, context.index, COMPROMISED)  # also where only memory had it
    asides = context.key_manager.mark_compromised(entry.fingerprint)
    yield from _drop_pending_key(context, entry.fingerprint)
    others = ", ".join(other for other in names if other != name)
    also = f" (and of {others})" if others else ""
    yield Step(
        f"{format_key(name, entry.tail, entry)} was removed from "
        f"{_ENVIRONMENT if was_set else ''}its workspace{also} and marked as compromised."
    )
    active = context.active
    if active and active.workspace == name:
        yield Step(f"This process uses another key of {name}, …{active.key.tail}; it was not removed.")
    notes = rotation_state.abandon_rotations(context, begun)
    aside = next((aside for aside in asides if aside.former_workspace == name), asides[0] if asides else None)
    return RevokedKey(aside.former_workspace if aside else name, entry.tail, key, aside, entry, notes)


def _remove_from_workspaces(context: Context, fingerprint: str) -> tuple[list[str], list[RotationEntry]]:
    """Remove it from every workspace until none holds it: another process may have renamed or rotated meanwhile.

    Also from one that a key in memory hid. Returns their names, and their rotations, which nothing finishes now.
    """
    names: list[str] = []
    begun: list[RotationEntry] = []
    while keeping := [name for name, e in context.key_manager.workspaces().items() if e.fingerprint == fingerprint]:
        left = rotation_state.rotations_awaiting_deletion(context, keeping[0])
        with contextlib.suppress(ConcurrentChange, WrongUsage):
            context.key_manager.take_out_compromised(keeping[0], fingerprint)
            names.append(keeping[0])
            begun += left
    return list(dict.fromkeys(names)), begun


def _drop_pending_key(context: Context, fingerprint: str) -> Dialog[None]:
    """A compromised key is no longer pending in any workspace."""
    for name, waiting in context.key_manager.pending_keys().items():
        if waiting.fingerprint == fingerprint:
            context.key_manager.drop_pending(name)
            yield Step(f"…{waiting.tail} was the pending key of {name}; it is no longer pending.")


def _remove_from_environment(context: Context, fingerprint: str) -> bool:
    """Remove it from every variable that contains it, whoever set it; whether there was one."""
    active = context.active
    found = active is not None and active.key.fingerprint == fingerprint
    if found:
        environment.deactivate(context.environ)
    for variable, key in keys_in(context.environ).items():
        if key.fingerprint == fingerprint:
            del context.environ[variable]
            found = True
    return found
