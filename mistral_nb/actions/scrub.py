"""`scrub`: take keys out of files, in place; or out of what IPython remembers of every notebook's cells."""

from mistral_nb.actions.context import Context
from mistral_nb.actions.files import over_files
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.report import Action, Report, Row
from mistral_nb.watch import gather


def action(context: Context, paths: list[str], everything: bool = False, ipython_history: bool = False) -> Action:
    if ipython_history:
        yield from ()
        if paths:
            raise WrongUsage("--ipython-history goes alone.", "Scrub files by a second command.")
        return _histories(context)
    if not paths:
        raise WrongUsage("Nothing was named.", "Give files or folders, - for standard input, or --ipython-history.")
    report = yield from over_files(context, paths, everything=everything, write=True)
    return report


def _histories(context: Context) -> Report:
    from mistral_nb.kernel import history_files

    watchlist = gather(context.folder, environ=context.environ)
    files = history_files.files(context.environ)
    rows = []
    for file in files:
        try:
            found = history_files.clean(file, watchlist)
        except MistralNbError as error:
            rows.append(Row(file, error.failed, "bad", error.todo))
            continue
        said = f"keys taken out of {found.lines} line{'s' * (found.lines != 1)}" if found.lines else "holds no key"
        rows.append(Row(file, said, "ok"))
    failed = any(row.state == "bad" for row in rows)
    title = "IPython's history was not cleaned everywhere." if failed else "IPython's history holds no key now."
    if not files:
        title = "IPython keeps no history here."
    return Report(title, tuple(rows), exit_code=3 if failed else 0)
