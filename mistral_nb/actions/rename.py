"""`rename`: a workspace's key under another name."""

from mistral_nb import session
from mistral_nb.actions import choose, occupied, unfinished, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Action, Report


def action(context: Context, workspace: str, new_name: str) -> Action:
    new = choose.checked_name(new_name)
    yield from unfinished.finish(context)
    if workspace not in context.keeper.workspaces():
        raise WrongUsage(f"No key is kept for a workspace named {workspace}.", f"See {context.typed('status')}.")
    occupied.refuse_while_rotating(context, workspace, new)
    entry = yield from unlock.unlocked(context, lambda: context.keeper.rename(workspace, new))
    active = context.active
    if active and active.ours and active.workspace == workspace:
        session.activate(active.key, new, active.origin, context.environ)
    notes: tuple[str, ...] = ()
    if context.config.project.table.get("workspace") == workspace:
        notes = (f"{context.config.project.file} still names {workspace}: change it there.",)
    return Report(
        f"Renamed: {workspace} is now {shown(new, entry.tail, entry)}.",
        notes=notes,
        data={"from": workspace, "to": new},
    )
