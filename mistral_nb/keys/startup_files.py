"""IPython's start-up files that load mistral_nb: one of this person, one of the environment. `autoload` writes them."""

import os
import re
import sys
from collections.abc import Mapping
from typing import NamedTuple

from mistral_nb.bounded_read import MAX_SETTINGS, read_file
from mistral_nb.errors import MistralNbError, reason
from mistral_nb.file_io import READABLE_FILE, write_atomically

_NAME = "50-mistral-nb.py"
_MARK = "# Written by mistral-nb autoload."
_TEXT = """\
{mark} To remove it: mistral-nb autoload --remove{scope}
try:
    import mistral_nb.magic.kernel_startup as _mistral_nb
except ImportError as error:
    if error.name != "mistral_nb":  # which is not installed here
        import sys as _mistral_nb

        print("mistral_nb: autoload failed, so this kernel has no guard:", error, file=_mistral_nb.stderr)
        del _mistral_nb
else:
    _mistral_nb.run(get_ipython(), "{workspace}")
    del _mistral_nb
"""
_WORKSPACE = re.compile(r'run\(get_ipython\(\), "([^"]*)"\)')


class StartupFile(NamedTuple):
    """``is_system``: of this Python's environment, for all who use it. ``workspace``: switched to; "" for none."""

    path: str
    is_system: bool
    workspace: str

    @property
    def words(self) -> str:
        switch = f" and switches to {self.workspace}" if self.workspace else ""
        whose = "every new kernel of this environment" if self.is_system else "every new kernel of yours"
        return f"{whose} loads mistral_nb{switch}"


def startup_path(environ: Mapping[str, str], *, system: bool) -> str:
    """Where the file is, or would be. Raises `MistralNbError` for a person without a home folder."""
    if system:
        return os.path.join(sys.prefix, "etc", "ipython", "startup", _NAME)
    home = environ.get("HOME" if os.name == "posix" else "USERPROFILE") or os.path.expanduser("~")
    folder = environ.get("IPYTHONDIR") or os.path.join(home, ".ipython")
    if not os.path.isabs(folder):
        raise MistralNbError("This user has no home folder for IPython's start-up files.", "Set IPYTHONDIR.")
    return os.path.join(folder, "profile_default", "startup", _NAME)


def find_startup_files(environ: Mapping[str, str]) -> list[StartupFile]:
    """Our files that are there: this person's, then the environment's."""
    found = []
    for system in (False, True):
        try:
            path = startup_path(environ, system=system)
            text = read_startup_file(path)
        except MistralNbError:
            continue
        if text is not None and _is_ours(text):
            match = _WORKSPACE.search(text)
            found.append(StartupFile(path, system, match[1] if match else ""))
    return found


def write_startup_file(path: str, *, system: bool, workspace: str = "") -> bool:
    """Write the file; whether anything changed. Raises `MistralNbError`, also where the file is somebody else's."""
    before = read_startup_file(path)
    if before is not None and not _is_ours(before):
        raise MistralNbError(f"{path} was not written by mistral_nb.", "Rename it, and run this again.")
    text = _TEXT.format(mark=_MARK, workspace=workspace, scope=" --system" if system else "")
    if text == before:
        return False
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomically(path, text.encode(), READABLE_FILE)
    except OSError as error:
        other = "Ask the administrator of this environment." if system else "Make it writable, and try again."
        raise MistralNbError(f"{path} could not be written: {reason(error)}.", other) from None
    return True


def remove_startup_file(file: StartupFile) -> None:
    """Raises `MistralNbError`."""
    try:
        os.unlink(file.path)
    except OSError as error:
        raise MistralNbError(f"{file.path} could not be removed: {reason(error)}.", "Remove it by hand.") from None


def _is_ours(text: str) -> bool:
    return text.startswith(_MARK)


def read_startup_file(path: str) -> str | None:
    """Its text; None if there is no file. Raises `MistralNbError`."""
    try:
        return read_file(path, MAX_SETTINGS).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MistralNbError(f"{path} can't be read: {reason(error)}.", "Make it readable, and try again.") from None
