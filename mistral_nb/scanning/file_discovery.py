"""The files below a folder: git is asked where there is a repository, else the folder is walked."""

import os
import stat
from collections.abc import Callable, Iterator

from mistral_nb.errors import reason

_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})
_TOOL_FOLDERS = frozenset({".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_CHECKPOINTS = ".ipynb_checkpoints"  # hidden, and it holds what the notebooks held
_GIT_SECONDS = 30.0
OnUnreadable = Callable[[str, str], None]  # a path, and why it can't be read
COLLABORATION_DB = (
    ".jupyter_ystore.db"  # jupyter-collaboration's: everything ever typed into its notebooks, in plain text
)


def _ignore_unreadable(path: str, why: str) -> None:
    pass


def find_files(
    folder: str, *, every: bool, unread: OnUnreadable = _ignore_unreadable, skipped: OnUnreadable = _ignore_unreadable
) -> Iterator[str]:
    """The notebooks in ``folder`` and below it, and their `COLLABORATION_DB`, or ``every`` file.

    Not what git ignores, unless it is ``folder`` itself. Symbolic links are not followed; ``skipped`` is called for
    one that leads out of ``folder``. ``unread`` is called for what below it can't be read. Raises OSError where that
    is ``folder`` itself.
    """
    os.listdir(folder)
    names = _list_git_files(folder, unread)
    links = LinkCheck(folder, lambda path: every or _is_wanted(path), skipped)
    if names is None:
        found = _walk(folder, _is_searched, unread, links)
    else:
        found = _filter_existing(folder, names, every, unread, links)
    for path in found:
        if every or _is_wanted(path):
            yield path


class LinkCheck:
    """Whether a file is in the folder that was named, and not behind a link that leads out of it."""

    def __init__(self, root: str, wanted: Callable[[str], bool], skipped: OnUnreadable) -> None:
        self._root, self._wanted, self.skipped = root, wanted, skipped
        self._real_root = os.path.join(os.path.realpath(root), "")
        self._inside: dict[str, bool] = {}  # folder → whether it is; a repository's index may name what a link leads to

    def is_inside(self, path: str) -> bool:
        folder = os.path.dirname(path)
        if folder not in self._inside:
            self._inside[folder] = os.path.join(os.path.realpath(folder), "").startswith(self._real_root)
        if not self._inside[folder]:
            self._report(path)
        return self._inside[folder]

    def report_link(self, path: str) -> None:
        """Report a link that leads out; what one inside leads to is found by itself."""
        if (self._wanted(path) or os.path.isdir(path)) and not os.path.join(os.path.realpath(path), "").startswith(
            self._real_root
        ):
            self._report(path)

    def _report(self, path: str) -> None:
        self.skipped(path, f"it is a link that leads out of {self._root}")


def _is_wanted(path: str) -> bool:
    return path.lower().endswith(".ipynb") or os.path.basename(path) == COLLABORATION_DB


def find_all_files(folder: str) -> Iterator[str]:
    """Every file in ``folder`` and below it, even hidden or ignored ones: a leaked key may be anywhere.

    Skips the internal folders of tools, and symbolic links.
    """
    return _walk(folder, _is_not_tool_folder, _ignore_unreadable)


def _list_git_files(folder: str, unread: OnUnreadable) -> list[str] | None:
    """Tracked and untracked files, relative to ``folder``; None outside a repository, and where git ignores it."""
    from subprocess import TimeoutExpired

    from mistral_nb.git.run_git import Git, GitFailed

    git = Git.at_path(folder)
    try:
        asked = git.run("ls-files", "-co", "--exclude-standard", "-z", "--", ".", seconds=_GIT_SECONDS)
        if asked.returncode or (
            not asked.stdout and git.run("check-ignore", "-q", ".", seconds=_GIT_SECONDS).returncode == 0
        ):
            return None
    except TimeoutExpired:  # a .gitignore that is a pipe, or what the configuration names
        unread(folder, f"git gave no answer within {_GIT_SECONDS:g} seconds, so what it ignores was searched too")
        return None
    except (GitFailed, OSError):  # git is not installed, or the folder can't be entered
        return None
    for line in asked.stderr.decode(errors="replace").splitlines():  # of folders that it could not open
        unread(folder, f"git says: {line}")
    return list(dict.fromkeys(os.fsdecode(name) for name in asked.stdout.split(b"\0") if name))


def _filter_existing(
    folder: str, names: list[str], every: bool, unread: OnUnreadable, links: LinkCheck
) -> Iterator[str]:
    for name in names:
        path = os.path.join(folder, name)
        if not links.is_inside(path):
            continue
        if os.path.islink(path):
            links.report_link(path)
        elif os.path.isdir(path):  # a submodule, or a repository of its own
            if not os.path.samefile(path, folder):
                yield from find_files(path, every=every, unread=unread, skipped=links.skipped)
        elif _is_file(path, unread):
            yield path


def _walk(
    folder: str, enters: Callable[[str, str], bool], unread: OnUnreadable, links: LinkCheck | None = None
) -> Iterator[str]:
    def not_entered(error: OSError) -> None:
        unread(str(error.filename), reason(error))

    for root, folders, names in os.walk(folder, onerror=not_entered):
        folders[:] = sorted(name for name in folders if enters(root, name))
        for name in sorted((*folders, *names)):
            if links and os.path.islink(path := os.path.join(root, name)):
                links.report_link(path)
        yield from (path for name in sorted(names) if _is_file(path := os.path.join(root, name), unread))


def _is_searched(root: str, name: str) -> bool:
    return _is_not_tool_folder(root, name) and (not name.startswith(".") or name == _CHECKPOINTS)


def _is_not_tool_folder(root: str, name: str) -> bool:
    if name in _SKIPPED_FOLDERS | _TOOL_FOLDERS:
        return False
    return not os.path.exists(os.path.join(root, name, "pyvenv.cfg"))


def _is_file(path: str, unread: OnUnreadable) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except PermissionError as error:
        unread(path, reason(error))
    except OSError:  # gone
        pass
    return False
