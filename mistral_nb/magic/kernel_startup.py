"""What the start-up file of `autoload` calls in a new kernel: loads the extension, and sets a key that was chosen.

It asks nothing, opens no dialog, deletes nothing, and never takes a workspace from a project's settings. A failure is
one line.
"""

import sys
from typing import Any

from mistral_nb.command_context import Context
from mistral_nb.command_table import MAGIC
from mistral_nb.errors import MistralNbError
from mistral_nb.prompts.terminal import write_line


def run(shell: Any, workspace: str = "") -> None:
    """``workspace``: the one that ``autoload --switch`` named; "" for none."""
    try:
        shell.extension_manager.load_extension("mistral_nb")
        set_key(Context(host=MAGIC), workspace)
    except MistralNbError as error:
        write_line(sys.stderr, f"mistral_nb: {error}")
    except Exception as error:  # noqa: BLE001, a kernel starts also where we fail
        off = "To turn autoload off: mistral-nb autoload --remove"
        write_line(sys.stderr, f"mistral_nb: autoload failed ({type(error).__name__}). {off}")


def set_key(context: Context, workspace: str) -> None:
    """From the user's own MISTRAL_API_KEY_FILE, else of ``workspace``; a key that is set already stays."""
    if context.active or not (context.config.key_file or workspace):
        return  # most kernels: what follows takes a third longer to import than %load_ext alone
    from mistral_nb.keys.unattended_key import set_unattended_key

    set_unattended_key(context, workspace, "To set one: %mistral_key")
