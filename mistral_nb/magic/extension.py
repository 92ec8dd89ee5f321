"""``%load_ext mistral_nb`` and ``%unload_ext``: the guard, the magics and their completion, put in and taken out."""

import os
import sys
from typing import Any

from mistral_nb import config, environment
from mistral_nb.command_context import Context
from mistral_nb.command_table import MAGIC
from mistral_nb.errors import MistralNbError
from mistral_nb.guard import lifecycle
from mistral_nb.keys.expiry import build_reminder
from mistral_nb.magic import cell_magic, page_link, tab_completion
from mistral_nb.magic.line_magic import MAGIC_NAME, make_line_magic
from mistral_nb.paths import NO_FOLDER, NO_HOME_TEXT
from mistral_nb.printable import one_line

_PACKAGE = "mistral_nb"


def load(shell: Any) -> None:
    """``%load_ext mistral_nb``: the magic, its completion, the guard, and the name ``mistral_nb``. Opens no store,
    asks nothing."""
    lifecycle.start(shell)
    shell.register_magic_function(make_line_magic(shell), "line", MAGIC_NAME)
    tab_completion.install(shell)
    cell_magic.install(shell)
    page_link.start(shell)
    if _PACKAGE not in shell.user_ns:
        shell.push({_PACKAGE: sys.modules[_PACKAGE]}, interactive=False)  # which %who does not list
    no_key = environment.no_key_sentence()
    line = f"{no_key} To set it: %mistral_key" if no_key else _reminder_line()
    if config.data_folder(os.environ) == NO_FOLDER:
        line = NO_HOME_TEXT
    if line:
        print(one_line(line))  # noqa: T201, a host prints


def unload(shell: Any) -> None:
    if _PACKAGE in shell.user_ns_hidden:  # else it is the person's own import
        shell.drop_by_id({_PACKAGE: sys.modules[_PACKAGE]})
    shell.magics_manager.magics["line"].pop(MAGIC_NAME, None)
    tab_completion.uninstall(shell)
    cell_magic.uninstall(shell)
    page_link.stop(shell)
    lifecycle.stop(shell)


def _reminder_line() -> str:
    """The expiry reminder, from the index alone; no failure stops loading."""
    try:
        return build_reminder(Context(host=MAGIC))
    except MistralNbError:
        return ""
