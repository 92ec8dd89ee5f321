"""The organisation's costs by category, from Mistral's Admin API."""

import html
import re
from dataclasses import dataclass
from datetime import date

from mistral_nb import exit_codes
from mistral_nb.admin import credentials
from mistral_nb.admin.client import UNTRIED_NOTE, AdminClient
from mistral_nb.admin.responses import Usage
from mistral_nb.command_context import Context
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
        return as_html(self) + (draw_chart(self.usage) if self.usage else "")


def report_usage(context: Context, month: str | None, workspace: str | None) -> Action:
    year, number = _parse_month(month, context.today())
    found = yield from credentials.find_admin_key(context)
    admin = AdminClient(found.key, credentials.admin_base_url(context))
    yield Step("Asking Mistral's Admin API for the costs …")
    workspace_id = _find_workspace_id(context, admin, workspace) if workspace else None
    usage = admin.read_usage(number, year, workspace_id)
    rows = [Row(name, _format_cost(cost, usage.currency)) for name, cost in _sort_categories(usage)]
    rows += [Row(name, "unrecognised cost format", "warn") for name in usage.not_understood]
    if usage.categories:
        rows.append(Row("total", _format_cost(usage.total, usage.currency)))
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
        "note": UNTRIED_NOTE,
    }
    code = exit_codes.INCOMPLETE if usage.not_understood else exit_codes.OK
    return UsageReport(f"Costs of {whose}, {period}", tuple(rows), (UNTRIED_NOTE,), code, data, usage)


def _parse_month(text: str | None, today: date) -> tuple[int, int]:
    """Year and month of ``2026-11`` or ``11``, which is the latest such month that has begun."""
    if text is None:
        return today.year, today.month
    match = _MONTH.fullmatch(text.strip())
    number = int(match[2]) if match else 0
    year = int(match[1]) if match and match[1] else today.year - (number > today.month)
    if not 1 <= number <= 12 or year < _FIRST_YEAR:
        raise WrongUsage("Not a valid month.", "Use a month such as 2026-11 or 11.")
    if (year, number) > (today.year, today.month):
        raise WrongUsage(f"The month {year}-{number:02} is in the future.", "Use a month such as 2026-11 or 11.")
    return year, number


def _find_workspace_id(context: Context, admin: AdminClient, named: str) -> str:
    """A workspace by its name here, or by its name or id at Mistral."""
    entry = context.stored_workspaces().get(named)
    wanted = {named, entry.mistral_workspace if entry else None}
    there = admin.list_workspaces()
    ids = {key_id for key_id, name in there if name in wanted or key_id == named}
    if len(ids) == 1:
        return ids.pop()
    names = ", ".join(sorted(filter(None, {name for _, name in there}))[:20]) or "none"
    raise WrongUsage(
        f"{'Several workspaces are' if ids else 'No workspace is'} called {named} at Mistral.",
        f"Available: {names} (or an id).",
    )


def _sort_categories(usage: Usage) -> list[tuple[str, float]]:
    return sorted(usage.categories, key=lambda pair: -pair[1])


def _format_cost(cost: float, currency: str) -> str:
    return f"{cost:,.2f} {currency}".strip()


def draw_chart(usage: Usage) -> str:
    """A bar a category as inline SVG, in the page's own colours; empty where nothing costs anything."""
    paid = [(name, cost) for name, cost in _sort_categories(usage) if cost > 0]
    if not paid:
        return ""
    most, height = paid[0][1], _BAR * len(paid)
    width = _LABEL + _WIDTH + _FIGURE
    bars = "".join(_draw_bar(n, name, cost, cost / most, usage.currency) for n, (name, cost) in enumerate(paid))
    return (
        f'<svg role="img" aria-label="Costs by category" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="max-width:100%;font-size:12px;margin-top:6px">{bars}</svg>'
    )


def _draw_bar(n: int, name: str, cost: float, share: float, currency: str) -> str:
    y, length = n * _BAR, max(share * _WIDTH, 1)
    label, money = html.escape(name), html.escape(_format_cost(cost, currency))
    return (
        f'<text x="{_LABEL - 6}" y="{y + 13}" text-anchor="end" fill="currentColor">{label}</text>'
        f'<rect x="{_LABEL}" y="{y + 3}" width="{length:.1f}" height="{_BAR - 6}" fill="#fa520f"/>'
        f'<text x="{_LABEL + length + 6:.1f}" y="{y + 13}" fill="currentColor">{money}</text>'
    )
