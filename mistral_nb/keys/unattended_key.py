"""A key for a process where nobody can be asked: a kernel that starts, a worker.

It asks nothing, opens no dialog and deletes nothing.
"""

from mistral_nb import environment
from mistral_nb.command_context import Context
from mistral_nb.config import KEY_FILE_VARIABLE
from mistral_nb.errors import MistralNbError
from mistral_nb.keys import use_checks
from mistral_nb.keys.activation_report import activate_and_report
from mistral_nb.keys.key_file import key_file_origin, read_key_file
from mistral_nb.report import Report
from mistral_nb.storage.store_protocol import store_name


def set_unattended_key(context: Context, workspace: str, todo: str) -> Report:
    """Set the key of the user's own MISTRAL_API_KEY_FILE, else of ``workspace``, in the environment.

    ``todo``: what to do where that can't be done. Raises `MistralNbError`.
    """
    if context.config.key_file:
        key = read_key_file(context.config.key_file)
        environment.register_key(key, context.index)
        return activate_and_report(context, key, None, key_file_origin(context.config.key_file))
    entry = context.stored_workspaces().get(workspace)
    if not workspace or entry is None or entry.ask_first:
        why = "asks before it is used" if entry else "has no key here"
        whose = f"Workspace {workspace} {why}" if workspace else f"{KEY_FILE_VARIABLE} is not set and no key is stored"
        raise MistralNbError(f"{whose}, so no key was set.", todo)
    use_checks.refuse_admin_key(context, workspace, entry)
    use_checks.refuse_expired(context, workspace, entry)
    store = context.stores.get(entry.store)
    problem = store.unavailable_reason() if store else None
    if problem:  # else a locked keyring would open its dialog
        raise MistralNbError(f"{problem.failed} So no key was set.", todo)
    key = context.key_manager.read(workspace)
    environment.register_key(key, context.index)
    return activate_and_report(context, key, workspace, store_name(entry.store))
