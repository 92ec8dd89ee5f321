"""Attribute files, edited a line at a time; and which filter git applies, asked from git itself."""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mistral_nb.bounded_read import MAX_OWN_FILE, read_file
from mistral_nb.file_io import write_atomically
from mistral_nb.git.run_git import Git, GitFailed, split_nul
from mistral_nb.paths import without_git_variables

UNSPECIFIED = "unspecified"  # what git says of a path without the attribute
_PROBE = "any name.ipynb"  # need not exist: attributes go by names


class AttributesChange(NamedTuple):
    """What adding a line changed, so that it can be undone byte for byte."""

    changed: bool = False
    created: bool = False  # there was no file
    newline: bool = False  # its last line had no end


def add_line(path: str, line: str) -> AttributesChange:
    """Put ``line`` at the end of an attributes file, unless it is in it. Other bytes stay. Raises OSError."""
    path = os.path.realpath(path)
    before = _read_if_present(path)
    if before is not None and line.encode() in _lines(before):
        return AttributesChange()
    ending = b"\r\n" if before and b"\r\n" in before else b"\n"
    newline = bool(before) and not (before or b"").endswith(b"\n")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    data = (before or b"") + (ending if newline else b"") + line.encode() + ending
    write_atomically(path, data, _file_mode(path))
    return AttributesChange(True, before is None, newline)


def remove_line(path: str, line: str, added: AttributesChange) -> bool:
    """Remove what `add_line` added; returns whether it was still there. Raises OSError."""
    path = os.path.realpath(path)
    before = _read_if_present(path)
    if before is None or line.encode() not in _lines(before):
        return False
    parts = before.splitlines(keepends=True)
    last = max(number for number, part in enumerate(parts) if part.strip() == line.encode())
    del parts[last]
    if added.newline and parts and last == len(parts):
        parts[-1] = parts[-1].rstrip(b"\r\n")
    if added.created and not parts:
        os.unlink(path)
    else:
        write_atomically(path, b"".join(parts), _file_mode(path))
    return True


def find_filters(git: Git, paths: Sequence[str]) -> dict[str, list[str]]:
    """Which filter each path has, according to git: filter's name → paths, relative to ``git.folder``.

    The filter of a future notebook is among the names, with its paths or with none.
    Raises `GitFailed`.
    """
    found: dict[str, list[str]] = {}
    given = b"".join(os.fsencode(path) + b"\0" for path in (_PROBE, *paths))
    answer = git.output("check-attr", "-z", "--stdin", "filter", given=given).split(b"\0")[:-1]
    for path, value in zip(map(os.fsdecode, answer[::3]), map(os.fsdecode, answer[2::3]), strict=True):
        found.setdefault(value or UNSPECIFIED, []).extend([path] if path != _PROBE else [])
    return found


def find_global_filters(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """As `find_filters`, from the user's and the system's files only."""
    with tempfile.TemporaryDirectory() as folder:
        config = {name: value for name, value in environ.items() if name.startswith("GIT_CONFIG")}
        git = Git(folder, without_git_variables(environ) | config)
        git.output("init", "-q", "--template=", ".")
        return find_filters(git, ())


def list_notebooks(git: Git) -> list[str]:
    """The notebooks of a working tree, tracked or not, seen from its top. Raises `GitFailed`."""
    words = ("ls-files", "-z", "-co", "--exclude-standard", "--full-name", "--", ":(top)*.ipynb")
    return list(dict.fromkeys(split_nul(git.output(*words))))


def global_attributes_file(git: Git) -> str:
    """The attributes file of the person, for all repositories."""
    chosen = git.run("config", "--global", "--includes", "--type=path", "--get", "core.attributesFile")
    path = os.fsdecode(bytes(chosen.stdout)).rstrip("\n")
    home = git.environ.get("HOME") or os.path.expanduser("~")
    config = git.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    if not path and not os.path.isabs(config):  # it would be a folder named ~ of the working one
        raise GitFailed("This user has no home folder, so there is no file for all repositories.", "Set HOME.")
    return path or os.path.join(config, "git", "attributes")


def _lines(data: bytes) -> list[bytes]:
    return [line.strip() for line in data.splitlines()]


def _read_if_present(path: str) -> bytes | None:
    with contextlib.suppress(FileNotFoundError):
        return read_file(path, MAX_OWN_FILE)
    return None


def _file_mode(path: str) -> int:
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
