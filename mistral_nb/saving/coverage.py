"""Whether what is saved goes past our hook. A kernel does not save: the server that started it does.

The server's extension leaves a note with its process id in Jupyter's runtime folder; a kernel knows
that id as ``JPY_PARENT_PID``.
"""

import atexit
import contextlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mistral_nb.files import write_atomically
from mistral_nb.home import home

if TYPE_CHECKING:
    from mistral_nb.report import State

_INSTALL = "pip install mistral_nb where Jupyter's server runs, and restart it; until then: mistral-nb scrub NOTEBOOK"
_SCRUB = "mistral-nb scrub NOTEBOOK before you share it"
_SAME_HOME = "start both with the same MISTRAL_NB_HOME; until then: mistral-nb scrub NOTEBOOK"
_VS_CODE = "VS Code saves notebooks itself, past Jupyter's server"
_OF_VS_CODE = "-jvsc-"  # in the name of each session that it opens at a Jupyter server: such a file is never there


class Coverage(NamedTuple):
    """``reason`` and ``repair`` are sentences, for saves that are not covered.

    ``state`` is that of a row in a report: "" where there is no notebook to be saved.
    """

    covered: bool
    reason: str = ""
    repair: str = ""
    state: "State" = "warn"

    def __str__(self) -> str:
        return "covered" if self.covered else f"NOT covered here: {self.reason}"


def announce(runtime_folder: str, pid: int | None = None) -> str:
    """Leave this server's note; it goes when the process ends. Returns its path."""
    process = os.getpid() if pid is None else pid
    note = _note(runtime_folder, process)
    os.makedirs(runtime_folder, mode=0o700, exist_ok=True)
    told = {"pid": process, "started": _started(process), "home": home(os.environ)}
    write_atomically(note, json.dumps(told).encode())
    atexit.register(_withdraw, note, os.getpid())
    return note


def coverage(environ: Mapping[str, str]) -> Coverage:
    """Whether the notebook of this kernel is saved past our hook."""
    parent = environ.get("JPY_PARENT_PID", "")
    if any(name.startswith("COLAB_") for name in environ):
        return Coverage(False, "Colab saves notebooks itself", _SCRUB)
    told = _told(int(parent), environ) if parent.isdigit() else None
    if told is not None:
        return _by_server(told, environ)
    if any(name.startswith("VSCODE_") for name in environ):
        return Coverage(False, _VS_CODE, _SCRUB)
    if not parent:
        return Coverage(False, "no Jupyter server started this process", _SCRUB, state="")
    return Coverage(False, f"mistral_nb is not in what started this kernel (process {parent})", _INSTALL)


def _by_server(told: dict[str, Any], environ: Mapping[str, str]) -> Coverage:
    """Of a kernel that a server with our hook started: does that server save its notebook, and know its keys?"""
    session = environ.get("JPY_SESSION_NAME", "")
    if not session:  # started for another server, as for a client of a gateway, or for a program
        return Coverage(False, "the server that started this kernel knows of no notebook for it", _SCRUB)
    if _OF_VS_CODE in session:
        return Coverage(False, _VS_CODE, _SCRUB)
    theirs, ours = told.get("home"), home(environ)
    if isinstance(theirs, str) and os.path.realpath(theirs) != os.path.realpath(ours):
        words = f"the server knows the keys noted in {theirs}, and this kernel notes them in {ours}"
        return Coverage(False, words, _SAME_HOME)
    return Coverage(True, state="ok")


def _told(pid: int, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The note that this server left; None if it left none."""
    for folder in _runtime_folders(environ):
        try:
            with open(_note(folder, pid), encoding="utf-8") as file:
                told = json.load(file)
        except (OSError, ValueError):
            continue
        if isinstance(told, dict) and told.get("started") == _started(pid):  # else a later process has the id
            return told
    return None


def _runtime_folders(environ: Mapping[str, str]) -> list[str]:
    chosen = environ.get("JUPYTER_RUNTIME_DIR")
    if chosen:
        return [chosen]
    try:
        from jupyter_core.paths import jupyter_runtime_dir
    except ImportError:
        return []
    return [jupyter_runtime_dir()]


def _note(folder: str, pid: int) -> str:
    return os.path.join(folder, f"mistral_nb-{pid}.json")


def _started(pid: int) -> str:
    """When a process began, in ticks since the boot; "" where the system does not tell it so."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _withdraw(note: str, pid: int) -> None:
    if os.getpid() == pid:  # not in a fork
        with contextlib.suppress(OSError):
            os.unlink(note)
