"""`rotate`: replaces a workspace's key with a new one, by hand or by an Admin key."""

from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from mistral_nb.keys import expiry, host_consent, interrupted_commands, rotation, workspace_choice
from mistral_nb.keys.admin_access import can_use_admin_key, load_admin
from mistral_nb.keys.rotation_by_hand import RotationByHand
from mistral_nb.report import Action
from mistral_nb.storage.index import ADMIN


def action(  # noqa: PLR0917, the flags come by name
    context: Context,
    workspace: str | None = None,
    key_name: str | None = None,
    expires: str | None = None,
    keep_old: bool = False,
    yes: bool = False,
    manual: bool = False,
    wait: float | None = None,
) -> Action:
    workspace_choice.refuse_key_as_name(key_name or "")
    wanted = None if expires is None else expiry.parse_expiry(expires, context.today())
    yield from host_consent.confirm_host(context)
    choice = yield from workspace_choice.choose_workspace(context, workspace)
    name = _require_key(context, choice.name)
    if keep_old:
        _require_free_name(context, rotation.old_name(name))
    yield from interrupted_commands.finish_interrupted(context, rotating=name)
    with context.key_manager.hold_rotation_lock(name):
        old = context.key_manager.workspaces().get(name)
        planned = rotation.Rotation(name, old, key_name, wanted, keep_old, yes, wait)
        return (yield from rotation.rotate(context, planned, _choose_way(context, name, manual=manual)))


def _require_key(context: Context, name: str | None) -> str:
    if name and (name in context.key_manager.workspaces() or name in context.key_manager.pending_keys()):
        return name
    login = context.format_command(f"login {name}" if name else "login")
    raise workspace_choice.no_key_error(name, f"There is nothing to rotate. Add a key: {login}")


def _require_free_name(context: Context, name: str) -> None:
    workspace_choice.validate_name(name)
    if name in context.key_manager.workspaces():
        raise WrongUsage(
            f"Workspace {name} already exists; --keep-old needs that name for the old key.",
            f"First: {context.format_command(f'logout {name}')}",
        )


def _choose_way(context: Context, name: str, *, manual: bool) -> rotation.RotationWay:
    """By an Admin key where there is one. The workspace's rotation lock is held."""
    if not manual and can_use_admin_key(context):
        by_admin_key = load_admin("rotation")
        if by_admin_key.can_rotate(context, name):
            way: rotation.RotationWay = by_admin_key.RotationByAdminKey(context)
            return way
    entry = context.key_manager.workspaces().get(name)
    if entry and entry.kind == ADMIN:
        load_admin("credentials").verify_with_admin_api(context)
    return RotationByHand(context)
