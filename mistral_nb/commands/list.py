"""`list`: the keys that are kept here; with ``--remote``, the organisation's list beside them."""

from mistral_nb import exit_codes
from mistral_nb.command_context import Context
from mistral_nb.keys import expiry, interrupted_commands
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.admin_access import can_use_admin_key, load_admin
from mistral_nb.keys.key_report import UNREADABLE_TITLE, details_data
from mistral_nb.report import Action, Report, Row
from mistral_nb.storage.index import ADMIN, Workspace
from mistral_nb.storage.store_protocol import store_name
from mistral_nb.wording import plural


def action(context: Context, remote: bool = False, long: bool = False) -> Action:
    long = long or not context.may_be_committed
    if remote:
        report: Report = yield from load_admin("remote_list").list_remote(context, long)
        return report
    yield from interrupted_commands.finish_interrupted(context)
    kept = context.stored_workspaces()
    rows = tuple(_key_row(context, name, entry) for name, entry in kept.items())
    problem = (Row("index", context.index_problem, "bad"),) if context.index_problem else ()
    note = (
        (f"To compare with Mistral's list: {context.format_command('list --remote')}",)
        if can_use_admin_key(context)
        else ()
    )
    if not kept and not problem:
        note = (f"To add one: {context.format_command('login')}",)
    stored = f"{plural(len(rows), 'key')} stored." if rows else "No keys are stored."
    title = UNREADABLE_TITLE if problem else stored
    data = {
        "kept": {name: details_data(entry, long) for name, entry in kept.items()},
        "active": next((name for name, entry in kept.items() if _is_active(context, name, entry)), None),
        "problem": context.index_problem or None,
    }
    return Report(title, (*problem, *rows), note, exit_codes.INCOMPLETE if problem else exit_codes.OK, data)


def _key_row(context: Context, name: str, entry: Workspace) -> Row:
    words, state = expiry.describe_expiry(entry, context.today())
    kind = ", an Admin key" if entry.kind == ADMIN else ""
    active = ", active here" if _is_active(context, name, entry) else ""
    return Row(
        name,
        f"{format_key(None, entry.tail, entry)} in {store_name(entry.store)}{kind}{active}; expires: {words}",
        state,
    )


def _is_active(context: Context, name: str, entry: Workspace) -> bool:
    active = context.active
    return active is not None and active.workspace == name and active.key.fingerprint == entry.fingerprint
