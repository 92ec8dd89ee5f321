"""The workspace name of a new key: Mistral's own name of its workspace, without a question outside a form."""

import itertools
from collections.abc import Mapping

from mistral_nb import environment
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import IndexUnreadable, WrongUsage
from mistral_nb.keys import workspace_choice
from mistral_nb.prompts.confirm import MAX_TRIES
from mistral_nb.report import Ask, Dialog, Step
from mistral_nb.storage.index import ADMIN, Workspace


def choose_name(context: Context, verdict: Verdict, key: Key) -> Dialog[str]:
    """The name for a key that came without one; a form lets the person change it."""
    default = suggest_name(context, verdict, key)
    if not context.has_form:
        return default
    for _ in range(MAX_TRIES):
        answer = yield Ask("workspace", "Store it under the name", default=default)
        try:
            return workspace_choice.validate_name(str(answer).strip(), key)
        except WrongUsage as error:
            yield Step(str(error))
    return default


def suggest_name(context: Context, verdict: Verdict, key: Key) -> str:
    """The name that this key, or another one of the same workspace at Mistral, has here; else Mistral's name."""
    kept = {name: entry for name, entry in context.stored_workspaces().items() if entry.kind != ADMIN}
    identity = verdict.identity or Identity()
    own = environment.keeping_workspace(key, kept)
    if own:
        return own
    name = workspace_choice.slugify(identity.workspace)
    siblings = _find_siblings(kept, identity)
    if siblings and name not in siblings:
        return siblings[0]
    return name if name in kept else free_name(context, name)


def free_name(context: Context, name: str) -> str:
    """``name`` if no key is stored under it, else the first of ``name-2``, ``name-3``, … that is free."""
    taken = {*context.stored_workspaces(), *_stored_names(context)}
    names = itertools.chain((name,), (f"{name[:60]}-{n}" for n in itertools.count(2)))
    return next(each for each in names if each not in taken)


def _find_siblings(kept: Mapping[str, Workspace], identity: Identity) -> list[str]:
    """The workspaces that keep another key of the same workspace at Mistral."""
    if not identity.workspace:
        return []
    whose = (identity.workspace, identity.organisation)
    return [name for name, entry in kept.items() if (entry.mistral_workspace, entry.organisation) == whose]


def _stored_names(context: Context) -> set[str]:
    """What is stored for every process: a key in this one's memory may hide it."""
    try:
        return set(context.read_index().workspaces)
    except IndexUnreadable:  # reported where it matters
        return set()
