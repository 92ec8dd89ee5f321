"""The files below a folder: git is asked where there is a repository, else the folder is walked."""

import os
import stat
from collections.abc import Callable, Iterator

_NOT_OURS = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})
_OF_TOOLS = frozenset({".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_CHECKPOINTS = ".ipynb_checkpoints"  # hidden, and it holds what the notebooks held
Unread = Callable[[str, str], None]  # a path, and why it can't be read
HISTORY = ".jupyter_ystore.db"  # of jupyter-collaboration: all that was ever typed into its notebooks, in plain text


def _pass_over(path: str, why: str) -> None:
    pass


def files_in(folder: str, *, every: bool, unread: Unread = _pass_over) -> Iterator[str]:
    """The notebooks in ``folder`` and below it, and their `HISTORY`, or ``every`` file.

    Not what git ignores, unless it is ``folder`` itself. Symbolic links are not followed. ``unread`` is told what
    below it can't be read. Raises OSError where that is ``folder`` itself.
    """
    os.listdir(folder)
    names = _asked_of_git(folder, unread)
    found = _walked(folder, _is_searched, unread) if names is None else _existing(folder, names, every, unread)
    for path in found:
        if every or path.lower().endswith(".ipynb") or os.path.basename(path) == HISTORY:
            yield path


def all_files_in(folder: str) -> Iterator[str]:
    """Every file in ``folder`` and below it, also what is hidden or ignored: a leaked key may be anywhere.

    Left out are what tools keep for themselves, and symbolic links.
    """
    return _walked(folder, _is_not_of_tools, _pass_over)


def _asked_of_git(folder: str, unread: Unread) -> list[str] | None:
    """Tracked and untracked files, relative to ``folder``; None outside a repository, and where git ignores it."""
    from mistral_nb.git.plumbing import Git, GitFailed
    from mistral_nb.saving.clean import without_git

    git = Git(folder, without_git())
    try:
        asked = git.run("ls-files", "-co", "--exclude-standard", "-z", "--", ".")
        if asked.returncode or (not asked.stdout and git.run("check-ignore", "-q", ".").returncode == 0):
            return None
    except (GitFailed, OSError):  # git is not installed, or the folder can't be entered
        return None
    for line in asked.stderr.decode(errors="replace").splitlines():  # of folders that it could not open
        unread(folder, f"git says: {line}")
    return list(dict.fromkeys(os.fsdecode(name) for name in asked.stdout.split(b"\0") if name))


def _existing(folder: str, names: list[str], every: bool, unread: Unread) -> Iterator[str]:
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):  # a submodule, or a repository of its own
            if not os.path.samefile(path, folder):
                yield from files_in(path, every=every, unread=unread)
        elif _is_file(path, unread):
            yield path


def _walked(folder: str, enters: Callable[[str, str], bool], unread: Unread) -> Iterator[str]:
    def not_entered(error: OSError) -> None:
        unread(str(error.filename), error.strerror or type(error).__name__)

    for root, folders, names in os.walk(folder, onerror=not_entered):
        folders[:] = sorted(name for name in folders if enters(root, name))
        yield from (path for name in sorted(names) if _is_file(path := os.path.join(root, name), unread))


def _is_searched(root: str, name: str) -> bool:
    return _is_not_of_tools(root, name) and (not name.startswith(".") or name == _CHECKPOINTS)


def _is_not_of_tools(root: str, name: str) -> bool:
    if name in _NOT_OURS | _OF_TOOLS:
        return False
    return not os.path.exists(os.path.join(root, name, "pyvenv.cfg"))


def _is_file(path: str, unread: Unread) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except PermissionError as error:
        unread(path, error.strerror or type(error).__name__)
    except OSError:  # gone
        pass
    return False
