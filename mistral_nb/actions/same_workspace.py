"""Whether the new key of a rotation is of the same workspace at Mistral as the old one."""

from collections.abc import Generator

from mistral_nb.actions import unlock
from mistral_nb.actions.context import Context
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.errors import KeyRefused, StoreError
from mistral_nb.key import Key
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store.index import Workspace


def check(
    context: Context, name: str, kept: Workspace | None, key: Key, verdict: Verdict
) -> Generator[Ask | Step, Answer, None]:
    """Ask where the API puts the new key elsewhere than the old one. Raises `KeyRefused` at a no."""
    now = verdict.identity or Identity()
    old = yield from _identity_of_old(context, name, kept, now)
    differs = [(a, b) for a, b in zip(old, (now.workspace, now.organisation), strict=True) if a and b and a != b]
    if not differs:
        if not (old[0] and now.workspace):
            yield Step("Mistral does not tell the workspace of both keys: whether it is the same was not checked.")
        return
    where = f"workspace {now.workspace}" if old[0] != now.workspace else "another organisation"
    was = f"workspace {old[0]}" if old[0] != now.workspace else "the old one's"
    question = f"The new key …{key.tail} is of {where} at Mistral, not of {was}. Use it for {name} all the same?"
    if (yield Ask("other workspace", question, choices=("yes", "no"), default="no")) == "yes":
        return
    yield from unlock.unlocked(context, lambda: context.keeper.drop_pending(name))
    raise KeyRefused(
        f"The new key …{key.tail} is of {where} at Mistral, not of {was}: it was not taken.",
        f"{name} keeps its key. Make one in the right workspace, or keep this one under a name of its own: "
        f"{context.typed('add')}",
    )


def _identity_of_old(
    context: Context, name: str, old: Workspace | None, new: Identity
) -> Generator[Ask | Step, Answer, tuple[str | None, str | None]]:
    """Workspace and organisation of the old key, as noted; where nothing is, Mistral is asked."""
    if old is None:
        return None, None
    if old.mistral_workspace or not new.workspace:
        return old.mistral_workspace, old.organisation
    try:
        key = yield from unlock.unlocked(context, lambda: context.keeper.read(name))
    except StoreError:
        return None, old.organisation
    told = context.verify(key, context.config.api).identity or Identity()
    return told.workspace, told.organisation
