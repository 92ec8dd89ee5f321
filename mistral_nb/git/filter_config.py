"""The filter driver in git's configuration: a command that starts us, or explains how to repair it."""

import os
import shlex
import sys
from typing import NamedTuple

from mistral_nb.child_environment import BOOTSTRAP_CODE, PACKAGE_ROOT
from mistral_nb.git.run_git import Git

NAME = "mistral-nb"
NOTEBOOKS = "*.[iI][pP][yY][nN][bB]"  # as a pattern of attributes, which tell capitals from small letters
ATTRIBUTES_LINE = f"{NOTEBOOKS} filter={NAME}"
_PROCESS, _CLEAN, _SMUDGE, _REQUIRED = (f"filter.{NAME}.{name}" for name in ("process", "clean", "smudge", "required"))
REPAIR = "Repair: install mistral_nb again for $1, then run mistral-nb protect"  # $1, in a shell, is the interpreter
LEAVE_COMMAND = f"git config --remove-section filter.{NAME}"
LEAVE_EVERYWHERE_COMMAND = f"git config --global --remove-section filter.{NAME}"

_FILTER_CODE = f"{BOOTSTRAP_CODE}from mistral_nb.git.filter_process import main; main()"
# $1 is the interpreter, $2 the folder of the package, $3 that of the index. No quote, no dollar more: it
# stands in single quotes, in git's configuration, on every system.
_SCRIPT = (
    'if test -x "$1" && test -e "$2/mistral_nb/git/filter_process.py"; then '
    f'py="$1"; shift; exec "$py" -I -S -c "{_FILTER_CODE}" "$@"; fi; '
    f'echo "mistral-nb is no longer installed, so git stops at notebooks. {REPAIR} (or protect --global)" >&2; '
    f'echo "To go on without it, keys included: {LEAVE_COMMAND}" >&2; '
    f'echo "After protect --global: {LEAVE_EVERYWHERE_COMMAND}" >&2; exit 1'
)


class FilterDriver(NamedTuple):
    """How the filter is started. ``python``: the interpreter; ``root``: where the package is; ``home``: the index."""

    python: str
    root: str
    home: str
    wraps: str = ""

    @property
    def settings(self) -> dict[str, str]:
        """Every setting of the driver, by its full name."""
        return {
            _PROCESS: self.command(),
            _CLEAN: self.command().replace("%", "%%") + " clean %f",
            _SMUDGE: self.command().replace("%", "%%") + " smudge %f",
            _REQUIRED: "true",
        }

    def command(self) -> str:
        """The command that git runs in its shell to start the process."""
        wraps = (f"--wraps={self.wraps}",) if self.wraps else ()
        paths = (_use_slashes(path) for path in (self.python, self.root, self.home))
        return shlex.join(["sh", "-c", _SCRIPT, NAME, *paths, *wraps])

    @property
    def can_start(self) -> bool:
        """Whether the interpreter and the package exist."""
        return os.access(self.python, os.X_OK) and os.path.isfile(
            os.path.join(self.root, "mistral_nb/git/filter_process.py")
        )


def own_driver(home: str, wraps: str = "") -> FilterDriver:
    """The driver that starts this package with this interpreter."""
    return FilterDriver(os.path.abspath(sys.executable), PACKAGE_ROOT, os.path.abspath(home), wraps)


def read_driver(git: Git, *scope: str) -> FilterDriver | None:
    """The driver in git's configuration (``scope``: ``--local``, ``--global``; default: what holds here)."""
    try:
        words = shlex.split(git.config(_PROCESS, *scope) or "")
        python, root, home, *more = words[words.index(NAME) + 1 :]
    except ValueError:
        return None
    return FilterDriver(python, root, home, next((word[8:] for word in more if word.startswith("--wraps=")), ""))


def is_up_to_date(git: Git, driver: FilterDriver) -> bool:
    """Whether every setting of the driver is as expected."""
    return all(git.config(name) == value for name, value in driver.settings.items())


def write_driver(git: Git, driver: FilterDriver, scope: str) -> bool:
    """Put the driver into the configuration; whether anything changed. Raises `GitFailed`."""
    changed = False
    for name, value in driver.settings.items():
        if git.config(name, scope) != value:
            git.output("config", scope, "--replace-all", name, value)
            changed = True
    return changed


def remove_driver(git: Git, scope: str) -> bool:
    """Remove only the driver from the configuration; returns whether it was there."""
    found = False
    for name in (_PROCESS, _CLEAN, _SMUDGE, _REQUIRED):
        found |= git.run("config", scope, "--unset-all", name).returncode == 0
    left = git.run("config", scope, "--get-regexp", rf"^filter\.{NAME}\.").stdout
    if found and not left:
        git.run("config", scope, "--remove-section", f"filter.{NAME}")
    return found


def _use_slashes(path: str) -> str:
    return path.replace("\\", "/") if os.name == "nt" else path
