"""What an action yields and returns: `Ask`, `Step` and finally a `Report`; and how a report is drawn."""

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

from mistral_nb import exit_codes
from mistral_nb.api_key import Secret
from mistral_nb.printable import one_line, safe_json

RowState = Literal["", "ok", "warn", "bad", "heading"]
Answer = str | Secret | None
_Result = TypeVar("_Result")
_MISTRAL_PAGE = re.compile(r"(https://(?:[a-z0-9-]+\.)*mistral\.ai(?![\w.-])(?:/[\w/?=&;.%-]*[\w/=])?)")
SIGNS: Mapping[RowState, str] = {"": " ", "ok": "✓", "warn": "!", "bad": "✗"}


class PromptForm(NamedTuple):
    """What a host that shows a form needs besides the question: ``given`` are answers given already, by the name
    of its question; ``kept`` are the workspaces there are, with the tails of their keys; ``page`` is
    where Mistral shows a person's keys."""

    answers: Mapping[str, str] = MappingProxyType({})
    workspaces: Mapping[str, str] = MappingProxyType({})
    page: str = ""


class Ask(NamedTuple):
    """A question for the person. The answer to a masked one is a `Secret`.

    ``name`` identifies the question (a card finds its field by it). With a ``default``, an empty
    answer, or no way to ask, means the default; without one, a host that can't ask raises
    `CannotAsk` into the action.
    """

    name: str
    question: str
    masked: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None
    form: PromptForm | None = None


class Step(NamedTuple):
    """A line of progress."""

    text: str


class Lines(str):
    """A title, a value or a note of several lines, of our own text; in any other a line break is shown as ``\\n``."""

    __slots__ = ()


class Row(NamedTuple):
    """One line of a report; ``repair`` is what to do about it. Further lines of a value are indented."""

    label: str
    value: str
    state: RowState = ""
    repair: str = ""


def Heading(text: str) -> Row:  # noqa: N802, it stands among rows
    """A row that begins a group."""
    return Row(text, "", "heading")


@dataclass(frozen=True)
class Report:
    """The result of an action. ``data`` is what ``--json`` prints; no part of it contains a secret. ``document``: what
    the command line prints as it is, in place of all else; it may be a CI system's commands."""

    title: str
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    exit_code: int = exit_codes.OK
    data: Mapping[str, Any] = field(default_factory=dict)
    document: str = field(default="", kw_only=True)

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(as_text(self))


Dialog = Generator[Ask | Step, Answer, _Result]  # what may ask and report progress before it returns its result
Action = Dialog[Report]


def as_text(report: Report) -> str:
    """The report as lines for a terminal."""
    width = max((len(row.label) for row in report.rows if row.value), default=0)
    lines = report.title.split("\n") if isinstance(report.title, Lines) else [report.title] if report.title else []
    for row in report.rows:
        if row.state == "heading":
            lines += ["", f"{row.label}:"]
            continue
        value, *more = row.value.split("\n") if isinstance(row.value, Lines) else (row.value,)
        lines.append(f"  {SIGNS[row.state]} {row.label:<{width}}  {value}".rstrip())
        lines += [f"{'':<{width + 6}}{line}" for line in more]
        if row.repair:
            lines.append(f"    {'':<{width}}  → {row.repair}")
    for note in report.notes:
        lines += note.split("\n") if isinstance(note, Lines) else [note]
    return "\n".join(map(one_line, lines))  # a name in it may hold a line break


def as_json(report: Report) -> str:
    """The report's data as JSON, or its rows if it has no data."""
    rows = [{"name": r.label, "value": r.value, "state": r.state, "repair": r.repair} for r in report.rows]
    data = report.data or {"title": report.title, "rows": rows, "notes": list(report.notes)}
    return safe_json(json.dumps(data, ensure_ascii=False, indent=2))


def as_html(report: Report) -> str:
    """The report as a small card: no script, nothing but inline style, the theme's own colours.

    A report without rows is just its lines. A colour is never used alone: it comes with a sign
    and a word.
    """
    title = f'<div style="font-weight:{600 if report.rows else 400}">{_escape(report.title)}</div>'
    notes = "".join(f'<div style="{_SOFT}">{_escape(note)}</div>' for note in report.notes)
    if not report.rows:
        return f'<div style="{_TEXT}">{title if report.title else ""}{notes}</div>'
    table = f'<table style="{_TABLE}">{"".join(map(_row_html, report.rows))}</table>'
    return f'<div style="{_TEXT};{_FRAME}">{title}{table}{notes}</div>'


def note_bundle(text: str) -> dict[str, str]:
    """A note under a cell, of the lines of ``text``, for a display: it informs, and is no error."""
    lines = "".join(f"<div>{_escape(line)}</div>" for line in text.split("\n"))
    return {"text/plain": text, "text/html": f'<div style="{_TEXT};{_NOTE}">{lines}</div>'}


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
_NOTE = (
    "margin:4px 2px;padding:2px 12px;"
    "border-left:4px solid var(--jp-info-color1,var(--vscode-editorInfo-foreground,#1976d2))"
)
_SOFT = "color:var(--jp-ui-font-color2,var(--vscode-descriptionForeground,inherit))"
_LINK = (
    '<a href="{0}" target="_blank" rel="noopener" '
    'style="color:var(--jp-content-link-color,inherit);text-decoration:underline">{0}</a>'
)
_TABLE = "border:0;border-collapse:collapse;margin:6px 0;font-size:inherit;color:inherit;background:transparent"
_CELL = (  # in full: a page's style sheet styles each cell
    "border:0;text-align:left;vertical-align:top;white-space:normal;line-height:1.5;"
    "padding:2px 16px 2px 0;max-width:none"
)
_LABEL = "font-weight:400;overflow-wrap:normal"
_BADGES: Mapping[RowState, tuple[str, str]] = {
    "warn": ("var(--jp-warn-color1,#f57c00)", "warning"),
    "bad": ("var(--jp-error-color1,#d32f2f)", "problem"),
}


def _row_html(row: Row) -> str:
    if row.state == "heading":
        style = f"{_CELL};padding-top:8px"
        head = f'<th colspan="2" scope="rowgroup" style="{style}">{_escape(row.label)}</th>'
        return f'<tr style="background:transparent">{head}</tr>'
    if not row.value and not row.repair:
        label = _badge_html(row.state) + _escape(row.label)
        return f'<tr style="background:transparent"><td colspan="2" style="{_CELL}">{label}</td></tr>'
    repair = f'<div style="{_SOFT}">→ {_escape(row.repair)}</div>' if row.repair else ""
    label = f'<th scope="row" style="{_CELL};{_SOFT};{_LABEL}">{_escape(row.label)}</th>'
    value = f'<td style="{_CELL}">{_badge_html(row.state)}{_escape(row.value)}{repair}</td>'
    return f'<tr style="background:transparent">{label}{value}</tr>'


def _escape(text: str) -> str:
    import html  # 1 ms, and most reports are text

    pieces = _MISTRAL_PAGE.split(one_line(text.replace("\n", " ") if isinstance(text, Lines) else text))
    escaped = map(html.escape, pieces)
    return "".join(_LINK.format(piece) if number % 2 else piece for number, piece in enumerate(escaped))


def _badge_html(state: RowState) -> str:
    if state not in _BADGES:
        return f"{SIGNS[state]} " if state else ""
    colour, word = _BADGES[state]
    style = f"border:1px solid {colour};border-left-width:4px;border-radius:3px;padding:0 6px;margin-right:6px"
    return f'<span style="{style};font-weight:600;white-space:nowrap">{SIGNS[state]} {word}</span> '
