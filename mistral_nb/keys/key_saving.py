"""Saving a key that was just entered: into a store, again if that failed, or into memory."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mistral_nb.api.verdict import Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, ConcurrentChange, MistralNbError, StoreError
from mistral_nb.keys import passphrase_prompt, store_choice
from mistral_nb.keys.key_naming import free_name
from mistral_nb.keys.key_prompt import AT_THE_PROMPT
from mistral_nb.keys.overwrite_checks import StoreTarget, stored_entry
from mistral_nb.prompts.confirm import confirm
from mistral_nb.report import Dialog
from mistral_nb.storage.index import Workspace
from mistral_nb.storage.store_protocol import MEMORY


class StoredKey(NamedTuple):
    """A key that was stored or, if no store accepted it, is in memory; ``problem`` then says why."""

    workspace: str
    key: Key
    entry: Workspace
    verdict: Verdict
    problem: str = ""
    source: str = AT_THE_PROMPT


def save_key(
    context: Context, target: StoreTarget, key: Key, details: Mapping[str, Any], verdict: Verdict
) -> Dialog[StoredKey]:
    """Store it. A key just typed is never asked for again because a store failed: retry, or use memory."""
    while True:  # every round needs a yes
        try:
            kept = yield from _store_key(context, target, key, details)
            return StoredKey(target.workspace, key, kept, verdict)
        except (Cancelled, ConcurrentChange):
            raise
        except MistralNbError as error:
            if context.in_notebook:
                name = memory_name(context, target.workspace)
                kept = context.key_manager.keep(name, key, details, MEMORY)
                return StoredKey(name, key, kept, verdict, problem=str(error))
            yield from _ask_retry(error)


def memory_name(context: Context, workspace: str) -> str:
    """The workspace's name, or a free one where another key is stored under it: memory takes no stored name."""
    stored = stored_entry(context, workspace)
    return free_name(context, workspace) if stored else workspace


def _store_key(context: Context, target: StoreTarget, key: Key, details: Mapping[str, Any]) -> Dialog[Workspace]:
    def keep_in(store: str) -> Workspace:
        return context.key_manager.keep(target.workspace, key, details, store, expected=target.expected)

    store = yield from store_choice.choose_store(context)
    try:
        return (yield from passphrase_prompt.run_unlocked(context, lambda: keep_in(store)))
    except ConcurrentChange:  # the keyring works
        raise
    except StoreError as error:
        if store != "keyring" or not context.interactive:
            raise
        instead = yield from store_choice.choose_without_keyring(context, error)
        return (yield from passphrase_prompt.run_unlocked(context, lambda: keep_in(instead)))


def _ask_retry(error: MistralNbError) -> Dialog[None]:
    """On the command line memory ends with the command: the person fixes what failed, and it is tried again."""
    question = f"{error} The key is not stored yet. Fix this, then try again?"
    if not (yield from confirm("try again", question)):
        raise error
