"""`help`: the sub-commands of this host, from the table."""

from mistral_nb.actions.context import Context
from mistral_nb.commands import commands
from mistral_nb.report import Action, Report, Row

ONE_CELL = (
    "one cell with another workspace's key. An environment variable is shared by all threads and running tasks: "
    "where that matters, use mistral_nb.key(WORKSPACE) or mistral_nb.auth(WORKSPACE)"
)


def action(context: Context) -> Action:
    yield from ()
    rows = [Row(command.usage(context.host), command.does) for command in commands(context.host).values()]
    if context.in_notebook:
        rows.insert(0, Row("WORKSPACE", "short for: use WORKSPACE; and nothing at all for: use"))
        rows.append(Row("%%mistral_key WORKSPACE", ONE_CELL))
    return Report(f"{context.typed('SUB-COMMAND')}", tuple(rows))
