"""`revoke` with an Admin key: the leaked key is deleted at Mistral, after a yes."""

from mistral_nb.admin import credentials, interrupted_rotation, key_lookup
from mistral_nb.admin.retry import verify_until
from mistral_nb.api.verdict import Identity
from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk, MistralNbError
from mistral_nb.keys.revocation import RevokedKey
from mistral_nb.report import Ask, Dialog, Step

_REFUSAL_SECONDS = 10.0  # seconds until a deleted key is refused


def delete_leaked_key(context: Context, leaked: RevokedKey, *, yes: bool) -> Dialog[RevokedKey]:
    """Delete it at Mistral. A failure is reported and `revoke` continues: it can still be deleted manually."""
    from mistral_nb.admin.client import UNTRIED_NOTE, AdminClient

    yield Step(UNTRIED_NOTE)
    try:
        found = yield from credentials.find_admin_key(context)
        admin = AdminClient(found.key, credentials.admin_base_url(context))
        yield from interrupted_rotation.recover_interrupted_rotations(context, admin)
        entry, told = leaked.entry, Identity()
        if leaked.key is not None:
            told = context.verify(leaked.key).identity or told
        wanted = key_lookup.KeyCriteria(
            leaked.tail,
            (entry.key_id if entry else None) or told.key_id,
            (entry.name if entry else None) or told.key_name,
            (entry.mistral_workspace if entry else None) or told.workspace,
        )
        listed = yield from key_lookup.find_unique(admin, wanted, leaked.key, "deleted")
        if not yes and not (yield from _confirm_deletion(context, leaked)):
            return leaked
        admin.delete_key(listed.key_id)
    except MistralNbError as error:
        yield Step(f"The Admin key could not delete it at Mistral. {error}")
        return leaked
    yield Step(f"…{leaked.tail} is deleted at Mistral.")
    if leaked.key:
        yield from verify_until(context, leaked.key, lambda verdict: not verdict.accepts_key, _REFUSAL_SECONDS)
    return leaked._replace(deleted=True)


def _confirm_deletion(context: Context, leaked: RevokedKey) -> Dialog[bool]:
    question = f"Delete …{leaked.tail} at Mistral? This breaks anything still using it. Type yes to delete it"
    try:
        return (yield Ask("delete", question)) == "yes"
    except CannotAsk:
        again = context.format_command(f"revoke {leaked.workspace or ''} --yes")
        yield Step(f"Deleting it at Mistral requires confirmation: {again}")
        return False
