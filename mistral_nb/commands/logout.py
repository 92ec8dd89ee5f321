"""`logout`: delete a workspace's key from this machine. Its fingerprint stays, so that saves still catch it.

With ``--trace`` the fingerprint goes too; also that of a key which no workspace keeps, named by its tail. With
``--aside`` the keys go that are set aside.
"""

from functools import partial

from mistral_nb import environment, exit_codes
from mistral_nb.api.console_pages import OWN_KEYS_URL, key_page_url
from mistral_nb.command_context import Context
from mistral_nb.config import keys_in
from mistral_nb.errors import (
    Cancelled,
    ConcurrentChange,
    WrongUsage,
)
from mistral_nb.keys import (
    aside_keys,
    interrupted_commands,
    passphrase_prompt,
    rotation_state,
    stored_items,
    workspace_choice,
)
from mistral_nb.keys.activation_report import format_key
from mistral_nb.prompts.confirm import confirm, no_confirmation
from mistral_nb.report import Action, Report, Step
from mistral_nb.storage.index import COMPROMISED, RememberedKey
from mistral_nb.wording import plural


def action(  # noqa: PLR0917, the flags come by name
    context: Context,
    workspace: str | None = None,
    trace: bool = False,
    yes: bool = False,
    everything: bool = False,
    aside: bool = False,
) -> Action:
    if sum((everything, aside, bool(workspace) or trace)) > 1:
        raise WrongUsage("--all and --aside cannot be combined with a workspace or --trace.", "Use one of them alone.")
    if everything:
        return (yield from _delete_all(context, yes=yes))
    if aside:
        return (yield from _delete_aside(context, yes))
    workspace = workspace_choice.require_named(context, "logout", workspace)
    kept = context.key_manager.workspaces()
    if workspace not in kept and trace:
        return (yield from _forget_fingerprint(context, workspace, yes))
    workspace = yield from workspace_choice.confirm_near_miss(context, workspace)
    if workspace not in kept:
        there = f"Stored: {', '.join(kept)}." if kept else "No keys are stored."
        raise WrongUsage("There is no such workspace.", there)
    tail, waiting = kept[workspace].tail, context.key_manager.pending_keys().get(workspace)
    who = format_key(workspace, tail, kept[workspace])
    if not yes:
        new = f" and its pending key …{waiting.tail}" if waiting else ""
        question = f"Delete {who}{new} from this machine? Mistral shows a key only once, so it can't be recovered"
        todo = f"Use --yes: {context.format_command(f'logout {workspace} --yes')}"
        unattended = no_confirmation(todo)
        if not (yield from confirm("logout", question, unattended=unattended)):
            raise Cancelled(f"{who} was not deleted.")
    active = context.active
    yield from stored_items.check_store_opens(context, lambda: context.key_manager.read(workspace))
    begun = rotation_state.rotations_awaiting_deletion(context, workspace)
    meant = kept[workspace].fingerprint, waiting.fingerprint if waiting else ""
    yield from passphrase_prompt.run_unlocked(
        context, lambda: context.key_manager.forget(workspace, forget_fingerprint=trace, expected=meant)
    )
    if active and active.is_ours and active.workspace == workspace:
        environment.deactivate(context.environ)
    foreign = active and not active.is_ours and active.workspace == workspace
    left = ("MISTRAL_API_KEY still holds it here: unset it where it was set.",) if foreign else ()
    traceless = ("Its fingerprint was deleted too; saves no longer catch this key.",) if trace else ()
    return Report(
        f"Deleted from this machine: {who}. "
        f"The key still works at Mistral until you delete it there: {key_page_url(kept[workspace].kind)}",
        notes=(*left, *traceless, *rotation_state.abandon_rotations(context, begun)),
        data={"workspace": workspace, "tail": tail},
    )


def _delete_all(context: Context, *, yes: bool) -> Action:
    """Every key that is stored, listed before it is asked about."""
    yield from interrupted_commands.finish_interrupted(context)
    items = stored_items.list_items(context)
    if not items:
        return Report("No keys are stored.")
    for item in items:
        yield Step(f"{item.row.label}, in {item.row.value}")
    if not yes:
        question = f"Delete {plural(len(items), 'key')} from this machine? Mistral shows a key only once"
        todo = f"Use --yes: {context.format_command('logout --all --yes')}"
        unattended = no_confirmation(todo)
        if not (yield from confirm("logout", question, unattended=unattended)):
            raise Cancelled("No key was deleted.")
    active = context.active
    begun = [each for item in items for each in rotation_state.rotations_awaiting_deletion(context, item.workspace)]
    rows = yield from stored_items.delete_items(context, items)
    if active and active.is_ours and active.workspace not in context.stored_workspaces():
        environment.deactivate(context.environ)
    failed = [row for row in rows if row.state == "bad"]
    title = f"{plural(len(rows) - len(failed), 'key')} deleted from this machine."
    notes = (f"They still work at Mistral until you delete them there: {OWN_KEYS_URL}",)
    code = exit_codes.INCOMPLETE if failed else exit_codes.OK
    return Report(title, tuple(rows), (*notes, *rotation_state.abandon_rotations(context, begun)), code)


def _delete_aside(context: Context, yes: bool) -> Action:
    """The keys that are set aside."""
    entries = context.set_aside.entries()
    if not entries:
        return Report("No keys are set aside.", data={"aside": 0})
    if not yes:
        for entry in entries:
            yield Step(aside_keys.describe(context, entry))
        which = "this key" if len(entries) == 1 else f"these {len(entries)} keys"
        question = f"Delete {which} from this machine? Mistral shows a key only once, so it can't be recovered"
        todo = f"Use --yes: {context.format_command('logout --aside --yes')}"
        unattended = no_confirmation(todo)
        if not (yield from confirm("logout", question, unattended=unattended)):
            raise Cancelled("Nothing was deleted.")
    tails, notes = [], []
    for entry in entries:
        yield from stored_items.check_store_opens(context, partial(context.set_aside.take, entry))
        try:
            context.set_aside.drop(entry)
            tails.append(f"…{entry.tail}")
        except ConcurrentChange as error:  # a save took it out of a file while the question was open
            notes.append(str(error))
    verb = "was" if len(tails) == 1 else "were"
    what = f"{plural(len(tails), 'key')} that {verb} set aside, {', '.join(tails)}" if tails else "no key"
    code = exit_codes.INCOMPLETE if notes else exit_codes.OK
    return Report(f"Deleted from this machine: {what}.", (), tuple(notes), code, data={"aside": len(tails)})


def _forget_fingerprint(context: Context, named: str, yes: bool) -> Action:
    """Of a key that is remembered only, named by its tail or its fingerprint."""
    seen = _find_remembered(context, named)
    key = f"…{seen.tail}"
    if not yes:
        leaked = ", which was revoked as leaked," if seen.state == COMPROMISED else ""
        question = f"Forget the key {key}{leaked} so that saves and commits no longer catch it?"
        todo = f"Use --yes: {context.format_command(f'logout --trace {key} --yes')}"
        unattended = no_confirmation(todo)
        if not (yield from confirm("logout", question, unattended=unattended)):
            raise Cancelled(f"{key} was not forgotten.")
    context.index.forget(seen.fingerprint)
    names = [name for name, key in keys_in(context.environ).items() if key.fingerprint == seen.fingerprint]
    again = (f"{' and '.join(names)} still holds it, so it is remembered again: unset it.",) if names else ()
    return Report(
        f"Forgotten on this machine: {key}. Saves and commits no longer catch this key.",
        notes=again,
        data={"workspace": None, "tail": seen.tail, "fingerprint": seen.fingerprint},
    )


def _find_remembered(context: Context, named: str) -> RememberedKey:
    name = named.lstrip("….")
    found = [seen for seen in context.read_index().remembered.values() if name in (seen.tail, seen.fingerprint)]
    if not found:
        raise WrongUsage(
            "No workspace has that name, and no remembered key ends in that.",
            "Give the last four characters of the key.",
        )
    if len(found) > 1:
        raise WrongUsage(
            f"{len(found)} remembered keys end in …{name}.",
            f"Give the fingerprint of one: {', '.join(seen.fingerprint for seen in found)}",
        )
    (seen,) = found
    manager = context.key_manager
    stored = [*manager.workspaces().items(), *manager.pending_keys().items()]
    of = {entry.fingerprint: name for name, entry in stored}
    of |= {retired.fingerprint: retired.former_workspace for retired in manager.retired_keys()}
    if seen.fingerprint in of:
        raise WrongUsage(
            f"The key …{seen.tail} is still stored for workspace {of[seen.fingerprint]}.",
            f"To delete it: {context.format_command(f'logout {of[seen.fingerprint]} --trace')}",
        )
    return seen
