"""What an action says: `Ask` and `Step` on the way, a `Report` at the end; and how a report is drawn."""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from mistral_nb.key import Secret

State = Literal["", "ok", "warn", "bad"]
Answer = str | Secret | None
SIGNS: Mapping[State, str] = {"": " ", "ok": "✓", "warn": "!", "bad": "✗"}


class Form(NamedTuple):
    """What a host that shows a form needs beside the question: ``given`` is settled already, by the name
    of its question; ``kept`` are the workspaces there are, with the tails of their keys; ``page`` is
    where Mistral shows a person's keys."""

    given: Mapping[str, str] = MappingProxyType({})
    kept: Mapping[str, str] = MappingProxyType({})
    page: str = ""


class Ask(NamedTuple):
    """A question to the person. The answer to a masked one comes back as a `Secret`.

    ``name`` says what is asked for (a card finds its field by it). With a ``default``, an empty
    answer, or nobody there to answer, means the default; without one, a host that can't ask raises
    `CannotAsk` into the action.
    """

    name: str
    question: str
    masked: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None
    form: Form | None = None


class Step(NamedTuple):
    """A line of progress."""

    text: str


class Row(NamedTuple):
    """One line of a report; ``repair`` is what to do about it. A value of several lines hangs below itself."""

    label: str
    value: str
    state: State = ""
    repair: str = ""


@dataclass(frozen=True)
class Report:
    """What came of an action. ``data`` is what ``--json`` prints; no part of it holds a secret."""

    title: str
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    exit_code: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(as_text(self))


Action = Generator[Ask | Step, Answer, Report]


def as_text(report: Report) -> str:
    """The report as lines for a terminal."""
    width = max((len(row.label) for row in report.rows), default=0)
    lines = [report.title] if report.title else []
    for row in report.rows:
        value = row.value.replace("\n", f"\n{'':<{width + 6}}")
        lines.append(f"  {SIGNS[row.state]} {row.label:<{width}}  {value}".rstrip())
        if row.repair:
            lines.append(f"    {'':<{width}}  → {row.repair}")
    return "\n".join([*lines, *report.notes])


def as_json(report: Report) -> str:
    """The report's data as JSON, or its rows where it brings no data of its own."""
    rows = [{"name": r.label, "value": r.value, "state": r.state, "repair": r.repair} for r in report.rows]
    data = report.data or {"title": report.title, "rows": rows, "notes": list(report.notes)}
    return json.dumps(data, ensure_ascii=False, indent=2)


def as_html(report: Report) -> str:
    """The report as a small card: no script, nothing but inline style, the theme's own colours.

    Of a report without rows only the lines are left. A colour never stands alone: with it goes a sign
    and a word.
    """
    title = f'<div style="font-weight:{600 if report.rows else 400}">{_escaped(report.title)}</div>'
    notes = "".join(f'<div style="{_SOFT}">{_escaped(note)}</div>' for note in report.notes)
    if not report.rows:
        return f'<div style="{_TEXT}">{title if report.title else ""}{notes}</div>'
    table = f'<table style="{_TABLE}">{"".join(map(_row, report.rows))}</table>'
    return f'<div style="{_TEXT};{_FRAME}">{title}{table}{notes}</div>'


# JupyterLab's and Notebook's variables, then VS Code's, then what a plain page has.
_TEXT = (
    "font-family:var(--jp-ui-font-family,var(--vscode-font-family,system-ui,sans-serif));"
    "font-size:var(--jp-ui-font-size1,13px);line-height:1.5;overflow-wrap:anywhere;"
    "color:var(--jp-ui-font-color1,var(--vscode-foreground,inherit));max-width:52em"
)
_FRAME = (
    "box-sizing:border-box;width:fit-content;margin:4px 2px;padding:10px 14px;border-radius:6px;"
    "border:1px solid var(--jp-border-color2,var(--vscode-widget-border,rgba(128,128,128,.4)))"
)
_SOFT = "color:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,inherit))"
_TABLE = "border:0;border-collapse:collapse;margin:6px 0;font-size:inherit;color:inherit;background:transparent"
_CELL = (  # in full: a page's style sheet speaks to each cell
    "border:0;text-align:left;vertical-align:top;white-space:normal;line-height:1.5;"
    "padding:2px 16px 2px 0;max-width:none"
)
_LABEL = "font-weight:400;overflow-wrap:normal"
_BADGES: Mapping[State, tuple[str, str]] = {
    "warn": ("var(--jp-warn-color1,#f57c00)", "warning"),
    "bad": ("var(--jp-error-color1,#d32f2f)", "problem"),
}


def _row(row: Row) -> str:
    repair = f'<div style="{_SOFT}">→ {_escaped(row.repair)}</div>' if row.repair else ""
    label = f'<th scope="row" style="{_CELL};{_SOFT};{_LABEL}">{_escaped(row.label)}</th>'
    value = f'<td style="{_CELL}">{_badge(row.state)}{_escaped(row.value)}{repair}</td>'
    return f'<tr style="background:transparent">{label}{value}</tr>'


def _escaped(text: str) -> str:
    import html  # 1 ms, and most reports are text

    return html.escape(text)


def _badge(state: State) -> str:
    if state not in _BADGES:
        return f"{SIGNS[state]} " if state else ""
    colour, word = _BADGES[state]
    style = f"border:1px solid {colour};border-left-width:4px;border-radius:3px;padding:0 6px;margin-right:6px"
    return f'<span style="{style};font-weight:600;white-space:nowrap">{SIGNS[state]} {word}</span> '
