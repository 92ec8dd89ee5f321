"""A rotation: a workspace's key is replaced with a new one, without a gap.

The new key is stored in the unused slot before Mistral is asked about it; it is pending until it is accepted.
The next `rotate` resumes an interrupted one. By hand or by an Admin key is a `RotationWay`.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from mistral_nb import environment, exit_codes
from mistral_nb.api.verdict import Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import AdminFailed, Cancelled, StoreError
from mistral_nb.keys import expiry, passphrase_prompt
from mistral_nb.keys.activation_report import activation_warnings, format_key
from mistral_nb.keys.child_processes import old_key_notes
from mistral_nb.keys.key_details import reported_details
from mistral_nb.report import Action, Dialog, Report, Step
from mistral_nb.storage import rotation_journal
from mistral_nb.storage.index import Workspace
from mistral_nb.storage.store_protocol import store_name


class Rotation(NamedTuple):
    """A rotation: the workspace, its old key's entry (None if that was revoked meanwhile), and what was asked for."""

    workspace: str
    old: Workspace | None
    key_name: str | None = None
    expires: expiry.Expiry | None = None
    keep_old: bool = False
    yes: bool = False
    wait_seconds: float | None = None


class NewKey(NamedTuple):
    """A key just made, and what the index keeps of it while it is pending."""

    key: Key
    details: Mapping[str, Any]


class OldKeyResult(NamedTuple):
    """What became of the old key; ``data`` is what a report adds to its own."""

    tail: str | None
    notes: tuple[str, ...]
    data: Mapping[str, Any] = MappingProxyType({})
    exit_code: int = exit_codes.OK


class RotationWay(Protocol):
    """How the new key is made and accepted, and what becomes of the old one."""

    @property
    def note(self) -> str:
        """The last line of every report, if any."""

    def recover(self, rotation: Rotation) -> Dialog[bool]:
        """Clean up after an interrupted rotation; whether the new key is in use and only the old one is left."""

    def make_key(self, rotation: Rotation, old: Workspace) -> Dialog[NewKey]:
        """Make the new key, and register it."""

    def undo_on_failure(self, rotation: Rotation) -> AbstractContextManager[None]:
        """What is done about the new key if it can't be stored."""

    def wait_until_accepted(self, rotation: Rotation, key: Key) -> Dialog[Verdict]:
        """Mistral's last answer. A key that was refused may have been dropped."""

    def check_key(self, rotation: Rotation, key: Key, verdict: Verdict) -> Dialog[Mapping[str, Any]]:
        """Check that it is the right key; returns what the index is to keep of it. Raises `KeyRefused`."""

    def finish_old_key(self, rotation: Rotation, entry: Workspace) -> Dialog[OldKeyResult]:
        """The new key is in use, with this entry: keep the old one, delete it, or say what to do with it."""


def rotate(context: Context, rotation: Rotation, way: RotationWay) -> Action:
    """Rotate, or resume what was interrupted. The workspace's rotation lock is held."""
    try:
        if (yield from way.recover(rotation)):
            entry = context.key_manager.workspaces()[rotation.workspace]
        else:
            key = yield from _read_pending_key(context, rotation.workspace)
            if key is None:
                key = yield from _store_new_key(context, rotation, way)
            verdict = yield from way.wait_until_accepted(rotation, key)
            if not verdict.accepts_key:
                return _not_accepted_report(context, rotation, way, key, verdict)
            entry = yield from _accept_new_key(context, rotation, way, key, verdict)
        old = yield from way.finish_old_key(rotation, entry)
        return _rotated_report(context, rotation, way, entry, old)
    except KeyboardInterrupt:
        if cancelled := _cancelled_error(context, rotation):
            raise cancelled from None
        raise
    except AdminFailed as error:
        todo = f"{error.todo} Manually: {context.format_command(f'rotate {rotation.workspace} --manual')}"
        raise AdminFailed(f"{error.failed} {describe_key_in_use(context, rotation)}", todo, error.kind) from None


def describe_key_in_use(context: Context, rotation: Rotation) -> str:
    """The current state after a failure."""
    entry = context.key_manager.workspaces().get(rotation.workspace)
    return f"{format_key(rotation.workspace, entry.tail, entry)} is still in use." if entry else ""


def old_name(workspace: str) -> str:
    """The name under which ``--keep-old`` keeps the old key usable."""
    return f"{workspace}-old"


def keep_old_key(context: Context, rotation: Rotation, old: Workspace) -> bool:
    """Give the old key the name `old_name`; False if it is no longer stored."""
    retired = context.key_manager.retired_keys(rotation.workspace)
    found = next((each for each in retired if each.fingerprint == old.fingerprint), None)
    if found:
        context.key_manager.keep_retired(found, old_name(rotation.workspace), old)
    return found is not None


def _cancelled_error(context: Context, rotation: Rotation) -> Cancelled | None:
    """The state after Ctrl-C; None if nothing was changed."""
    name, old = rotation.workspace, rotation.old
    entry, waiting = context.key_manager.workspaces().get(name), context.key_manager.pending_keys().get(name)
    replaced = entry is not None and (old is None or entry.fingerprint != old.fingerprint)
    unfinished = waiting or rotation_journal.find_latest(context.index, name)
    if not (replaced or unfinished):
        return None
    pending = f" The new key …{waiting.tail} is pending." if waiting else ""
    in_use = describe_key_in_use(context, rotation)
    if entry and replaced:
        in_use = f"The new key is in use: {format_key(name, entry.tail, entry)}."
    todo = f"To resume the rotation: {context.format_command(f'rotate {name}')}" if unfinished else ""
    return Cancelled(f"Cancelled.{pending} {in_use}".strip(), todo)


def _read_pending_key(context: Context, workspace: str) -> Dialog[Key | None]:
    """The new key of a rotation that was interrupted, or that Mistral did not accept yet."""
    if workspace not in context.key_manager.pending_keys():
        return None
    key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read_pending(workspace))
    if key is None:
        context.key_manager.drop_pending(workspace)
        yield Step(f"A rotation of {workspace} was interrupted before the new key was stored; starting over.")
        return None
    environment.register_key(key, context.index)
    yield Step(f"Resuming the unfinished rotation of {workspace} with the pending key …{key.tail}.")
    return key


def _store_new_key(context: Context, rotation: Rotation, way: RotationWay) -> Dialog[Key]:
    """Make the new key and put it beside the old one."""
    name, old = rotation.workspace, rotation.old
    if old is None:
        raise StoreError(f"The new key of {name} is lost.", f"Add one: {context.format_command(f'login {name}')}")
    key, made = yield from way.make_key(rotation, old)
    details = {"kind": old.kind, "ask_first": old.ask_first, **made}
    with way.undo_on_failure(rotation):
        yield from passphrase_prompt.run_unlocked(
            context, lambda: context.key_manager.add_pending(name, key, details, old.fingerprint)
        )
    return key


def _accept_new_key(
    context: Context, rotation: Rotation, way: RotationWay, key: Key, verdict: Verdict
) -> Dialog[Workspace]:
    """The swap: index, then environment, which notifies the guard."""
    name, old = rotation.workspace, rotation.old
    checked = yield from way.check_key(rotation, key, verdict)
    details = {
        **reported_details(verdict),
        **({"ask_first": old.ask_first} if old else {}),
        "verified": context.timestamp(),
        **checked,
    }
    entry = yield from passphrase_prompt.run_unlocked(
        context, lambda: context.key_manager.accept_pending(name, key.fingerprint, details)
    )
    active = context.active
    if active and active.is_ours and active.workspace == name:
        environment.activate(key, name, f"rotation, stored in {store_name(entry.store)}", context.environ)
    return entry


def _not_accepted_report(context: Context, rotation: Rotation, way: RotationWay, key: Key, verdict: Verdict) -> Report:
    """The new key is pending or was dropped; either way the old one stays in use."""
    name, stays = rotation.workspace, describe_key_in_use(context, rotation)
    data = {"workspace": name, "tail": key.tail, "verdict": verdict.kind, "rotated": False}
    waiting = context.key_manager.pending_keys().get(name)
    if waiting is None:
        title = f"Not rotated: Mistral refuses …{key.tail}, which was deleted here. {stays}"
        return _make_report(way, title, (), data, verdict.exit_code)
    what = "does not accept" if verdict.accepts_key is False else "could not be asked about"
    again = context.format_command(f"rotate {name}")
    notes = (f"The new key is pending, in {store_name(waiting.store)}. In a few minutes: {again}",)
    return _make_report(way, f"Not rotated yet: Mistral {what} …{key.tail}. {stays}", notes, data, verdict.exit_code)


def _rotated_report(
    context: Context, rotation: Rotation, way: RotationWay, entry: Workspace, old: OldKeyResult
) -> Report:
    name = rotation.workspace
    was = f" in place of …{old.tail}" if old.tail else ""
    until = f"; expires: {expiry.describe_expiry(entry, context.today())[0]}" if entry.expiry_known else ""
    title = f"Rotated: {format_key(name, entry.tail, entry)}{was}, stored in {store_name(entry.store)}{until}."
    data = {"workspace": name, "tail": entry.tail, "old": old.tail, "rotated": True, "expires": entry.expires}
    notes = (
        *old.notes,
        *_still_set_notes(context, rotation),
        *_child_notes(context, rotation, entry),
        *activation_warnings(context),
    )
    return _make_report(way, title, notes, {**data, **old.data}, old.exit_code)


def _still_set_notes(context: Context, rotation: Rotation) -> tuple[str, ...]:
    """A note if this process has the old key from somewhere else than us: it was not changed over."""
    active = context.active
    if active and rotation.old and active.key.fingerprint == rotation.old.fingerprint:
        return (f"MISTRAL_API_KEY here is still the old key, from {active.origin}: set the new one there.",)
    return ()


def _child_notes(context: Context, rotation: Rotation, entry: Workspace) -> tuple[str, ...]:
    if rotation.old is None:
        return ()
    changed_over = context.active is not None and context.active.key.fingerprint == entry.fingerprint
    return old_key_notes(context, rotation.old.fingerprint, rotation.old.tail, was_set=changed_over)


def _make_report(way: RotationWay, title: str, notes: tuple[str, ...], data: dict[str, Any], exit_code: int) -> Report:
    if way.note:
        notes, data = (*notes, way.note), data | {"note": way.note}
    return Report(title.strip(), notes=notes, exit_code=exit_code, data=data)
