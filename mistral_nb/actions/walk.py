"""The files below a folder: git is asked where there is a repository, else the folder is walked."""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator

_NOT_OURS = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})
_OF_TOOLS = frozenset({".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_CHECKPOINTS = ".ipynb_checkpoints"  # hidden, and it holds what the notebooks held
HISTORY = ".jupyter_ystore.db"  # of jupyter-collaboration: all that was ever typed into its notebooks, in plain text


def files_in(folder: str, *, every: bool) -> Iterator[str]:
    """The notebooks in ``folder`` and below it, and their `HISTORY`, or ``every`` file; not what git ignores.

    Symbolic links are not followed. Raises OSError where ``folder`` itself can't be read.
    """
    os.listdir(folder)
    names = _asked_of_git(folder)
    found = _walked(folder, _is_searched) if names is None else _existing(folder, names, every)
    for path in found:
        if every or path.lower().endswith(".ipynb") or os.path.basename(path) == HISTORY:
            yield path


def all_files_in(folder: str) -> Iterator[str]:
    """Every file in ``folder`` and below it, also what is hidden or ignored: a leaked key may be anywhere.

    Left out are what tools keep for themselves, and symbolic links.
    """
    return _walked(folder, _is_not_of_tools)


def _asked_of_git(folder: str) -> list[str] | None:
    """Tracked and untracked files, relative to ``folder``; None outside a repository."""
    from mistral_nb.saving.clean import without_git

    command = ["git", "-C", folder, "ls-files", "-co", "--exclude-standard", "-z", "--", "."]
    try:
        asked = subprocess.run(command, check=False, env=without_git(), capture_output=True, stdin=subprocess.DEVNULL)
    except OSError:  # git is not installed
        return None
    if asked.returncode:
        return None
    return list(dict.fromkeys(os.fsdecode(name) for name in asked.stdout.split(b"\0") if name))


def _existing(folder: str, names: list[str], every: bool) -> Iterator[str]:
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):  # a submodule, or a repository of its own
            if not os.path.samefile(path, folder):
                yield from files_in(path, every=every)
        elif _is_file(path):
            yield path


def _walked(folder: str, enters: Callable[[str, str], bool]) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if enters(root, name))
        yield from (path for name in sorted(names) if _is_file(path := os.path.join(root, name)))


def _is_searched(root: str, name: str) -> bool:
    return _is_not_of_tools(root, name) and (not name.startswith(".") or name == _CHECKPOINTS)


def _is_not_of_tools(root: str, name: str) -> bool:
    if name in _NOT_OURS | _OF_TOOLS:
        return False
    return not os.path.exists(os.path.join(root, name, "pyvenv.cfg"))


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
