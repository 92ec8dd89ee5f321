"""`usage`: what the organisation pays, by category, as Mistral's Admin API tells it."""

import html
import re
from dataclasses import dataclass
from datetime import date

from mistral_nb.actions import admin_key
from mistral_nb.actions.context import Context
from mistral_nb.api.admin import UNTRIED, Admin
from mistral_nb.api.admin_bodies import Usage
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Action, Report, Row, Step, as_html

_MONTH = re.compile(r"(?:(\d{4})-)?(\d{1,2})")
_FIRST_YEAR = 2023  # Mistral's own
_BAR, _WIDTH, _LABEL, _FIGURE = 18, 320, 130, 110  # pixels


@dataclass(frozen=True, repr=False)
class UsageReport(Report):
    """A report that a notebook shows with a bar for each category."""

    usage: Usage | None = None

    def _repr_html_(self) -> str:
        return as_html(self) + (chart(self.usage) if self.usage else "")


def action(context: Context, month: str | None = None, workspace: str | None = None) -> Action:
    year, number = _month(month, context.today())
    found = yield from admin_key.find(context)
    admin = Admin(found.key, admin_key.base(context))
    yield Step("Asking Mistral's Admin API for the costs …")
    workspace_id = _workspace_id(context, admin, workspace) if workspace else None
    usage = admin.usage(number, year, workspace_id)
    rows = [Row(name, _money(cost, usage.currency)) for name, cost in _sorted(usage)]
    rows += [Row(name, "Mistral told no cost that is understood here", "warn") for name in usage.not_understood]
    if usage.categories:
        rows.append(Row("total", _money(usage.total, usage.currency)))
    whose = f"workspace {workspace}" if workspace else "the organisation"
    period = f"{usage.start} to {usage.end}" if usage.start and usage.end else usage.start or f"{year}-{number:02}"
    data = {
        "workspace": workspace,
        "start_date": usage.start or None,
        "end_date": usage.end or None,
        "currency": usage.currency or None,
        "costs": dict(usage.categories),
        "total": usage.total,
        "not_understood": list(usage.not_understood),
        "note": UNTRIED,
    }
    code = 3 if usage.not_understood else 0
    return UsageReport(f"Costs of {whose}, {period}", tuple(rows), (UNTRIED,), code, data, usage)


def _month(text: str | None, today: date) -> tuple[int, int]:
    """Year and month of ``2026-11`` or ``11``, which is the latest such month that has begun."""
    if text is None:
        return today.year, today.month
    match = _MONTH.fullmatch(text.strip())
    number = int(match[2]) if match else 0
    year = int(match[1]) if match and match[1] else today.year - (number > today.month)
    if not 1 <= number <= 12 or year < _FIRST_YEAR:
        raise WrongUsage("This is no month.", "Type it as 2026-11, or as 11.")
    if (year, number) > (today.year, today.month):
        raise WrongUsage(f"The month {year}-{number:02} has not begun.", "Type one as 2026-11, or as 11.")
    return year, number


def _workspace_id(context: Context, admin: Admin, named: str) -> str:
    """A workspace by its name here, or by its name or id at Mistral."""
    entry = context.kept().get(named)
    wanted = {named, entry.mistral_workspace if entry else None}
    there = admin.workspaces()
    ids = {key_id for key_id, name in there if name in wanted or key_id == named}
    if len(ids) == 1:
        return ids.pop()
    names = ", ".join(sorted(filter(None, {name for _, name in there}))[:20]) or "none"
    raise WrongUsage(
        f"{'Several workspaces are' if ids else 'No workspace is'} called {named} at Mistral.",
        f"Those there are: {names}. An id is taken too.",
    )


def _sorted(usage: Usage) -> list[tuple[str, float]]:
    return sorted(usage.categories, key=lambda pair: -pair[1])


def _money(cost: float, currency: str) -> str:
    return f"{cost:,.2f} {currency}".strip()


def chart(usage: Usage) -> str:
    """A bar a category as inline SVG, in the page's own colours; empty where nothing costs anything."""
    paid = [(name, cost) for name, cost in _sorted(usage) if cost > 0]
    if not paid:
        return ""
    most, height = paid[0][1], _BAR * len(paid)
    width = _LABEL + _WIDTH + _FIGURE
    bars = "".join(_bar(n, name, cost, cost / most, usage.currency) for n, (name, cost) in enumerate(paid))
    return (
        f'<svg role="img" aria-label="Costs by category" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="max-width:100%;font-size:12px;margin-top:6px">{bars}</svg>'
    )


def _bar(n: int, name: str, cost: float, share: float, currency: str) -> str:
    y, length = n * _BAR, max(share * _WIDTH, 1)
    label, money = html.escape(name), html.escape(_money(cost, currency))
    return (
        f'<text x="{_LABEL - 6}" y="{y + 13}" text-anchor="end" fill="currentColor">{label}</text>'
        f'<rect x="{_LABEL}" y="{y + 3}" width="{length:.1f}" height="{_BAR - 6}" fill="#fa520f"/>'
        f'<text x="{_LABEL + length + 6:.1f}" y="{y + 13}" fill="currentColor">{money}</text>'
    )
