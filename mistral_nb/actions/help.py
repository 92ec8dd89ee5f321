"""`help`: the sub-commands of this host, or what one of them takes, from the table."""

from mistral_nb.actions.context import Context
from mistral_nb.commands import Command, commands, shown
from mistral_nb.parsing import no_such
from mistral_nb.report import Action, Report, Row

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
    options = f"The options of each: {context.typed('help SUB-COMMAND')}"
    return Report(f"{context.typed('SUB-COMMAND')}", tuple(rows), (options,))


def _one(context: Context, command: Command) -> Report:
    rows = tuple(
        Row(shown(flag).removeprefix("[").removesuffix("]"), flag.help) for flag in command.taken(context.host)
    )
    return Report(context.typed(command.usage(context.host)), rows, (f"{command.does[:1].upper()}{command.does[1:]}.",))
