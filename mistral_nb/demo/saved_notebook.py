"""A trial save: Jupyter's own contents manager with our hook, in this process. For `demo` and the benchmarks."""

import os
from typing import Any

from mistral_nb.config import Environ
from mistral_nb.demo.one_cell_notebook import one_cell_notebook
from mistral_nb.jupyter.save_hook import ContentsManagerGuard
from mistral_nb.jupyter.watchlist_cache import WatchlistCache


def create_manager(folder: str) -> Any:
    """A contents manager for ``folder`` that writes nowhere else. Raises ImportError without jupyter_server."""
    from jupyter_server.services.contents.largefilemanager import LargeFileManager
    from nbformat.sign import NotebookNotary

    aside = f"{folder}-signatures"
    os.makedirs(aside, mode=0o700, exist_ok=True)
    notary = NotebookNotary(data_dir=aside)  # type: ignore[no-untyped-call]
    return LargeFileManager(root_dir=folder, notary=notary)


def save_notebook(source: str, folder: str, environ: Environ) -> bytes:
    """The bytes on disk of a notebook with one cell, saved past the hook."""
    os.makedirs(folder, exist_ok=True)
    manager = create_manager(folder)
    ContentsManagerGuard(manager, WatchlistCache(lambda _: None, environ)).install()
    manager.save({"type": "notebook", "format": "json", "content": one_cell_notebook(source)}, "analysis.ipynb")
    with open(os.path.join(folder, "analysis.ipynb"), "rb") as file:
        return file.read()
