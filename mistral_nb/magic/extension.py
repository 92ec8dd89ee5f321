"""``%load_ext mistral_nb`` and ``%unload_ext``: the guard, the magics and their completion, put in and taken out."""

import os
from typing import Any

from mistral_nb import config, environment
from mistral_nb.command_context import Context
from mistral_nb.command_table import MAGIC
from mistral_nb.errors import MistralNbError
from mistral_nb.guard import lifecycle
from mistral_nb.keys.expiry import build_reminder
from mistral_nb.magic import cell_magic, page_link
from mistral_nb.magic.line_magic import MAGIC_NAME, run_line
from mistral_nb.magic.tab_completion import complete
from mistral_nb.paths import NO_FOLDER, NO_HOME_TEXT
from mistral_nb.printable import one_line


def load(shell: Any) -> None:
    """``%load_ext mistral_nb``: the magic, its completion, and the guard. Opens no store, asks nothing."""
    lifecycle.start(shell)
    shell.register_magic_function(lambda line: run_line(shell, line), "line", MAGIC_NAME)
    shell.set_hook("complete_command", lambda _, event: complete(event), str_key=f"%{MAGIC_NAME}")
    cell_magic.install(shell)
    page_link.start(shell)
    no_key = environment.no_key_sentence()
    line = f"{no_key} To set it: %mistral_key" if no_key else _reminder_line()
    if config.data_folder(os.environ) == NO_FOLDER:
        line = NO_HOME_TEXT
    if line:
        print(one_line(line))  # noqa: T201, a host prints


def unload(shell: Any) -> None:
    shell.magics_manager.magics["line"].pop(MAGIC_NAME, None)
    shell.strdispatchers["complete_command"].strs.pop(f"%{MAGIC_NAME}", None)
    cell_magic.uninstall(shell)
    page_link.stop(shell)
    lifecycle.stop(shell)


def _reminder_line() -> str:
    """The expiry reminder, from the index alone; no failure stops loading."""
    try:
        return build_reminder(Context(host=MAGIC))
    except MistralNbError:
        return ""
