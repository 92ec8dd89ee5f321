"""A real IPython shell in this process, ended properly."""

import atexit
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@contextlib.contextmanager
def open_shell(tmp_path: Path, **history: Any) -> Iterator[InteractiveShell]:
    """``history`` configures the HistoryManager; without any it is disabled."""
    config = Config({"HistoryManager": history or {"enabled": False}})
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell(config=config, ipython_dir=str(tmp_path / "ipython"))
    try:
        yield shell
    finally:
        atexit.unregister(shell.atexit_operations)
        manager = shell.history_manager
        with contextlib.suppress(sqlite3.Error):  # a test may have damaged the database
            shell.atexit_operations()
        if manager is not None:
            if manager.save_thread is not None:
                manager.save_thread.stop()
            getattr(manager.db, "close", bool)()  # IPython 8 has a stand-in without it
        InteractiveShell.clear_instance()
