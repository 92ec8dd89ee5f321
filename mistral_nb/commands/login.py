"""`login`: ask for a key, verify it, keep it; in a notebook also use it."""

from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from mistral_nb.keys import expiry, interrupted_commands, key_intake, login_report, use_checks, workspace_choice
from mistral_nb.keys.admin_access import load_admin, stored_admin_workspaces
from mistral_nb.report import Action, Report


def action(  # noqa: PLR0917, the flags come by name
    context: Context,
    workspace: str | None = None,
    key_name: str | None = None,
    expires: str | None = None,
    yes: bool = False,
    ask_first: bool = False,
    no_ask_first: bool = False,
    admin: bool = False,
    from_aside: str | None = None,
) -> Action:
    workspace_choice.refuse_key_as_name(key_name or "")
    wishes = key_intake.LoginOptions(
        workspace=workspace_choice.validate_name(workspace) if workspace else None,
        key_name=key_name,
        expires=None if expires is None else expiry.parse_expiry(expires, context.today()),
        yes=yes,
        ask_first=key_intake.parse_ask_first(ask_first, no_ask_first),
        from_aside=from_aside,
    )
    if admin and from_aside is not None:
        raise WrongUsage("--admin and --from-aside cannot be used together.", "Use only one of them.")
    if admin:
        report: Report = yield from load_admin("login").add_admin_key(context, wishes)
        return report
    if wishes.workspace in stored_admin_workspaces(context):
        raise WrongUsage(f"Workspace {wishes.workspace} holds an Admin key.", "Use --admin or another name.")
    if wishes.workspace:
        yield from interrupted_commands.finish_interrupted(context)
    stored = yield from key_intake.obtain_key(context, wishes)
    use_checks.mark_confirmed(context, stored.workspace)
    return login_report.finish_login(context, stored)
