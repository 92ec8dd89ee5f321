"""Whether saves bypass our hook. A kernel does not save: the server that started it does.

The server's extension leaves a note with its process id in Jupyter's runtime folder; a kernel knows
that id as ``JPY_PARENT_PID``.
"""

import atexit
import contextlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mistral_nb.bounded_read import MAX_SETTINGS, read_file
from mistral_nb.file_io import write_atomically
from mistral_nb.paths import data_folder

if TYPE_CHECKING:
    from mistral_nb.report import RowState

_INSTALL = "install mistral_nb where Jupyter's server runs, and restart it; until then: mistral-nb scrub NOTEBOOK"
_SCRUB = "mistral-nb scrub NOTEBOOK before you share it"
_SAME_HOME = "start both with the same MISTRAL_NB_HOME; until then: mistral-nb scrub NOTEBOOK"
_VS_CODE = "VS Code saves notebooks itself, bypassing Jupyter's server"
_OF_VS_CODE = "-jvsc-"  # in the name of each session that it opens at a Jupyter server: such a file is never there


class Coverage(NamedTuple):
    """``reason`` and ``repair`` are sentences, for saves that are not covered.

    ``state`` is that of a row in a report: "" where there is no notebook to be saved.
    """

    covered: bool
    reason: str = ""
    repair: str = ""
    state: "RowState" = "warn"

    def __str__(self) -> str:
        if self.covered:
            return "covered"
        return f"{'NOT covered here' if self.state else 'not applicable'}: {self.reason}"


def write_server_note(runtime_folder: str, pid: int | None = None) -> str:
    """Write this server's note; it is removed when the process ends. Returns its path."""
    process = os.getpid() if pid is None else pid
    path = _note_path(runtime_folder, process)
    os.makedirs(runtime_folder, mode=0o700, exist_ok=True)
    note = {"pid": process, "started": _start_time(process), "home": data_folder(os.environ)}
    write_atomically(path, json.dumps(note).encode())
    atexit.register(_remove_note, path, os.getpid())
    return path


def check_coverage(environ: Mapping[str, str]) -> Coverage:
    """Whether saves of this kernel's notebook bypass our hook."""
    parent = environ.get("JPY_PARENT_PID", "")
    if any(name.startswith("COLAB_") for name in environ):
        return Coverage(False, "Colab saves notebooks itself", _SCRUB)
    note = _read_note(int(parent), environ) if parent.isdigit() else None
    if note is not None:
        return _check_server(note, environ)
    if any(name.startswith("VSCODE_") for name in environ):
        return Coverage(False, _VS_CODE, _SCRUB)
    if not parent:
        return Coverage(False, "no Jupyter server started this process", _SCRUB, state="")
    return Coverage(False, f"mistral_nb is not installed where this kernel was started (process {parent})", _INSTALL)


def _check_server(note: dict[str, Any], environ: Mapping[str, str]) -> Coverage:
    """Of a kernel that a server with our hook started: does that server save its notebook, and know its keys?"""
    session = environ.get("JPY_SESSION_NAME", "")
    if not session:  # started for another server, as for a client of a gateway, or for a program
        return Coverage(False, "the server that started this kernel has no notebook for it", _SCRUB)
    if _OF_VS_CODE in session:
        return Coverage(False, _VS_CODE, _SCRUB)
    theirs, ours = note.get("home"), data_folder(environ)
    if isinstance(theirs, str) and os.path.realpath(theirs) != os.path.realpath(ours):
        words = f"the server uses the key index in {theirs}, but this kernel uses the one in {ours}"
        return Coverage(False, words, _SAME_HOME)
    return Coverage(True, state="ok")


def _read_note(pid: int, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The note that this server left; None if it left none."""
    for folder in _runtime_folders(environ):
        try:
            note = json.loads(read_file(_note_path(folder, pid), MAX_SETTINGS))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(note, dict) and note.get("started") == _start_time(pid):  # else a later process has the id
            return note
    return None


def _runtime_folders(environ: Mapping[str, str]) -> list[str]:
    chosen = environ.get("JUPYTER_RUNTIME_DIR")
    if chosen:
        return [chosen]
    try:
        from jupyter_core.paths import jupyter_runtime_dir

        return [jupyter_runtime_dir()]
    except (ImportError, RuntimeError):  # RuntimeError: a user without a home folder
        return []


def _note_path(folder: str, pid: int) -> str:
    return os.path.join(folder, f"mistral_nb-{pid}.json")


def _start_time(pid: int) -> str:
    """When a process began, in ticks since the boot; "" where the system does not tell it so."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _remove_note(note: str, pid: int) -> None:
    if os.getpid() == pid:  # not in a fork
        with contextlib.suppress(OSError):
            os.unlink(note)
