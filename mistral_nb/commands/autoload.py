"""`autoload`: an IPython start-up file, so that every new kernel loads mistral_nb."""

from mistral_nb import exit_codes
from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from mistral_nb.keys import startup_files, use_checks, workspace_choice
from mistral_nb.report import Action, Dialog, Report, Row


def action(
    context: Context, system: bool = False, remove: bool = False, status: bool = False, switch: str | None = None
) -> Action:
    """``switch``: a workspace whose key each kernel sets, without asking."""
    if sum((remove, status, switch is not None)) > 1:
        raise WrongUsage("--remove, --status and --switch cannot be used together.", "Use only one of them.")
    if status:
        return _status_report(context)
    if remove:
        return _remove(context, system=system)
    if switch is not None and system:
        raise WrongUsage("--switch is for your own kernels.", "Leave out --system.")
    workspace = "" if switch is None else (yield from _check_workspace(context, switch))
    path = startup_files.startup_path(context.environ, system=system)
    changed = startup_files.write_startup_file(path, system=system, workspace=workspace)
    title = f"{'On' if changed else 'Already on'}: {startup_files.StartupFile(path, system, workspace).words}."
    off = context.format_command(f"autoload --remove{' --system' if system else ''}")
    notes = (path, "It begins with the next kernel that is started.", f"To turn it off: {off}")
    return Report(title, notes=notes, data={"file": path, "changed": changed, "workspace": workspace or None})


def _check_workspace(context: Context, name: str) -> Dialog[str]:
    """A workspace that a kernel may set without asking. Raises `WrongUsage`."""
    name = yield from workspace_choice.confirm_near_miss(context, workspace_choice.validate_name(name))
    entry = context.stored_workspaces().get(name)
    if entry is None:
        login = context.format_command(f"login {name}")
        raise workspace_choice.no_key_error(name, f"Store one first: {login}")
    use_checks.refuse_admin_key(context, name, entry)
    if entry.ask_first:
        raise WrongUsage(
            f"Workspace {name} asks before it is used, and a kernel that starts can't ask.",
            f"Allow it: {context.format_command(f'edit {name} --no-ask-first')}",
        )
    return name


def _remove(context: Context, *, system: bool) -> Report:
    startup_files.read_startup_file(startup_files.startup_path(context.environ, system=system))
    there = startup_files.find_startup_files(context.environ)
    found = [file for file in there if file.is_system == system]
    for file in found:
        startup_files.remove_startup_file(file)
    paths, others = [file.path for file in found], [file for file in there if file not in found]
    off = context.format_command(f"autoload --remove{'' if system else ' --system'}")
    notes = tuple(f"Still on: {file.words} ({file.path}). To turn it off: {off}" for file in others)
    title = f"Removed: {paths[0]}" if paths else f"Nothing to remove{'' if others else ': autoload is off'}."
    return Report(title, notes=notes, data={"removed": paths})


def _status_report(context: Context) -> Report:
    found = startup_files.find_startup_files(context.environ)
    rows = tuple(Row("autoload", f"{file.words} ({file.path})", "ok") for file in found)
    data = {
        "files": [{"file": file.path, "system": file.is_system, "workspace": file.workspace or None} for file in found]
    }
    if found:
        return Report("Autoload is on.", rows, data=data)
    note = f"To turn it on: {context.format_command('autoload')}"
    return Report("Autoload is off.", notes=(note,), exit_code=exit_codes.FINDING, data=data)
