"""Checks of this process and of IPython's histories for ``doctor``."""

from collections.abc import Iterator, Mapping
from typing import Any

from mistral_nb.errors import MistralNbError
from mistral_nb.guard import ipython_history_files, lifecycle
from mistral_nb.prompts.ipython import running_shell
from mistral_nb.report import Row
from mistral_nb.watchlist import Watchlist
from mistral_nb.wording import plural

_REPAIR = "mistral-nb scrub --ipython-history"


def guard_rows(shell: Any = None) -> Iterator[Row]:
    """One row on the guard of this process; none where no IPython runs."""
    shell = shell or running_shell()
    if shell is None:
        return
    found = lifecycle.guard_state(shell)
    if found.guarded:
        yield Row("this kernel", found.sentence, "ok")
    elif found.can_be_loaded:
        yield Row("this kernel", found.sentence, "warn", "%load_ext mistral_nb")
    else:
        yield Row("this kernel", found.sentence)


def history_rows(environ: Mapping[str, str], watchlist: Watchlist) -> Iterator[Row]:
    """A row for each of IPython's histories that holds a key, or one that says that none does."""
    files, clean = ipython_history_files.list_databases(environ), True
    for file in files:
        try:
            found = ipython_history_files.search_database(file, watchlist)
        except MistralNbError as error:
            clean = False
            yield Row("IPython history", error.failed, "warn", error.todo)
            continue
        if found.lines:
            clean = False
            lines = plural(found.lines, "line")
            yield Row("IPython history", f"{lines} of {file} contain a key in plain text", "bad", _REPAIR)
    if files and clean:
        yield Row("IPython history", "contains no key in what you typed", "ok")
