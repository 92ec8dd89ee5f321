"""Keys that are set aside, as commands show, offer, store and delete them."""

from datetime import timedelta
from typing import Any

from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, StoreError, WrongUsage
from mistral_nb.keys import passphrase_prompt
from mistral_nb.prompts.confirm import confirm
from mistral_nb.report import Ask, Dialog, Row, Step
from mistral_nb.storage.index import LIVE, AsideEntry
from mistral_nb.storage.key_discovery import DiscoveredKey
from mistral_nb.storage.set_aside import ANNOUNCED_DAYS, days_left, seconds_since
from mistral_nb.wording import plural

_MOST_OFFERED, _MOST_SHOWN = 3, 5
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def describe(context: Context, entry: AsideEntry) -> str:
    """``…TAhy, taken out of analysis.ipynb (cell 3), 2 minutes ago``."""
    cell = f" (cell {entry.cell})" if entry.cell is not None else ""
    seconds = seconds_since(entry, context.now())
    size, unit = next((found for found in _UNITS if seconds >= found[0]), (1, ""))
    when = f"{plural(int(seconds // size), unit)} ago" if unit else "just now"
    return f"…{entry.tail}, taken out of {entry.file or 'a file'}{cell}, {when}"


def rows(context: Context) -> list[Row]:
    """What is set aside, for `status` and `doctor`; a warning where the end is near."""
    entries = context.set_aside.entries()
    shown = [_make_row(context, entry) for entry in entries[:_MOST_SHOWN]]
    if len(entries) > _MOST_SHOWN:
        shown.append(Row("set aside", f"{plural(len(entries) - _MOST_SHOWN, 'more key')}"))
    return shown


def data(context: Context) -> list[dict[str, Any]]:
    """What is set aside, for ``--json``."""
    names = ("tail", "file", "cell", "place", "taken", "expires")
    return [{"id": entry.id, **{name: getattr(entry, name) for name in names}} for entry in context.set_aside.entries()]


def offer(context: Context, declined: frozenset[str] = frozenset()) -> Dialog[DiscoveredKey | None]:
    """Ask about the latest keys, one by one; not about the ``declined`` fingerprints."""
    if not context.interactive:
        return None
    try:
        entries, remembered = context.set_aside.entries(), context.read_index().remembered
    except MistralNbError:  # reported where it matters
        return None
    live = [e for e in entries if e.fingerprint not in remembered or remembered[e.fingerprint].state == LIVE]
    for entry in [entry for entry in live if entry.fingerprint not in declined][:_MOST_OFFERED]:
        question = f"{describe(context, entry)}{_ending(context, entry)}: keep it?"
        if (yield from confirm("from aside", question)):  # the notebook may be a stranger's
            try:
                return (yield from _take(context, entry))
            except StoreError as error:
                yield Step(str(error))
    return None


def choose(context: Context, name: str) -> Dialog[DiscoveredKey]:
    """The key with this id or tail, or the only one; with several, the one that is chosen. Raises `WrongUsage`."""
    entries = context.set_aside.entries()
    if not entries:
        raise WrongUsage("No key is set aside.", f"To enter one: {context.format_command('login')}")
    found = context.set_aside.find(name) if name else list(entries)
    if not found:
        raise WrongUsage(
            f"No key that is set aside has the id or the last characters {name}.",
            f"To see what there is: {context.format_command('status')}",
        )
    chosen = found[0]
    if len(found) > 1:
        yield from (Step(f"{entry.id}  {describe(context, entry)}") for entry in found)
        answer = yield Ask("which aside", "Which one?", choices=tuple(entry.id for entry in found))
        chosen = next(entry for entry in found if entry.id == answer)
    return (yield from _take(context, chosen))


def delete_expired(context: Context) -> Dialog[None]:
    """Delete the keys whose time is over, and say so."""
    try:
        entries = context.set_aside.drop_expired()
    except MistralNbError:  # another process, or a locked store: the next command does it
        return
    for entry in entries:
        yield Step(f"Deleted, because it was set aside 30 days ago: {describe(context, entry)}.")


def _take(context: Context, entry: AsideEntry) -> Dialog[DiscoveredKey]:
    key = yield from passphrase_prompt.run_unlocked(context, lambda: context.set_aside.take(entry))
    return DiscoveredKey(entry.file or "a file", key)


def _make_row(context: Context, entry: AsideEntry) -> Row:
    soon = days_left(entry, context.today()) <= ANNOUNCED_DAYS
    return Row(
        "set aside",
        f"{describe(context, entry)}{_ending(context, entry) or f'; kept until {entry.expires}'}",
        "warn" if soon else "",
        f"To keep it: {context.format_command(f'login --from-aside {entry.id}')}",
    )


def _ending(context: Context, entry: AsideEntry) -> str:
    """That it will be deleted soon; empty while there is time."""
    left = days_left(entry, context.today())
    if left > ANNOUNCED_DAYS:
        return ""
    last = context.today() + timedelta(days=max(left, 0))
    return f"; it will be deleted after {last.isoformat()}"
