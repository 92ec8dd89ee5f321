"""The filter driver, as git's configuration holds it: a command that starts us, or says how to repair it."""

import os
import shlex
import sys
from typing import NamedTuple

from mistral_nb.git.plumbing import START, Git

NAME = "mistral-nb"
LINE = f"*.ipynb filter={NAME}"
_PROCESS, _CLEAN, _SMUDGE, _REQUIRED = (f"filter.{NAME}.{name}" for name in ("process", "clean", "smudge", "required"))
WITHOUT = f"git -c {_PROCESS}= -c {_CLEAN}= -c {_SMUDGE}= -c {_REQUIRED}=false COMMAND"

_START = f"{START}from mistral_nb.git.filter import main; main()"
# $1 is the interpreter, $2 the folder of the package, $3 that of the index. No quote, no dollar more: it
# stands in single quotes, in git's configuration, on every system.
_SCRIPT = (
    'if test -x "$1" && test -e "$2/mistral_nb/git/filter.py"; then '
    f'py="$1"; shift; exec "$py" -I -S -c "{_START}" "$@"; fi; '
    'echo "mistral-nb: what keeps keys out of git is gone: $1 with $2/mistral_nb." '
    '"Repair: pip install mistral_nb, then: mistral-nb protect (or protect --global)." '
    f'"Once without it, keys and all: {WITHOUT}" >&2; exit 1'
)


class Driver(NamedTuple):
    """What starts the filter. ``python``: the interpreter; ``root``: where the package is; ``home``: the index."""

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

    def command(self, *more: str) -> str:
        """What git gives to its shell to start the process."""
        wraps = (f"--wraps={self.wraps}",) if self.wraps else ()
        places = (_with_slashes(place) for place in (self.python, self.root, self.home))
        return shlex.join(["sh", "-c", _SCRIPT, NAME, *places, *wraps, *more])

    @property
    def works(self) -> bool:
        """Whether what it starts is there."""
        return os.access(self.python, os.X_OK) and os.path.isfile(os.path.join(self.root, "mistral_nb/git/filter.py"))


def ours(home: str, wraps: str = "") -> Driver:
    """The driver that starts this very package with this interpreter."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return Driver(os.path.abspath(sys.executable), root, os.path.abspath(home), wraps)


def configured(git: Git, *scope: str) -> Driver | None:
    """The driver in git's configuration (``scope``: ``--local``, ``--global``; default: what holds here)."""
    try:
        words = shlex.split(git.config(_PROCESS, *scope) or "")
        python, root, home, *more = words[words.index(NAME) + 1 :]
    except ValueError:
        return None
    return Driver(python, root, home, next((word[8:] for word in more if word.startswith("--wraps=")), ""))


def is_whole(git: Git, driver: Driver) -> bool:
    """Whether every setting of the driver is as it is to be."""
    return all(git.config(name) == value for name, value in driver.settings.items())


def write(git: Git, driver: Driver, scope: str) -> bool:
    """Put the driver into the configuration; whether anything changed. Raises `GitFailed`."""
    changed = False
    for name, value in driver.settings.items():
        if git.config(name, scope) != value:
            git.output("config", scope, "--replace-all", name, value)
            changed = True
    return changed


def remove(git: Git, scope: str) -> bool:
    """Take the driver out of the configuration, and nothing else; whether it was there."""
    found = False
    for name in (_PROCESS, _CLEAN, _SMUDGE, _REQUIRED):
        found |= git.run("config", scope, "--unset-all", name).returncode == 0
    left = git.run("config", scope, "--get-regexp", rf"^filter\.{NAME}\.").stdout
    if found and not left:
        git.run("config", scope, "--remove-section", f"filter.{NAME}")
    return found


def _with_slashes(path: str) -> str:
    return path.replace("\\", "/") if os.name == "nt" else path
