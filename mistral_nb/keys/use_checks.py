"""Access to a stored key: whether it may be used now, and the key itself."""

from mistral_nb import environment
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, CannotAsk, KeyExpired, WrongUsage
from mistral_nb.keys import expiry, passphrase_prompt, workspace_choice
from mistral_nb.keys.activation_report import format_key
from mistral_nb.prompts.confirm import confirm
from mistral_nb.report import Dialog
from mistral_nb.storage.index import ADMIN, Workspace

_confirmed_workspaces: set[tuple[str, str]] = set()  # (home, workspace) of this process


def confirm_ask_first(context: Context, name: str, entry: Workspace, *, yes: bool = False) -> Dialog[None]:
    """Ask about a workspace that asks first once per process. Raises `Cancelled`, `CannotAsk`."""
    if not entry.ask_first or (context.config.home, name) in _confirmed_workspaces:
        return
    if not yes:
        what = format_key(name, entry.tail, entry)
        unattended = CannotAsk(
            f"Workspace {name} must be confirmed before use, but no terminal is available.",
            "Use --yes, or another workspace.",
        )
        question = f"Use {what} now?"
        if not (yield from confirm("ask first", question, unattended=unattended)):
            raise Cancelled(f"The key of {name} is not used.")
    mark_confirmed(context, name)


def mark_confirmed(context: Context, name: str) -> None:
    """Record that this process may use the workspace: it was just confirmed."""
    _confirmed_workspaces.add((context.config.home, name))


def refuse_admin_key(context: Context, name: str, entry: Workspace) -> None:
    """An Admin key is never used in place of an ordinary one. Raises `WrongUsage`."""
    if entry.kind == ADMIN:
        raise WrongUsage(
            f"{name} …{entry.tail} is an Admin key: it does not work with models and is not put into the environment.",
            f"It is used by: {context.format_command('list --remote')}, {context.format_command('usage')}, "
            f"{context.format_command('rotate')} and {context.format_command('revoke')}.",
        )


def refuse_expired(context: Context, name: str, entry: Workspace, *, force: bool = False) -> None:
    """Raises `KeyExpired` for an expired key, by this computer's clock."""
    today = context.today()
    left = expiry.days_left(entry, today)
    if force or left is None or left >= 0:
        return
    doubt = expiry.clock_warning(context.key_manager.workspaces().values(), context.now())
    raise KeyExpired(
        f"The key of {format_key(name, entry.tail, entry)} expired on {entry.expires} "
        f"(today is {today} by this computer's clock). {doubt}".strip(),
        f"Create a new one: {context.format_command(f'rotate {name}')}. If the date is wrong: "
        f"{context.format_command(f'edit {name} --expires DATE')}, or use it with --force.",
    )


def read_stored_key(
    context: Context, named: str | None, *, force: bool = False, yes: bool = False
) -> Dialog[tuple[Key, str, Workspace]]:
    """The key of a kept workspace, its name and entry. Asks for no new key. Raises `WrongUsage` without one."""
    choice = yield from workspace_choice.choose_workspace(context, named)
    name = choice.name or ""
    entry = context.key_manager.workspaces().get(name)
    if entry is None:
        raise workspace_choice.no_key_error(name, f"Add it: {context.format_command(f'login {name}')}")
    refuse_admin_key(context, name, entry)
    refuse_expired(context, name, entry, force=force)
    yield from confirm_ask_first(context, name, entry, yes=yes)
    key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read(name))
    environment.register_key(key, context.index)
    return key, name, entry
