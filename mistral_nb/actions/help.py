"""`help`: the sub-commands of this host, or what one of them takes, from the table."""

import textwrap

from mistral_nb.actions.context import Context
from mistral_nb.commands import Command, commands, shown
from mistral_nb.parsing import no_such
from mistral_nb.report import Action, Report, Row

_COLUMNS, _MARGIN = 80, 6  # of a terminal; what stands around a label

ONE_CELL = (
    "one cell with another workspace's key. An environment variable is shared by all threads and running tasks: "
    "where that matters, use mistral_nb.key(WORKSPACE) or mistral_nb.auth(WORKSPACE)"
)


def action(context: Context, command: str | None = None) -> Action:
    yield from ()
    table = commands(context.host)
    if command is None:
        return _all(context, table)
    if command not in table:
        raise no_such(context.host, command)
    return _one(context, table[command])


def _all(context: Context, table: dict[str, Command]) -> Report:
    rows = [Row(command.brief(context.host), command.does) for command in table.values()]
    if context.in_notebook:
        rows.insert(0, Row("WORKSPACE", "short for: use WORKSPACE; and nothing at all for: use"))
        rows.append(Row("%%mistral_key WORKSPACE", ONE_CELL))
    width = max(24, _COLUMNS - max(len(row.label) for row in rows) - _MARGIN)
    rows = [row._replace(value=_wrapped(row.value, width)) for row in rows]
    options = f"The options of each: {context.typed('help SUB-COMMAND')}"
    return Report(f"{context.typed('SUB-COMMAND')}", tuple(rows), (options,))


def _one(context: Context, command: Command) -> Report:
    rows = tuple(
        Row(shown(flag).removeprefix("[").removesuffix("]"), flag.help) for flag in command.taken(context.host)
    )
    does = f"{command.does[:1].upper()}{command.does[1:]}."
    return Report(context.typed(command.usage(context.host)), rows, (_wrapped(does, _COLUMNS),))


def _wrapped(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
