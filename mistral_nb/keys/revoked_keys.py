"""A key that was revoked here by mistake, taken back into use: `login` offers it while a copy is stored."""

from collections.abc import Mapping
from typing import NamedTuple

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError
from mistral_nb.keys import passphrase_prompt
from mistral_nb.prompts.confirm import confirm
from mistral_nb.report import Dialog, Step
from mistral_nb.storage.index import ADMIN, COMPROMISED, LIVE, RetiredKey, Workspace
from mistral_nb.storage.index_edits import set_state
from mistral_nb.storage.store_protocol import MEMORY

SOURCE = "what was revoked here"


class TakenKey(NamedTuple):
    key: Key
    copy: RetiredKey


def offer(context: Context, workspace: str | None) -> Dialog[TakenKey | None]:
    """Ask whether the latest key that was revoked in this workspace, which stores none now, is to be used again."""
    copy = _find_copy(context, workspace) if workspace and context.interactive else None
    if copy is None:
        return None
    question = f"…{copy.tail} of {workspace} was revoked here. Take it back into use, if it did not leak?"
    if not (yield from confirm("take back", question)):
        return None
    try:
        key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read_retired(copy))
    except MistralNbError as error:
        yield Step(str(error))
        return None
    return TakenKey(key, copy) if key else None


def _find_copy(context: Context, workspace: str) -> RetiredKey | None:
    try:
        if workspace in context.stored_workspaces():
            return None
        copies = context.key_manager.retired_keys(workspace)
    except MistralNbError:  # reported where it matters
        return None
    return next((each for each in reversed(copies) if each.state == COMPROMISED and each.kind != ADMIN), None)


def take_back(context: Context, taken: TakenKey) -> None:
    """Once it is in a workspace again it is marked as in use; its other copy goes only if a store took it for good."""
    fingerprint = taken.copy.fingerprint
    if not _is_among(context.stored_workspaces(), fingerprint):
        return
    if taken.copy.store == MEMORY or _is_among(context.read_index().workspaces, fingerprint):
        context.key_manager.drop_retired(taken.copy)
    with context.index.edit() as contents:
        set_state(contents, fingerprint, COMPROMISED, LIVE)


def _is_among(workspaces: Mapping[str, Workspace], fingerprint: str) -> bool:
    return any(entry.fingerprint == fingerprint for entry in workspaces.values())
