"""Expiry dates: what a person types for one, and how what is left is said."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from mistral_nb.config import Project
from mistral_nb.errors import WrongUsage
from mistral_nb.report import State
from mistral_nb.store.index import Seen, Workspace

WARN_DAYS = 14
_MOST_DAYS = 9999  # as many as can be typed as 9999d
_DAYS = re.compile(r"(\d{1,4})\s*d(ays?)?", re.IGNORECASE)


class Expiry(NamedTuple):
    """``on`` is an ISO date; with ``known`` and no date the key never expires."""

    on: str | None = None
    known: bool = False


def parse(text: str, today: date) -> Expiry:
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
            "This is not a date that exists.", "Type it as 2027-01-31, as 90d for days from today, or never."
        ) from None
    if day < today:
        raise WrongUsage(f"{day} is past.", "Give the date that Mistral's console shows for this key.")
    return Expiry(day.isoformat(), known=True)


def clock_doubt(workspaces: Iterable[Workspace], now: datetime) -> str:
    """A sentence where this computer's clock can't be right: Mistral accepted a key later than now."""
    stamps = [entry.verified[:10] for entry in workspaces if entry.verified]
    try:
        latest = max(map(date.fromisoformat, stamps), default=None)
    except ValueError:
        return ""
    if latest is None or latest <= now.date() + timedelta(days=1):
        return ""
    return (
        f"This computer's clock says {now.date()}, but a key was accepted on {latest}: "
        "set the clock, or no expiry date can be trusted; if it is right now, verify that key again."
    )


def policy(project: Project) -> int | None:
    """The days after which ``[tool.mistral-nb] rotate_after = "90d"`` asks for a rotation."""
    value = project.table.get("rotate_after")
    match = _DAYS.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        return int(match[1])
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return min(value, _MOST_DAYS)  # no calendar goes as far as any number
    return None


def age(seen: Seen | None, today: date) -> int | None:
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


def sentence(workspace: Workspace, today: date) -> tuple[str, State]:
    """How a key's expiry is said, and how serious it is."""
    left = days_left(workspace, today)
    if left is None:
        return ("never", "") if workspace.expiry_known else ("unknown (Mistral's console shows it)", "")
    if left < 0:
        return f"EXPIRED on {workspace.expires}, {-left} day{'s' * (left != -1)} ago", "bad"
    if left == 0:
        return f"TODAY, {workspace.expires}", "warn"
    return f"in {left} day{'s' * (left != 1)}, on {workspace.expires}", "warn" if left < WARN_DAYS else "ok"
