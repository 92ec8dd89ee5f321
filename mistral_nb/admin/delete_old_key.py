"""The end of a rotation by Admin key: the old key deleted at Mistral, after a yes."""

from functools import partial

from mistral_nb import exit_codes
from mistral_nb.admin.client import ORGANISATION_KEYS, AdminClient
from mistral_nb.command_context import Context
from mistral_nb.errors import AdminFailed, CannotAsk, MistralNbError
from mistral_nb.keys import passphrase_prompt, rotation_state
from mistral_nb.keys.rotation import OldKeyResult, Rotation, keep_old_key, old_name
from mistral_nb.report import Ask, Dialog, Step
from mistral_nb.storage import rotation_journal
from mistral_nb.storage.rotation_journal import RotationEntry


def delete_old_key(
    context: Context, admin: AdminClient, intention: RotationEntry, rotation: Rotation
) -> Dialog[OldKeyResult]:
    """Delete the old key once confirmed. The intention stays until it is decided."""
    tail, name = intention.old_tail, intention.workspace
    if rotation.keep_old:
        return _keep_result(context, intention, rotation)
    if still := _result_if_in_use(context, intention):
        return still
    if not (yield from _is_new_key_accepted(context, name)):
        again = f"Once it is accepted: {context.format_command(f'rotate {name}')}"
        why = f"The old key …{tail} is not deleted: Mistral does not accept the new one now."
        return _result(tail, why, again, exit_code=exit_codes.FINDING)
    agreed = rotation.yes or (yield from _confirm_deletion(tail, name))
    if agreed is None:
        return _result(
            tail, f"The old key …{tail} is not deleted yet: {context.format_command(f'rotate {name} --yes')}"
        )
    if not agreed:
        rotation_journal.remove_entry(context.index, intention)
        return _result(tail, f"The old key …{tail} still exists at Mistral. Delete it there: {ORGANISATION_KEYS}")
    return (yield from _delete_at_mistral(context, admin, intention))


def _result(tail: str, *notes: str, deleted: bool = False, exit_code: int = exit_codes.OK) -> OldKeyResult:
    return OldKeyResult(tail, notes, {"old_deleted": deleted}, exit_code)


def _keep_result(context: Context, intention: RotationEntry, rotation: Rotation) -> OldKeyResult:
    tail, entry = intention.old_tail, context.key_manager.workspaces()[intention.workspace]
    rotation_journal.remove_entry(context.index, intention)
    unknown = entry._replace(name=None, expires=None, expiry_known=False, verified=None)
    old = unknown._replace(fingerprint=intention.old_fingerprint, key_id=intention.old_key_id)
    if not keep_old_key(context, rotation, old):
        return _result(tail, f"The old key …{tail} is no longer in its store.")
    return _result(tail, f"The old key …{tail} is kept as {old_name(intention.workspace)}, here and at Mistral.")


def _result_if_in_use(context: Context, intention: RotationEntry) -> OldKeyResult | None:
    """Not deleted if a workspace holds it: under a second name, or because it was added again."""
    keeping = rotation_state.workspaces_with_key(context, intention.old_fingerprint, intention.old_key_id)
    if not keeping:
        return None
    rotation_journal.remove_entry(context.index, intention)
    tail, again = intention.old_tail, context.format_command(f"rotate {keeping[0]}")
    why = f"The old key …{tail} was not deleted: workspace {keeping[0]} also uses it."
    return _result(tail, why, f"To replace it there too: {again}")


def _is_new_key_accepted(context: Context, name: str) -> Dialog[bool]:
    """Checked once more, just before the old one is deleted."""
    key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read(name))
    return context.verify(key).accepts_key is True


def _confirm_deletion(tail: str, name: str) -> Dialog[bool | None]:
    """None if there is no way to ask."""
    question = (
        f"Delete the old key …{tail} of {name} at Mistral? This breaks anything still using it. Type yes to delete it"
    )
    try:
        return (yield Ask("delete old", question)) == "yes"
    except CannotAsk:
        return None


def _delete_at_mistral(context: Context, admin: AdminClient, intention: RotationEntry) -> Dialog[OldKeyResult]:
    tail, name = intention.old_tail, intention.workspace
    if still := _result_if_in_use(context, intention):  # by now: a person may have taken minutes to say yes
        return still
    try:
        there = admin.delete_key(intention.old_key_id)
    except AdminFailed as error:
        again = f"The new key is in use. To try again: {context.format_command(f'rotate {name} --yes')}"
        return _result(tail, f"The old key …{tail} is not deleted. {error}", again, exit_code=error.exit_code)
    try:
        for aside in context.key_manager.retired_keys():
            if aside.fingerprint == intention.old_fingerprint:
                yield from passphrase_prompt.run_unlocked(context, partial(context.key_manager.drop_retired, aside))
    except MistralNbError as error:
        yield Step(str(error))
    rotation_journal.remove_entry(context.index, intention)
    gone = "is deleted at Mistral" if there else "was no longer in Mistral's list"
    where = f"{gone} and here. In running kernels: %mistral_key switch {name}"
    return _result(tail, f"The old key …{tail} {where}", deleted=True)
