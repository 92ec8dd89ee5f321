"""`edit`: change a workspace's name, its store, or the details of its key; the key itself stays."""

from mistral_nb import environment
from mistral_nb.command_context import Context
from mistral_nb.command_table import commands_for, format_flag
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.keys import (
    expiry,
    interrupted_commands,
    key_intake,
    overwrite_checks,
    passphrase_prompt,
    workspace_choice,
)
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.key_details import expiry_details
from mistral_nb.report import Action, Dialog, Report, Step
from mistral_nb.storage.index import Workspace
from mistral_nb.storage.store_protocol import KEYRING, MEMORY, store_name


def action(  # noqa: PLR0917, the flags come by name
    context: Context,
    workspace: str | None = None,
    rename: str | None = None,
    store: str | None = None,
    key_name: str | None = None,
    expires: str | None = None,
    ask_first: bool = False,
    no_ask_first: bool = False,
) -> Action:
    """Check everything, then move, update, rename: what is most likely to fail comes first."""
    workspace = workspace_choice.require_named(context, "edit", workspace)
    new_name = None if rename is None else workspace_choice.validate_name(rename)
    fields = _changed_fields(context, key_name, expires, key_intake.parse_ask_first(ask_first, no_ask_first))
    if new_name is None and store is None and not fields:
        raise WrongUsage("There is nothing to change.", f"Give at least one of: {_list_options(context)}.")
    if new_name or store:
        yield from interrupted_commands.finish_interrupted(context)
    workspace = yield from workspace_choice.confirm_near_miss(context, workspace)
    _require_stored(context, workspace)
    if new_name in context.key_manager.workspaces():
        raise WrongUsage(f"Workspace {new_name} already exists.", "Choose another name.")
    if new_name:
        overwrite_checks.refuse_while_rotating(context, workspace, new_name)
    done: list[str] = []
    notes: tuple[str, ...] = ()
    try:
        if store:
            done.append((yield from _move(context, workspace, store)))
        if fields:
            done.append(_update(context, workspace, fields))
            notes = (f"To replace its key: {context.format_command(f'rotate {new_name or workspace}')}",)
        if new_name:
            done.append((yield from _rename(context, workspace, new_name)))
            notes = (*notes, *_project_notes(context, workspace))
    except (MistralNbError, KeyboardInterrupt):
        for sentence in done:
            yield Step(sentence)
        raise
    return Report(done[0], notes=(*done[1:], *notes), data=_json_data(context, new_name or workspace))


def _changed_fields(
    context: Context, key_name: str | None, expires: str | None, ask_first: bool | None
) -> dict[str, object]:
    """The fields of `Workspace` to change."""
    workspace_choice.refuse_key_as_name(key_name or "")
    fields: dict[str, object] = {}
    if expires is not None:
        fields |= expiry_details(expiry.parse_expiry(expires, context.today()))
    if key_name is not None:
        fields["name"] = key_name
    if ask_first is not None:
        fields["ask_first"] = ask_first
    return fields


def _list_options(context: Context) -> str:
    flags = commands_for(context.host)["edit"].flags_for(context.host)
    return ", ".join(format_flag(flag).strip("[]") for flag in flags if flag.names[0].startswith("-"))


def _require_stored(context: Context, workspace: str) -> None:
    if workspace in context.key_manager.workspaces():
        return
    workspace_choice.validate_name(workspace)
    raise workspace_choice.no_key_error(workspace, f"See {context.format_command('list')}.")


def _move(context: Context, name: str, store: str) -> Dialog[str]:
    before = context.key_manager.workspaces()[name]
    if before.store == store:
        return f"{format_key(name, before.tail, before)} is in {store_name(store)} already."
    overwrite_checks.refuse_while_rotating(context, name)
    why_not = context.stores[store].unavailable_reason() if store == KEYRING else None
    if why_not and not context.interactive:
        raise why_not
    _refuse_name_stored_since(context, name, before)
    entry = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.move(name, store))
    return f"Moved: {format_key(name, entry.tail, entry)}, from {store_name(before.store)} to {store_name(store)}."


def _refuse_name_stored_since(context: Context, name: str, before: Workspace) -> None:
    """A key in memory does not replace one that another process stored under its name."""
    stored = overwrite_checks.stored_entry(context, name)
    if before.store == MEMORY and stored and stored.fingerprint != before.fingerprint:
        raise WrongUsage(
            f"Another process has stored {format_key(name, stored.tail, stored)}; yours, …{before.tail}, is in memory.",
            f"Give yours another name first: {context.format_command(f'edit {name} --rename NEW_NAME')}",
        )


def _update(context: Context, name: str, fields: dict[str, object]) -> str:
    entry = context.key_manager.update(name, **fields)
    words, _ = expiry.describe_expiry(entry, context.today())
    return f"Updated {format_key(name, entry.tail, entry)}; its key is unchanged. Expires: {words}."


def _rename(context: Context, name: str, new: str) -> Dialog[str]:
    active = context.active
    entry = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.rename(name, new))
    if active and active.is_ours and active.workspace == name:
        environment.activate(active.key, new, active.origin, context.environ)
    return f"Renamed: {name} is now {format_key(new, entry.tail, entry)}."


def _project_notes(context: Context, former_name: str) -> tuple[str, ...]:
    project = context.config.project
    if project.table.get("workspace") != former_name:
        return ()
    return (f"{project.file} still names {former_name}: change it there.",)


def _json_data(context: Context, name: str) -> dict[str, object]:
    entry = context.key_manager.workspaces()[name]
    return {
        "workspace": name,
        "tail": entry.tail,
        "store": entry.store,
        "expires": entry.expires,
        "ask_first": entry.ask_first,
    }
