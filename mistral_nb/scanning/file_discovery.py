"""The files below a folder, and what below it is passed over. Nothing that lies there is run or followed."""

import os
import stat
from collections.abc import Callable, Iterator

from mistral_nb.bounded_read import read_beginning
from mistral_nb.errors import reason
from mistral_nb.file_scrub.file_types import can_be_binary
from mistral_nb.redaction.binary_data import LOOKED_AT, is_binary

# Why a path is passed over, in the singular.
BINARY, LARGE, LINK, SPECIAL = "binary file", "large file", "link", "pipe, socket or device"
ENVIRONMENT, PACKAGES, CACHE = "virtual environment", "node_modules folder", "cache folder"
VERSION_CONTROL, OTHER_DISK = "version control folder", "folder of another file system"
PLURALS = {SPECIAL: "pipes, sockets or devices", OTHER_DISK: "folders of other file systems"}  # the others take an s

_REASONS = {
    **dict.fromkeys((".git", ".hg", ".svn", ".bzr", ".jj", "_darcs", "CVS"), VERSION_CONTROL),
    **dict.fromkeys(("venv", ".venv", "site-packages"), ENVIRONMENT),
    **dict.fromkeys(("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".cache"), CACHE),
    "node_modules": PACKAGES,
}
_JUNCTION_TAG = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0)  # Windows; `DirEntry.is_junction` is Python 3.12's
_ENVIRONMENT_MARKS = frozenset({"pyvenv.cfg", "conda-meta"})
OnPath = Callable[[str, str], None]  # a path, and why it is not looked into
COLLABORATION_DB = (
    ".jupyter_ystore.db"  # jupyter-collaboration's: everything ever typed into its notebooks, in plain text
)


def find_files(folder: str, *, unread: OnPath, passed_over: OnPath) -> Iterator[str]:
    """Every file in ``folder`` and below it, hidden and git-ignored ones too; their paths begin with ``folder``.

    ``passed_over`` is called for what is not looked into by rule, ``unread`` for what can't be read.
    """
    top = "" if folder == os.curdir else folder
    device = None
    waiting = [top]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place or os.curdir) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
            device = device if device is not None else os.stat(place or os.curdir).st_dev
        except OSError as error:
            unread(place or os.curdir, reason(error))
            continue
        if place != top and any(entry.name in _ENVIRONMENT_MARKS for entry in entries):
            passed_over(place, ENVIRONMENT)
            continue
        below = []
        for entry in entries:
            path = os.path.join(place, entry.name)
            try:
                kind, why = _sort_entry(entry, device)
            except OSError as error:  # gone, or it can't be asked about
                unread(path, reason(error))
                continue
            if why:
                passed_over(path, why)
            elif kind == stat.S_IFDIR:
                below.append(path)
            else:
                yield path
        waiting += reversed(below)


def _sort_entry(entry: "os.DirEntry[str]", device: int) -> tuple[int, str]:
    """Whether it is a folder or a file, and why it is passed over, if it is."""
    if entry.is_symlink() or _is_junction(entry):
        return stat.S_IFLNK, LINK
    if entry.is_dir(follow_symlinks=False):
        other = os.lstat(entry.path).st_dev != device
        return stat.S_IFDIR, _REASONS.get(entry.name, OTHER_DISK if other else "")
    return stat.S_IFREG, "" if entry.is_file(follow_symlinks=False) else SPECIAL


def _is_junction(entry: "os.DirEntry[str]") -> bool:
    """Whether it is Windows' link to a folder."""
    if not _JUNCTION_TAG:
        return False
    return getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0) == _JUNCTION_TAG


def is_notebook(path: str) -> bool:
    """Whether it is one, or the history of some."""
    return path.lower().endswith(".ipynb") or os.path.basename(path) == COLLABORATION_DB


def is_binary_file(path: str) -> bool:
    """Whether its content says so, where its name says nothing; False if it can't be read."""
    if not can_be_binary(path) or is_notebook(path):
        return False
    try:
        head = read_beginning(path, LOOKED_AT)
    except OSError:
        return False
    is_cut = len(head) == LOOKED_AT  # perhaps between two that UTF-16 needs together
    return is_binary(head) and not (is_cut and not is_binary(head[:-2]))
