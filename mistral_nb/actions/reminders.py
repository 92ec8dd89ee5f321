"""What the index alone tells of keys that want attention: one line when the extension is loaded."""

from mistral_nb.actions import expiry
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown
from mistral_nb.errors import MistralNbError
from mistral_nb.store.index import Contents, Workspace


def reminder(context: Context) -> str:
    """The most pressing of what there is to say, in one line; empty when there is nothing.

    Opens no store. Of the active workspace where one is active, else of every kept one.
    """
    try:
        contents = context.contents()
    except MistralNbError:
        return ""
    active = context.active
    names = [active.workspace] if active and active.workspace in contents.workspaces else list(contents.workspaces)
    told = [_about(context, contents, name, contents.workspaces[name]) for name in names if name]
    pressing = sorted(filter(None, told))
    more = f" ({len(pressing) - 1} more: {context.typed('status')})" if len(pressing) > 1 else ""
    return f"{pressing[0][2]}{more}" if pressing else ""


def overdue(context: Context, contents: Contents, entry: Workspace) -> int | None:
    """The age in days of a key that the project wants rotated by now; None for others."""
    limit = expiry.policy(context.config.project)
    age = expiry.age(contents.seen.get(entry.fingerprint), context.today())
    return age if limit is not None and age is not None and age > limit else None


def _about(context: Context, contents: Contents, name: str, entry: Workspace) -> tuple[int, int, str] | None:
    """How pressing it is (class, days), and the sentence."""
    whose, rotate = shown(name, entry.tail, entry), context.typed(f"rotate {name}")
    left = expiry.days_left(entry, context.today())
    if left is not None and left < 0:
        return 0, left, f"{whose} EXPIRED on {entry.expires}: {rotate}"
    if left is not None and left < expiry.WARN_DAYS:
        when = "TODAY" if left == 0 else f"in {left} day{'s' * (left != 1)}"
        return 1, left, f"{whose} expires {when}, on {entry.expires}: {rotate}"
    age = overdue(context, contents, entry)
    if age is not None:
        limit = expiry.policy(context.config.project)
        return 2, -age, f"{whose} is {age} days old; this project rotates after {limit}: {rotate}"
    return None
