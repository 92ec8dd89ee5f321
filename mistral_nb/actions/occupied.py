"""Whether a key may go to a workspace: over the one it holds, over one that waits, or though it was revoked."""

from collections.abc import Generator
from typing import NamedTuple

from mistral_nb.actions import choose
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown
from mistral_nb.errors import CannotAsk, IndexUnreadable, KeyRefused, WrongUsage
from mistral_nb.key import Key
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store.index import COMPROMISED, Workspace


class Target(NamedTuple):
    """Where a new key goes; ``expected`` is the fingerprint of what was seen stored there, "" for none."""

    workspace: str
    expected: str


def free_or_replaced(context: Context, workspace: str, key: Key, yes: bool) -> Generator[Ask | Step, Answer, Target]:
    """The workspace for the key: an occupied one is replaced on a yes, else another name is asked for."""
    while True:
        stays = None if yes else (yield from _not_replaced(context, workspace, key))
        if stays is None:
            yield from agree_over_waiting(context, workspace, key, yes=yes)
            stored = stored_entry(context, workspace)
            return Target(workspace, stored.fingerprint if stored else "")
        answer = str((yield Ask("workspace", "Another name for the new key (Enter = give up)", default="")) or "")
        if not answer:
            keeps = f"Workspace {shown(workspace, stays.tail, stays)} stays as it is."
            raise WrongUsage(keeps, "Give the new key another workspace's name.")
        try:
            workspace = choose.checked_name(answer, key)
        except WrongUsage as error:
            yield Step(str(error))


def stored_entry(context: Context, workspace: str) -> Workspace | None:
    """What is kept under this name for every process; a key in this one's memory may hide it."""
    try:
        return context.contents().workspaces.get(workspace)
    except IndexUnreadable:  # said where it matters
        return None


def _not_replaced(context: Context, workspace: str, key: Key) -> Generator[Ask | Step, Answer, Workspace | None]:
    """The key that stays there at a no; None where nothing else is there, or may be replaced."""
    olds = (context.kept().get(workspace), stored_entry(context, workspace))
    for old in dict.fromkeys(old for old in olds if old and old.fingerprint != key.fingerprint):
        if not (yield from may_replace(context, workspace, old, key)):
            return old
    return None


def may_replace(
    context: Context, workspace: str, old: Workspace, key: Key, todo: str = ""
) -> Generator[Ask | Step, Answer, bool]:
    """An occupied workspace: say both tails, and ask. ``todo``: what to type where nobody is there."""
    protected = " (protected)" if old.protected else ""
    question = f"Workspace {workspace}{protected} holds …{old.tail}. Replace it by …{key.tail}?"
    try:
        answer = yield Ask("replace", question, choices=("yes", "no"))
    except CannotAsk:
        raise CannotAsk(
            f"Workspace {workspace}{protected} already holds …{old.tail}, and nobody is here to say whether to "
            "replace it.",
            todo or f"Say so: {context.typed(f'add {workspace} --yes')}",
        ) from None
    return answer == "yes"


def agree_over_waiting(
    context: Context, workspace: str, key: Key, *, yes: bool = False
) -> Generator[Ask | Step, Answer, None]:
    """A new key of a rotation waits there, which Mistral shows only once. Raises `WrongUsage` at a no, `CannotAsk`."""
    waiting = _pending(context).get(workspace)
    if waiting is None or waiting.fingerprint == key.fingerprint or yes:
        return
    finish = f"Finish it first: {context.typed(f'rotate {workspace}')}"
    begun = f"A rotation of {workspace} is not finished: the new key …{waiting.tail} waits"
    question = f"{begun}. Set …{waiting.tail} aside, and keep …{key.tail}?"
    try:
        answer = yield Ask("set aside", question, choices=("yes", "no"))
    except CannotAsk:
        todo = f"{finish}, or set it aside: {context.typed(f'add {workspace} --yes')}"
        raise CannotAsk(f"{begun}, and nobody is here to say what of it.", todo) from None
    if answer != "yes":
        raise WrongUsage(f"{begun}; nothing was changed.", finish)


def refuse_while_rotating(context: Context, *workspaces: str) -> None:
    """Raises `WrongUsage` where a new key waits: it would be left where nobody looks for it."""
    for workspace in workspaces:
        waiting = _pending(context).get(workspace)
        if waiting:
            raise WrongUsage(
                f"A rotation of {workspace} is not finished: the new key …{waiting.tail} waits.",
                f"Finish it first: {context.typed(f'rotate {workspace}')}",
            )


def refuse_where_memory_hides(context: Context, workspace: str) -> None:
    """Raises `WrongUsage` where a key in memory hides what is stored: a rotation would mix the two up."""
    here = context.keeper.in_memory().get(workspace)
    contents = context.contents() if here else None
    there = contents and (contents.workspaces.get(workspace) or contents.pending.get(workspace))
    if here and there:
        raise WrongUsage(
            f"Workspace {workspace} is …{here.tail} in the memory of this process, and …{there.tail} is stored.",
            f"Rotate the stored one in another process: {context.typed_in_shell(f'rotate {workspace}')}; "
            f"or give the one in memory another name: {context.typed(f'rename {workspace} NEW_NAME')}",
        )


def meant_though_revoked(context: Context, key: Key) -> Generator[Ask | Step, Answer, None]:
    """A key that was revoked here is asked about before it is used again. Raises `KeyRefused`."""
    try:
        noted = context.contents().seen.get(key.fingerprint)
    except IndexUnreadable:
        return
    if noted is None or noted.state != COMPROMISED:
        return
    question = f"The key …{key.tail} was revoked here, as leaked. Keep it anyway?"
    if (yield Ask("keep revoked", question, choices=("yes", "no"), default="no")) != "yes":
        raise KeyRefused(f"The key …{key.tail} was revoked here, as leaked; it was not kept.", "Make a new one.")


def _pending(context: Context) -> dict[str, Workspace]:
    try:
        return context.keeper.pending()
    except IndexUnreadable:  # said where it matters
        return {}
