"""The last step of `switch` and `login`: set the key in the environment, and report it."""

from mistral_nb import environment
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.keys.child_processes import old_key_notes
from mistral_nb.report import Report
from mistral_nb.storage.index import Workspace


def activate_and_report(
    context: Context,
    key: Key,
    workspace: str | None,
    origin: str,
    *,
    why: str = "",
    notes: tuple[str, ...] = (),
) -> Report:
    """Put ``key`` into the environment; the report names it, its origin, and what it replaced."""
    before = context.active
    environment.activate(key, workspace, origin, context.environ)
    stored = context.stored_workspaces()
    workspace = environment.keeping_workspace(key, stored, workspace or "")
    entry = stored.get(workspace or "")
    whose = format_key(workspace, key.tail, entry)
    because = f"; {why}" if why else ""
    return Report(
        f"MISTRAL_API_KEY is set: {whose} (from {origin}{because}).",
        notes=(*_replaced_notes(context, before, key), *notes, *activation_warnings(context)),
        data={
            "workspace": workspace,
            "tail": key.tail,
            "origin": origin,
            **({"ask_first": True} if entry and entry.ask_first else {}),
        },
    )


def format_key(workspace: str | None, tail: str, entry: Workspace | None = None) -> str:
    """How a key is named everywhere: ``prod …Ug6Y (ask first)``."""
    name = f"{workspace} …{tail}" if workspace else f"…{tail}"
    return f"{name} (ask first)" if entry and entry.ask_first else name


def describe_key(context: Context, key: Key) -> str:
    """A key wherever it was found, with the workspace that keeps it: ``prod …Ug6Y``."""
    return format_key(environment.keeping_workspace(key, context.stored_workspaces()), key.tail)


def activation_warnings(context: Context) -> tuple[str, ...]:
    """Reasons why an active key is useless or unprotected."""
    found = []
    if context.environ.get("MISTRAL_SA_TOKEN_PATH"):
        found.append(
            "MISTRAL_SA_TOKEN_PATH is set: the SDK takes that token and ignores this key. Unset it to use the key."
        )
    found.extend(f"Saves are not protected from this key. {why}" for why in environment.remember_problems())
    return tuple(found)


def _replaced_notes(context: Context, before: environment.ActiveKey | None, key: Key) -> tuple[str, ...]:
    if before is None or before.key == key:
        return ()
    whose = format_key(before.workspace, before.key.tail)
    where = " in this process" if before.is_ours else f", which came from {before.origin}"
    return (f"It replaced {whose}{where}.", *old_key_notes(context, before.key.fingerprint, before.key.tail))
