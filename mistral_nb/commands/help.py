"""`help`: the sub-commands by group, the daily ones first; or one of them, with its options and an example."""

import textwrap

from mistral_nb import command_help
from mistral_nb.argument_parser import unknown_command_error
from mistral_nb.command_context import Context
from mistral_nb.command_table import Command, commands_for, format_flag
from mistral_nb.report import Action, Heading, Lines, Report, Row

_MARGIN = 6  # columns around a label
_NARROWEST, _WIDEST = 40, 110  # columns of text

CELL_MAGIC_HELP = (
    "one cell with another workspace's key. An environment variable is shared by all threads and running tasks: "
    "where that matters, use mistral_nb.key(WORKSPACE) or mistral_nb.auth(WORKSPACE)"
)


def action(context: Context, command: str | None = None) -> Action:
    yield from ()
    table = commands_for(context.host)
    if command is None:
        return _list_commands(context, table)
    if command not in table:
        raise unknown_command_error(context.host, command)
    return _describe_command(context, table[command])


def _list_commands(context: Context, table: dict[str, Command]) -> Report:
    rows: list[Row] = []
    for group, names in command_help.DAILY.items():
        rows.append(Heading(group))
        if context.in_notebook and not rows[1:]:
            rows.append(Row("WORKSPACE", "the same as switch WORKSPACE; %mistral_key alone is switch"))
        rows += [Row(name, table[name].summary_for(context.host)) for name in names if name in table]
    if context.in_notebook:
        rows += [Heading("One cell"), Row("%%mistral_key WORKSPACE", CELL_MAGIC_HELP)]
    rows.append(Heading("More"))
    for group, names in command_help.MORE.items():
        there = [name for name in names if name in table]
        experimental = " (experimental; with an Admin key)" if group == command_help.EXPERIMENTAL else ""
        rows += [Row(group, ", ".join(there) + experimental)] if there else []
    rows.append(Heading("Examples"))
    examples = command_help.FIRST_EXAMPLES_IN_NOTEBOOKS if context.in_notebook else command_help.FIRST_EXAMPLES
    rows += [Row(context.format_command(example), "") for example in examples]
    notes = (
        "",
        f"The options of one, and an example: {context.format_command('help COMMAND')}",
        f"Documentation: {command_help.DOCUMENTATION}",
    )
    lines = tuple(_wrap(context, note) for note in notes)
    return Report(_wrap(context, command_help.INTRODUCTION), _wrap_rows(context, rows), lines)


def _describe_command(context: Context, command: Command) -> Report:
    usage = textwrap.wrap(
        context.format_command(command.usage(context.host)),
        _columns(context) - _MARGIN,
        break_long_words=False,
        break_on_hyphens=False,
    )
    rows = [Heading("Usage"), *(Row(line, "") for line in usage)]
    flags = [flag for flag in command.flags_for(context.host) if not flag.is_internal]
    rows += [Heading("Options")] if flags else []
    rows += [Row(_without_brackets(format_flag(flag)), flag.help) for flag in flags]
    rows += [Heading("Example"), Row(_example(context, command.name), "")]
    summary = command.summary_for(context.host)
    does = f"{summary[:1].upper()}{summary[1:]}."
    return Report(_wrap(context, does), _wrap_rows(context, rows))


def _without_brackets(usage: str) -> str:
    return usage[1:-1] if usage[:1] == "[" and usage[-1:] == "]" else usage


def _example(context: Context, name: str) -> str:
    example = command_help.EXAMPLES[name]
    return example if "mistral-nb" in example else context.format_command(example)


def _wrap_rows(context: Context, rows: list[Row]) -> tuple[Row, ...]:
    width = max((len(row.label) for row in rows if row.value), default=0)
    return tuple(row._replace(value=_wrap(context, row.value, width + _MARGIN)) for row in rows)


def _columns(context: Context) -> int:
    return min(max(context.columns, _NARROWEST), _WIDEST)


def _wrap(context: Context, text: str, indent: int = 0) -> Lines:
    width = max(24, _columns(context) - indent)
    return Lines(textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False))
