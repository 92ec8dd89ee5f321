"""A save tried out: Jupyter's own contents manager with our hook, in this process. For `demo` and the benchmarks."""

import os
from typing import Any

from mistral_nb.config import Environ
from mistral_nb.saving.saves import Saves
from mistral_nb.saving.watching import Watching


def manager_in(folder: str) -> Any:
    """A contents manager for ``folder`` that writes nowhere else. Raises ImportError without jupyter_server."""
    from jupyter_server.services.contents.largefilemanager import LargeFileManager
    from nbformat.sign import NotebookNotary

    aside = f"{folder}-signatures"
    os.makedirs(aside, mode=0o700, exist_ok=True)
    notary = NotebookNotary(data_dir=aside)  # type: ignore[no-untyped-call]
    return LargeFileManager(root_dir=folder, notary=notary)


def saved(source: str, folder: str, environ: Environ) -> bytes:
    """The bytes on disk of a notebook with one cell, saved past the hook."""
    os.makedirs(folder, exist_ok=True)
    manager = manager_in(folder)
    Saves(manager, Watching(lambda _: None, environ)).install()
    cell: dict[str, Any] = {"id": "a", "cell_type": "code", "metadata": {}, "execution_count": None, "source": source}
    content = {"cells": [cell | {"outputs": []}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    manager.save({"type": "notebook", "format": "json", "content": content}, "analysis.ipynb")
    with open(os.path.join(folder, "analysis.ipynb"), "rb") as file:
        return file.read()
