"""Creates a key with an Admin key: of the same user and workspace as another, which it is to replace."""

import contextlib
import secrets
from datetime import timedelta

from mistral_nb.admin import interrupted_rotation, key_lookup
from mistral_nb.admin.client import AdminClient, CreateKeyRequest, may_have_succeeded
from mistral_nb.admin.responses import ApiKeyInfo, CreatedKey
from mistral_nb.api.verdict import Identity
from mistral_nb.command_context import Context
from mistral_nb.errors import AdminFailed
from mistral_nb.keys import expiry, passphrase_prompt
from mistral_nb.keys.rotation import Rotation
from mistral_nb.report import Dialog, Step
from mistral_nb.storage import rotation_journal
from mistral_nb.storage.index import Workspace
from mistral_nb.storage.rotation_journal import RotationEntry

_LONGEST_NAME = 200  # Mistral takes 255


def plan_new_key(
    context: Context, admin: AdminClient, rotation: Rotation, old: Workspace
) -> Dialog[tuple[ApiKeyInfo, CreateKeyRequest]]:
    """The old key in the organisation's list, and the new one to be made: of the same user and workspace."""
    key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read(rotation.workspace))
    yield Step(f"Looking for …{old.tail} in the organisation's list …")
    told = context.verify(key).identity or Identity()
    wanted = key_lookup.KeyCriteria(
        old.tail, old.key_id or told.key_id, old.name or told.key_name, old.mistral_workspace or told.workspace
    )
    listed = yield from key_lookup.find_unique(admin, wanted, key, "replaced")
    user, workspace = told.user_id or listed.created_by, listed.workspace_id or told.workspace_id
    if not user or not workspace:
        what = "the user" if not user else "the workspace"
        raise AdminFailed(
            f"Mistral does not report {what} of the key …{old.tail}, so no new one can be created for it.",
            "Nothing was changed.",
            "not understood",
        )
    return listed, CreateKeyRequest(_unique_name(context, rotation), user, workspace, _expiry_date(context, rotation))


def _unique_name(context: Context, rotation: Rotation) -> str:
    """A unique name: it identifies the key if the response is lost."""
    plain = rotation.key_name or f"{rotation.workspace}-{context.today()}"
    return f"{plain[:_LONGEST_NAME]}-{secrets.token_hex(4)}"


def _expiry_date(context: Context, rotation: Rotation) -> str | None:
    wanted = rotation.expires
    if wanted and wanted.known:
        return wanted.on
    days = expiry.max_age_days(context.config.project) or expiry.DEFAULT_DAYS
    return str(context.today() + timedelta(days=days))


def create_at_mistral(context: Context, admin: AdminClient, begun: RotationEntry, wish: CreateKeyRequest) -> CreatedKey:
    """The request, once it is recorded. If it fails, what it may have created is deleted."""
    try:
        return admin.create_key(wish)
    except AdminFailed as error:
        if may_have_succeeded(error):
            how = interrupted_rotation.undo_creation(context, admin, begun, None)
        else:
            rotation_journal.remove_entry(context.index, begun)
            how = "No key was created."
        raise AdminFailed(f"{error.failed} {how}", error.todo, error.kind) from None


def with_server_expiry(admin: AdminClient, name: str, created: CreatedKey) -> CreatedKey:
    """The expiry that the server set, from the list if the response did not include it."""
    if created.expiry_known:
        return created
    with contextlib.suppress(AdminFailed):
        for listed in admin.find_keys(name, lambda key: key.key_id == created.key_id):
            return created._replace(expires=listed.expires, expiry_known=listed.expiry_known)
    return created


def clamped_note(wish: CreateKeyRequest, created: CreatedKey) -> str:
    """What Mistral made of the expiry that was asked for, if it set another."""
    if not created.expiry_known or created.expires == wish.expires:
        return ""
    asked = f"{wish.expires} was requested" if wish.expires else "no date was requested"
    return f"Mistral set the new key's expiry to {created.expires or 'never'}; {asked}. The workspace has a policy."
