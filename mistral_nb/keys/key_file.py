"""The key that needs no store: that of the environment, else of the file that MISTRAL_API_KEY_FILE names."""

from mistral_nb.api_key import Key, Secret
from mistral_nb.bounded_read import MAX_SECRET, PIPE_SECONDS, read_file
from mistral_nb.command_context import Context
from mistral_nb.config import KEY_FILE_VARIABLE
from mistral_nb.environment import ActiveKey, keeping_workspace
from mistral_nb.errors import MistralNbError, reason
from mistral_nb.sensitive_text import name_secret_file


def read_key_file(path: str) -> Key:
    """The key in a mounted file, such as a container's secret. Raises `MistralNbError`."""
    repair = "Put the key alone into that file, or unset MISTRAL_API_KEY_FILE."
    name = name_secret_file(KEY_FILE_VARIABLE, path)
    try:
        return Key.parse(Secret(read_file(path, MAX_SECRET, pipe_seconds=PIPE_SECONDS).decode(errors="replace")))
    except OSError as error:
        raise MistralNbError(f"{name} can't be read: {reason(error)}.", repair) from None
    except MistralNbError as error:
        raise MistralNbError(f"{name} does not contain a key. {error.failed}", repair) from None


def key_file_origin(path: str) -> str:
    return f"the file {path} ({KEY_FILE_VARIABLE})"


def find_key_at_hand(context: Context) -> ActiveKey | None:
    """The key of the environment, else that of the file; None for neither. Raises `MistralNbError` for a bad file."""
    active, path = context.active, context.config.key_file
    if active or not path:
        return active
    key = read_key_file(path)
    workspace = keeping_workspace(key, context.stored_workspaces())
    return ActiveKey(key, workspace, is_ours=False, origin=key_file_origin(path))
