"""Which key is shared, as it is at any moment: the one of this process, or a stored one."""

from typing import NamedTuple, Protocol

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.keys import use_checks
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.auth import LiveKey, open_live_key
from mistral_nb.report import Dialog
from mistral_nb.storage.index import ADMIN


class SharedKey(NamedTuple):
    """A key, and the workspace that keeps it if one does."""

    key: Key
    workspace: str | None

    @property
    def label(self) -> str:
        return format_key(self.workspace, self.key.tail)


class KeySource(Protocol):
    """Reads the key that is to be shared; None if there is none any more. Raises `MistralNbError` if it can't tell."""

    def read(self) -> SharedKey | None: ...


class ProcessKey:
    """The key in this process's environment, whichever it is, unless it is an Admin key."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def read(self) -> SharedKey | None:
        active = self._context.active
        entry = self._context.stored_workspaces().get((active and active.workspace) or "")
        if active is None or (entry and entry.kind == ADMIN):
            return None
        return SharedKey(active.key, active.workspace)


class WorkspaceKey:
    """The key of a workspace, also after another process rotated it; none once it was revoked or deleted."""

    def __init__(self, key: LiveKey) -> None:
        self._live = key

    def read(self) -> SharedKey | None:
        try:
            return SharedKey(self._live.read_key(), self._live.workspace)
        except WrongUsage:  # it is not stored any more
            return None


def open_key_source(
    context: Context, workspace: str | None, *, force: bool = False, yes: bool = False
) -> Dialog[KeySource]:
    """The key of this process if it has one and no workspace is named; else a stored one. Asks what has to be asked.

    Raises `MistralNbError` as `open_live_key`.
    """
    active = context.active
    if workspace is None and active is not None:
        name = active.workspace or ""
        entry = context.stored_workspaces().get(name)
        if entry:
            use_checks.refuse_admin_key(context, name, entry)
            yield from use_checks.confirm_ask_first(context, name, entry, yes=yes)
        return ProcessKey(context)
    return WorkspaceKey((yield from open_live_key(context, workspace, force=force, yes=yes)))


def read_or_keep(source: KeySource, last: SharedKey | None) -> SharedKey | None:
    """The key now; the last one while its store can't be read."""
    try:
        return source.read()
    except MistralNbError:
        return last
