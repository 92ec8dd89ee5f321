"""The one way to `mistral_nb.admin`, which is optional: whatever needs no Admin key works without it."""

import importlib
import importlib.util
from typing import Any

from mistral_nb.command_context import Context
from mistral_nb.config import ADMIN_VARIABLE
from mistral_nb.errors import MistralNbError
from mistral_nb.storage.index import ADMIN

_PACKAGE = "mistral_nb.admin"


def load_admin(module: str) -> Any:
    """A module of `mistral_nb.admin`. Raises `MistralNbError` where that is not installed."""
    if not _is_installed():
        raise MistralNbError(f"This needs {_PACKAGE}, which is not installed.")
    return importlib.import_module(f"{_PACKAGE}.{module}")


def can_use_admin_key(context: Context) -> bool:
    """Whether there is an Admin key, in the environment or stored, and the code that uses it."""
    return _is_installed() and bool(context.environ.get(ADMIN_VARIABLE) or stored_admin_workspaces(context))


def stored_admin_workspaces(context: Context) -> list[str]:
    return [name for name, entry in context.stored_workspaces().items() if entry.kind == ADMIN]


def _is_installed() -> bool:
    return importlib.util.find_spec(_PACKAGE) is not None
