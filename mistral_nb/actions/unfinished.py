"""What an interrupted command left behind: said by the next one, and finished."""

from collections.abc import Generator

from mistral_nb.actions.context import Context
from mistral_nb.errors import IndexNotWritten, IndexTooNew, IndexUnreadable
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store import intentions


def finish(context: Context, rotating: str | None = None) -> Generator[Ask | Step, Answer, None]:
    """Delete left-over items, and name rotations that wait, but for the one that is about to go on."""
    try:
        contents = context.contents()
    except IndexUnreadable:  # said where it matters
        return
    if contents.unfinished:
        names = ", ".join(dict.fromkeys(shown_name(left.workspace) for left in contents.unfinished))
        try:
            problems = context.keeper.finish()
        except (IndexNotWritten, IndexTooNew):
            return
        left = len(context.contents().unfinished)
        if not left:
            yield Step(f"An interrupted command had left a stored copy of a key of {names}; it is deleted now.")
        elif problems:
            yield Step(f"An interrupted command left a stored copy of a key of {names}. {problems[0].failed}")
    for name, entry in context.keeper.pending().items():
        if name != rotating:
            yield Step(
                f"A rotation of {name} is not finished: the new key …{entry.tail} waits. "
                f"Finish it: {context.typed(f'rotate {name}')}"
            )
    yield from _begun_at_mistral(context, rotating)


def _begun_at_mistral(context: Context, rotating: str | None) -> Generator[Ask | Step, Answer, None]:
    """Rotations by Admin key that were cut off: which key may be left at Mistral."""
    waiting = {entry.fingerprint for entry in context.keeper.pending().values()}
    for left in intentions.read(context.index):
        if left.workspace == rotating or left.fingerprint in waiting:
            continue
        which = f"the old key …{left.old_tail}" if left.step == intentions.DELETE else f"a key named {left.name}"
        yield Step(
            f"A rotation of {left.workspace} is not finished: {which} may be left at Mistral. "
            f"Finish it: {ending(context, left)}"
        )


def ending(context: Context, left: intentions.Intention) -> str:
    """What finishes a rotation by Admin key; where its workspace is gone, any question to the Admin API does."""
    there = left.workspace in context.kept() or left.workspace in context.keeper.pending()
    return context.typed(f"rotate {left.workspace}" if there else "list --remote")


def shown_name(item: str) -> str:
    """The name of an item for people: a key's that is out of use is a fingerprint."""
    if item.startswith("(aside)"):
        return "a workspace that got another key"
    return "a revoked workspace" if item.startswith("(revoked)") else item
