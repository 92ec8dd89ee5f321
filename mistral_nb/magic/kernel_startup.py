"""What the start-up file of `autoload` calls in a new kernel: loads the extension, and sets a key that was chosen.

It asks nothing, opens no dialog, deletes nothing, and never takes a workspace from a project's settings. A failure is
one line.
"""

import sys
from typing import Any

from mistral_nb import environment
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
    from mistral_nb.keys import use_checks
    from mistral_nb.keys.activation_report import activate_and_report
    from mistral_nb.keys.key_file import key_file_origin, read_key_file
    from mistral_nb.storage.store_protocol import store_name

    if context.config.key_file:
        key = read_key_file(context.config.key_file)
        environment.register_key(key, context.index)
        activate_and_report(context, key, None, key_file_origin(context.config.key_file))
    elif workspace:
        entry = context.stored_workspaces().get(workspace)
        if entry is None or entry.ask_first:
            why = "has no key any more" if entry is None else "asks before it is used"
            raise MistralNbError(f"Workspace {workspace} {why}, so no key was set.", "To set one: %mistral_key")
        use_checks.refuse_admin_key(context, workspace, entry)
        use_checks.refuse_expired(context, workspace, entry)
        store = context.stores.get(entry.store)
        problem = store.unavailable_reason() if store else None
        if problem:  # else a locked keyring would open its dialog
            raise MistralNbError(f"{problem.failed} So no key was set.", "To set one: %mistral_key")
        key = context.key_manager.read(workspace)
        environment.register_key(key, context.index)
        activate_and_report(context, key, workspace, store_name(entry.store))
