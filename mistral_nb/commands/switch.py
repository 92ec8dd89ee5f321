"""`switch`: sets a workspace's key in this process's environment.

Sources of a key, in this order: the environment, MISTRAL_API_KEY_FILE, the store, asking. Naming
a workspace overrides that: then only the store, and asking.
"""

from mistral_nb import environment
from mistral_nb.command_context import Context
from mistral_nb.keys import (
    expiry,
    interrupted_commands,
    key_intake,
    login_report,
    passphrase_prompt,
    store_choice,
    use_checks,
    workspace_choice,
)
from mistral_nb.keys.activation_report import activate_and_report, activation_warnings, format_key
from mistral_nb.keys.key_file import key_file_origin, read_key_file
from mistral_nb.report import Action, Dialog, Report, Step
from mistral_nb.storage.index import Workspace
from mistral_nb.storage.store_protocol import MEMORY, store_name


def action(context: Context, workspace: str | None = None, force: bool = False, yes: bool = False) -> Action:
    """Set a key in the environment. A stored key is never verified here: no network."""
    if workspace is None:
        there = yield from _find_existing_key(context)
        if there:
            return there
    choice = yield from workspace_choice.choose_workspace(context, workspace)
    entry = context.stored_workspaces().get(choice.name or "")
    if context.index_problem:
        yield Step(context.index_problem)
    if choice.name and entry:
        use_checks.refuse_admin_key(context, choice.name, entry)
        use_checks.refuse_expired(context, choice.name, entry, force=force)
        yield from use_checks.confirm_ask_first(context, choice.name, entry, yes=yes)
    there = None if workspace else _report_active_key(context, choice, entry)
    if there:
        return there
    if choice.name and entry:
        return (yield from _activate_stored_key(context, choice, entry))
    if (
        choice.name and context.stored_workspaces() and context.interactive and not context.has_form
    ):  # mistyped, perhaps
        yield Step(f"No key is stored for {choice.name}; there is one for {', '.join(context.stored_workspaces())}.")
    stored = yield from key_intake.obtain_key(context, key_intake.LoginOptions(workspace=choice.name))
    return login_report.finish_login(context, stored)


def _find_existing_key(context: Context) -> Dialog[Report | None]:
    """A key set by someone else or in the mounted file; None if there is neither."""
    active = context.active
    if active and not active.is_ours:
        environment.register_key(active.key, context.index)
        whose = format_key(active.workspace, active.key.tail, context.stored_workspaces().get(active.workspace or ""))
        tidied = ("Its value had quotes or white space, which the API refuses; they were removed.",)
        switch = context.format_command("switch WORKSPACE")
        hint = (f"To use a stored key instead: {switch}",) if context.in_notebook else ()
        return Report(
            f"MISTRAL_API_KEY was already set, to {whose} (from {active.origin}). It was not replaced.",
            notes=(
                *(tidied if environment.normalize_variable(context.environ) else ()),
                *hint,
                *activation_warnings(context),
            ),
            data={"workspace": active.workspace, "tail": active.key.tail, "origin": active.origin},
        )
    if no_key := environment.no_key_sentence(context.environ):
        yield Step(no_key)
    if context.config.key_file and not environment.marked_workspace(context.environ):
        key = read_key_file(context.config.key_file)
        environment.register_key(key, context.index)
        return activate_and_report(context, key, None, key_file_origin(context.config.key_file))
    return None


def _report_active_key(
    context: Context, choice: workspace_choice.WorkspaceChoice, entry: Workspace | None
) -> Report | None:
    """Our own key, set by this process or a parent of it: no store has to be opened for it."""
    active = context.active
    if active is None or not active.is_ours or active.workspace != choice.name:
        return None
    if entry and entry.fingerprint != active.key.fingerprint:  # another one is stored by now
        return None
    environment.register_key(active.key, context.index)
    notes = _memory_notes(context, entry) if entry else ("It is not stored; it is available until this process exits.",)
    return activate_and_report(context, active.key, choice.name, active.origin, why=choice.why, notes=notes)


def _activate_stored_key(context: Context, choice: workspace_choice.WorkspaceChoice, entry: Workspace) -> Action:
    name = str(choice.name)
    yield from interrupted_commands.finish_interrupted(context)
    key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read(name))
    environment.register_key(key, context.index)
    words, state = expiry.describe_expiry(entry, context.today())
    notes = (f"This key {words if state == 'bad' else 'expires ' + words}.",) if state in ("warn", "bad") else ()
    notes = (*notes, *_memory_notes(context, entry))
    return activate_and_report(context, key, name, store_name(entry.store), why=choice.why, notes=notes)


def _memory_notes(context: Context, entry: Workspace) -> tuple[str, ...]:
    return (store_choice.memory_reason(context),) if entry.store == MEMORY else ()
