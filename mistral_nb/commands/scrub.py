"""`scrub`: removes keys from files, in place, or from IPython's history."""

from mistral_nb import environment, exit_codes
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.report import Action, Report, Row
from mistral_nb.scanning.bulk_scrub import process_files
from mistral_nb.watchlist import build_watchlist
from mistral_nb.wording import plural


def action(context: Context, paths: list[str], everything: bool = False, ipython_history: bool = False) -> Action:
    environment.register_variables(context.environ)
    if ipython_history:
        yield from ()
        if paths:
            raise WrongUsage("--ipython-history cannot be combined with paths.", "Scrub files with a separate command.")
        return _clean_histories(context)
    if not paths:
        raise WrongUsage("No paths were given.", "Give files or folders, - for standard input, or --ipython-history.")
    report = yield from process_files(context, paths, write=True, only_notebooks=not everything)
    return report


def _clean_histories(context: Context) -> Report:
    from mistral_nb.guard import ipython_history_files

    watchlist = build_watchlist(context.folder, environ=context.environ)
    files = ipython_history_files.list_databases(context.environ)
    rows = []
    for file in files:
        try:
            found = ipython_history_files.clean_database(file, watchlist)
        except MistralNbError as error:
            rows.append(Row(file, error.failed, "bad", error.todo))
            continue
        said = f"keys removed from {plural(found.lines, 'line')}" if found.lines else "contains no keys"
        rows.append(Row(file, said, "ok"))
    failed = any(row.state == "bad" for row in rows)
    title = (
        "IPython's history could not be cleaned completely."
        if failed
        else "IPython's history no longer contains any keys."
    )
    if not files:
        title = "IPython keeps no history here."
    return Report(title, tuple(rows), exit_code=exit_codes.INCOMPLETE if failed else exit_codes.OK)
