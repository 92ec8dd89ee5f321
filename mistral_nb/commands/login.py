"""`login`: ask for a key, verify it, keep it; in a notebook also use it."""

from dataclasses import replace

from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from mistral_nb.keys import expiry, interrupted_commands, key_intake, use_checks, workspace_choice
from mistral_nb.keys.activation_report import activate_and_report, format_key
from mistral_nb.keys.admin_access import load_admin, stored_admin_workspaces
from mistral_nb.keys.key_prompt import AT_THE_PROMPT
from mistral_nb.report import Action, Report
from mistral_nb.storage.store_protocol import store_name


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
    got = yield from key_intake.obtain_key(context, wishes)
    where = store_name(got.entry.store)
    use_checks.mark_confirmed(context, got.workspace)
    if context.in_notebook:
        used = activate_and_report(context, got.key, got.workspace, got.origin, notes=got.notes())
        return replace(used, data={**used.data, "store": got.entry.store})
    found = "" if got.source == AT_THE_PROMPT else f" (from {got.source})"
    return Report(
        f"Saved to {where}: {format_key(got.workspace, got.key.tail, got.entry)}{found}.",
        notes=(*got.notes(), f"To use it: {context.format_command(f'run {got.workspace} -- CMD…')}"),
        data={"workspace": got.workspace, "tail": got.key.tail, "store": got.entry.store},
    )
