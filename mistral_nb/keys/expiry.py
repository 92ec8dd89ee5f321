"""Expiry dates: parsing what a person types, and wording the time left."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from mistral_nb.command_context import Context
from mistral_nb.config import ProjectSettings
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.keys.activation_report import format_key
from mistral_nb.prompts.confirm import MAX_TRIES
from mistral_nb.report import Ask, Dialog, RowState, Step
from mistral_nb.storage.index import IndexData, RememberedKey, Workspace
from mistral_nb.wording import plural

WARN_DAYS = 14
DEFAULT_DAYS = 90  # until a new key expires, where neither the command nor the project says
_MAX_DAYS = 9999  # the most that 9999d allows
_DAYS = re.compile(r"(\d{1,4})\s*d(ays?)?", re.IGNORECASE)


class Expiry(NamedTuple):
    """``on`` is an ISO date; with ``known`` and no date the key never expires."""

    on: str | None = None
    known: bool = False


def parse_expiry(text: str, today: date) -> Expiry:
    """An expiry as typed: ``2027-01-31``, ``90d``, ``never``, or nothing for unknown.

    Raises `WrongUsage` for anything else, and for a date in the past.
    """
    text = text.strip()
    if not text or text.lower() == "unknown":
        return Expiry()
    if text.lower() == "never":
        return Expiry(known=True)
    days = _DAYS.fullmatch(text)
    try:
        day = today + timedelta(days=int(days[1])) if days else date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise WrongUsage(
            "Not a valid date.", "Use a date such as 2027-01-31, 90d for days from today, or never."
        ) from None
    if day < today:
        raise WrongUsage(f"{day} is in the past.", "Use the date that Mistral's console shows for this key.")
    return Expiry(day.isoformat(), known=True)


def ask(question: str, default: str, today: date) -> Dialog[Expiry]:
    """An expiry; Enter is the default. After three answers that are none it is unknown."""
    for _ in range(MAX_TRIES):
        try:
            return parse_expiry(str((yield Ask("expires", question, default=default)) or ""), today)
        except WrongUsage as error:
            yield Step(str(error))
    return Expiry()


def clock_warning(workspaces: Iterable[Workspace], now: datetime) -> str:
    """A sentence if this computer's clock is wrong: Mistral accepted a key later than now."""
    stamps = [entry.verified[:10] for entry in workspaces if entry.verified]
    try:
        latest = max(map(date.fromisoformat, stamps), default=None)
    except ValueError:
        return ""
    if latest is None or latest <= now.date() + timedelta(days=1):
        return ""
    return (
        f"This computer's clock says {now.date()}, but a key was accepted on {latest}: "
        "set the clock, or expiry dates can't be trusted. If it is right now, verify that key again."
    )


def max_age_days(project: ProjectSettings) -> int | None:
    """The days after which ``[tool.mistral-nb] rotate_after = "90d"`` asks for a rotation."""
    value = project.table.get("rotate_after")
    match = _DAYS.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        return int(match[1])
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return min(value, _MAX_DAYS)  # no calendar goes as far as any number
    return None


def age_in_days(seen: RememberedKey | None, today: date) -> int | None:
    """Days since a key was first seen here; None where that is not known."""
    try:
        return (today - date.fromisoformat(seen.since[:10])).days if seen else None
    except ValueError:
        return None


def days_left(workspace: Workspace, today: date) -> int | None:
    """Whole days until the key expires, negative when past; None without a date."""
    try:
        return (date.fromisoformat(workspace.expires) - today).days if workspace.expires else None
    except ValueError:
        return None


def describe_expiry(workspace: Workspace, today: date) -> tuple[str, RowState]:
    """The words for a key's expiry, and how serious it is."""
    left = days_left(workspace, today)
    if left is None:
        return ("never", "") if workspace.expiry_known else ("unknown (Mistral's console shows it)", "")
    if left < 0:
        return f"EXPIRED on {workspace.expires}, {plural(-left, 'day')} ago", "bad"
    if left == 0:
        return f"TODAY, {workspace.expires}", "warn"
    return f"in {plural(left, 'day')}, on {workspace.expires}", "warn" if left < WARN_DAYS else "ok"


_YOUNG_SECONDS = 600  # seconds


def is_young(context: Context, fingerprint: str) -> bool:
    """Whether a retired key was first seen only minutes ago, and has never been accepted."""
    if any(aside.verified for aside in context.key_manager.retired_keys() if aside.fingerprint == fingerprint):
        return False
    noted = context.read_index().remembered.get(fingerprint)
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(noted.since) if noted else None
    except ValueError:
        return False
    return age is not None and 0 <= age.total_seconds() < _YOUNG_SECONDS


def build_reminder(context: Context) -> str:
    """The most urgent reminder, in one line; empty if there is none.

    Opens no store. Of the active workspace where one is active, else of every kept one.
    """
    try:
        contents = context.read_index()
    except MistralNbError:
        return ""
    active = context.active
    names = [active.workspace] if active and active.workspace in contents.workspaces else list(contents.workspaces)
    told = [_reminder_for(context, contents, name, contents.workspaces[name]) for name in names if name]
    pressing = sorted(filter(None, told))
    more = f" ({len(pressing) - 1} more: {context.format_command('status')})" if len(pressing) > 1 else ""
    return f"{pressing[0][2]}{more}" if pressing else ""


def overdue_days(context: Context, contents: IndexData, entry: Workspace) -> int | None:
    """The age in days of a key that the project wants rotated by now; None for others."""
    limit = max_age_days(context.config.project)
    days = age_in_days(contents.remembered.get(entry.fingerprint), context.today())
    return days if limit is not None and days is not None and days > limit else None


def _reminder_for(context: Context, contents: IndexData, name: str, entry: Workspace) -> tuple[int, int, str] | None:
    """The urgency (class, days), and the sentence."""
    whose, rotate = format_key(name, entry.tail, entry), context.format_command(f"rotate {name}")
    left = days_left(entry, context.today())
    if left is not None and left < 0:
        return 0, left, f"{whose} EXPIRED on {entry.expires}: {rotate}"
    if left is not None and left < WARN_DAYS:
        when = "TODAY" if left == 0 else f"in {plural(left, 'day')}"
        return 1, left, f"{whose} expires {when}, on {entry.expires}: {rotate}"
    age = overdue_days(context, contents, entry)
    if age is not None:
        limit = max_age_days(context.config.project)
        return 2, -age, f"{whose} is {age} days old; this project rotates after {limit}: {rotate}"
    return None
