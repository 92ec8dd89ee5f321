"""What an interrupted command left behind: reported and finished by the next one."""

from mistral_nb.command_context import Context
from mistral_nb.errors import IndexNotWritten, IndexTooNew, IndexUnreadable
from mistral_nb.keys import aside_keys
from mistral_nb.report import Dialog, Step
from mistral_nb.storage import rotation_journal


def finish_interrupted(context: Context, rotating: str | None = None) -> Dialog[None]:
    """Delete left-over items, and report unfinished rotations, except the one about to be resumed."""
    try:
        contents = context.read_index()
    except IndexUnreadable:  # reported where it matters
        return
    if contents.pending_deletions:
        names = ", ".join(dict.fromkeys(format_item_name(left.workspace) for left in contents.pending_deletions))
        try:
            problems = context.key_manager.run_pending_deletions()
        except (IndexNotWritten, IndexTooNew):
            return
        left = len(context.read_index().pending_deletions)
        if not left:
            yield Step(f"An interrupted command left a stored copy of a key of {names}; it was deleted.")
        elif problems:
            yield Step(f"An interrupted command left a stored copy of a key of {names}. {problems[0].failed}")
    for name, entry in context.key_manager.pending_keys().items():
        if name != rotating:
            yield Step(
                f"The rotation of {name} is unfinished: the new key …{entry.tail} is pending. "
                f"Finish it: {context.format_command(f'rotate {name}')}"
            )
    yield from _report_admin_rotations(context, rotating)
    yield from aside_keys.delete_expired(context)


def _report_admin_rotations(context: Context, rotating: str | None) -> Dialog[None]:
    """Interrupted rotations by Admin key: which key may be left at Mistral."""
    waiting = {entry.fingerprint for entry in context.key_manager.pending_keys().values()}
    for left in rotation_journal.read_entries(context.index):
        if left.workspace == rotating or left.fingerprint in waiting:
            continue
        which = f"the old key …{left.old_tail}" if left.step == rotation_journal.DELETE else f"a key named {left.name}"
        yield Step(
            f"The rotation of {left.workspace} is unfinished: {which} may still exist at Mistral. "
            f"Finish it: {finishing_hint(context, left)}"
        )


def finishing_hint(context: Context, left: rotation_journal.RotationEntry) -> str:
    """The command that finishes a rotation by Admin key; if its workspace is gone, any call of the Admin API does."""
    there = left.workspace in context.stored_workspaces() or left.workspace in context.key_manager.pending_keys()
    return context.format_command(f"rotate {left.workspace}" if there else "list --remote")


def format_item_name(item: str) -> str:
    """The display name of an item: the name of a key out of use is a fingerprint."""
    if item.startswith("(aside)"):
        return "a workspace that got another key"
    if item.startswith("(set aside)"):
        return "a file"
    return "a revoked workspace" if item.startswith("(revoked)") else item
