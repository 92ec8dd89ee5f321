"""`rotate` with an Admin key: the new key is made and the old one deleted by Mistral's Admin API.

The intention is recorded before each request. On any failure it stops in a working state,
and reports it: the next `rotate` continues from there.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from mistral_nb import environment
from mistral_nb.admin import create_key, credentials, interrupted_rotation
from mistral_nb.admin.client import UNTRIED_NOTE, AdminClient
from mistral_nb.admin.delete_old_key import delete_old_key
from mistral_nb.admin.retry import verify_until
from mistral_nb.api.verdict import Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import AdminFailed, MistralNbError
from mistral_nb.keys import rotation_state
from mistral_nb.keys.rotation import NewKey, OldKeyResult, Rotation, describe_key_in_use
from mistral_nb.report import Dialog, Step
from mistral_nb.storage import rotation_journal
from mistral_nb.storage.index import ADMIN, Workspace, utc_timestamp
from mistral_nb.storage.rotation_journal import RotationEntry

_ACCEPT_SECONDS = 300.0  # a new key is refused for some minutes


def can_rotate(context: Context, name: str) -> bool:
    """Whether this workspace can be rotated with the Admin key that there is: no pasted key is pending."""
    entry, waiting = context.key_manager.workspaces().get(name), context.key_manager.pending_keys().get(name)
    if entry and entry.kind == ADMIN:
        return False
    begun = rotation_journal.find_latest(context.index, name)
    return waiting is None or bool(begun and begun.fingerprint == waiting.fingerprint)


class RotationByAdminKey:
    """The new key is created by the Admin API, which deletes the old one after a yes."""

    note = UNTRIED_NOTE

    def __init__(self, context: Context) -> None:
        self._context = context
        self._admin: AdminClient
        self._begun: RotationEntry
        self._is_resumed = False
        self._clamped = ""

    def recover(self, rotation: Rotation) -> Dialog[bool]:
        context, name = self._context, rotation.workspace
        found = yield from credentials.find_admin_key(context)
        self._admin = AdminClient(found.key, credentials.admin_base_url(context))
        yield from interrupted_rotation.recover_interrupted_rotations(context, self._admin, locked_workspace=name)
        begun = rotation_journal.find_latest(context.index, name)
        if begun is None or (yield from _is_in_use_again(context, begun)):
            return False
        is_old_left = begun.step == rotation_journal.DELETE or rotation_state.is_new_key_active(context, begun)
        if is_old_left:
            yield Step(f"The rotation of {name} is unfinished: the old key …{begun.old_tail} still exists at Mistral.")
        if is_old_left or rotation_state.is_new_key_pending(context, begun):
            self._begun, self._is_resumed = begun, True
        return is_old_left

    def make_key(self, rotation: Rotation, old: Workspace) -> Dialog[NewKey]:
        """Looked up, recorded, requested, and recorded with its id."""
        context, admin, name = self._context, self._admin, rotation.workspace
        if self._is_resumed:  # its pending key is lost
            yield from interrupted_rotation.recover_interrupted_rotations(context, admin, locked_workspace=name)
        listed, wish = yield from create_key.plan_new_key(context, admin, rotation, old)
        self._begun = RotationEntry(name, wish.name, utc_timestamp(), old.fingerprint, old.tail, listed.key_id)
        rotation_journal.record_entry(context.index, self._begun)
        yield Step(f"Creating the key {wish.name} at Mistral …")
        created = create_key.create_at_mistral(context, admin, self._begun, wish)
        key = created.key
        if key is None:
            how = interrupted_rotation.undo_creation(context, admin, self._begun, created.key_id)
            raise AdminFailed(
                f"Mistral's Admin API created a key but did not return it. {how}", UNTRIED_NOTE, "not understood"
            )
        self._begun = self._begun._replace(key_id=created.key_id, fingerprint=key.fingerprint, tail=key.tail)
        with self.undo_on_failure(rotation):
            rotation_journal.record_entry(context.index, self._begun)
            environment.register_key(key, context.index)
            created = create_key.with_server_expiry(admin, wish.name, created)
        self._clamped = create_key.clamped_note(wish, created)
        details = {
            "key_id": created.key_id,
            "expires": created.expires,
            "expiry_known": created.expiry_known,
            "organisation": old.organisation,
            "mistral_workspace": listed.workspace or old.mistral_workspace,
        }
        return NewKey(key, details)

    @contextlib.contextmanager
    def undo_on_failure(self, rotation: Rotation) -> Iterator[None]:
        """The new key is deleted at Mistral if it can't be stored."""
        context = self._context
        try:
            yield
        except MistralNbError as error:
            how = interrupted_rotation.undo_creation(context, self._admin, self._begun, self._begun.key_id)
            with contextlib.suppress(MistralNbError):
                context.key_manager.drop_pending(rotation.workspace)
            raise MistralNbError(f"{error.failed} {how} {describe_key_in_use(context, rotation)}", error.todo) from None

    def wait_until_accepted(self, rotation: Rotation, key: Key) -> Dialog[Verdict]:
        seconds = _ACCEPT_SECONDS if rotation.wait_seconds is None else rotation.wait_seconds
        waiting = f"Mistral does not accept …{key.tail} yet. Retrying for up to {seconds:g} seconds …"
        yield Step(f"Asking Mistral about …{key.tail} …")
        verdict = yield from verify_until(self._context, key, lambda told: bool(told.accepts_key), seconds, waiting)
        yield Step(verdict.sentence)
        return verdict

    def check_key(self, rotation: Rotation, key: Key, verdict: Verdict) -> Dialog[Mapping[str, Any]]:
        yield from ()
        return {"key_id": self._begun.key_id}  # the Admin API's, whatever the API reports

    def finish_old_key(self, rotation: Rotation, entry: Workspace) -> Dialog[OldKeyResult]:
        if self._begun.step != rotation_journal.DELETE:
            self._begun = self._begun._replace(step=rotation_journal.DELETE)
            rotation_journal.record_entry(self._context.index, self._begun)
        result = yield from delete_old_key(self._context, self._admin, self._begun, rotation)
        return result._replace(notes=(*filter(None, (self._clamped,)), *result.notes))


def _is_in_use_again(context: Context, begun: RotationEntry) -> Dialog[bool]:
    """Whether an old key that was going to be deleted is held by a workspace again, and so no longer old."""
    keeping = rotation_state.workspaces_with_key(context, begun.old_fingerprint, begun.old_key_id)
    if begun.step != rotation_journal.DELETE or rotation_state.is_new_key_active(context, begun) or not keeping:
        return False
    rotation_journal.remove_entry(context.index, begun)
    yield Step(f"The key …{begun.old_tail}, which a rotation was going to delete, is in use again as {keeping[0]}.")
    return True
