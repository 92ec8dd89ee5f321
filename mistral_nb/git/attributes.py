"""Attribute files, edited a line at a time; and what git makes of them, which is asked of git alone."""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mistral_nb.files import write_atomically
from mistral_nb.git.plumbing import Git, split

NONE = "unspecified"  # what git says of a path without the attribute
_PROBE = "any name.ipynb"  # need not exist: attributes go by names


class Added(NamedTuple):
    """What adding a line changed, so that it can be taken back byte for byte."""

    changed: bool = False
    created: bool = False  # there was no file
    newline: bool = False  # its last line had no end


def add_line(path: str, line: str) -> Added:
    """Put ``line`` at the end of an attributes file, unless it is in it. Other bytes stay. Raises OSError."""
    path = os.path.realpath(path)
    before = _read(path)
    if before is not None and line.encode() in _lines(before):
        return Added()
    ending = b"\r\n" if before and b"\r\n" in before else b"\n"
    newline = bool(before) and not (before or b"").endswith(b"\n")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    data = (before or b"") + (ending if newline else b"") + line.encode() + ending
    write_atomically(path, data, _mode(path))
    return Added(True, before is None, newline)


def remove_line(path: str, line: str, added: Added) -> bool:
    """Take out what `add_line` put in; whether it was still there. Raises OSError."""
    path = os.path.realpath(path)
    before = _read(path)
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
        write_atomically(path, b"".join(parts), _mode(path))
    return True


def filters(git: Git, paths: Sequence[str]) -> dict[str, list[str]]:
    """Which filter each path has, by git's own word: filter's name → paths, seen from ``git.folder``.

    The filter of a notebook that is yet to come is among the names, with its paths or with none.
    Raises `GitFailed`.
    """
    found: dict[str, list[str]] = {}
    given = b"".join(os.fsencode(path) + b"\0" for path in (_PROBE, *paths))
    answer = git.output("check-attr", "-z", "--stdin", "filter", given=given).split(b"\0")[:-1]
    for path, value in zip(map(os.fsdecode, answer[::3]), map(os.fsdecode, answer[2::3]), strict=True):
        found.setdefault(value or NONE, []).extend([path] if path != _PROBE else [])
    return found


def filters_everywhere(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """As `filters`, for a repository that says nothing itself: the person's and the system's files."""
    with tempfile.TemporaryDirectory() as folder:
        own = {n: v for n, v in environ.items() if not n.startswith("GIT_") or n.startswith("GIT_CONFIG")}
        git = Git(folder, own)
        git.output("init", "-q", "--template=", ".")
        return filters(git, ())


def notebooks(git: Git) -> list[str]:
    """The notebooks of a working tree, tracked or not, seen from its top. Raises `GitFailed`."""
    words = ("ls-files", "-z", "-co", "--exclude-standard", "--full-name", "--", ":(top)*.ipynb")
    return list(dict.fromkeys(split(git.output(*words))))


def global_file(git: Git) -> str:
    """The attributes file of the person, for all repositories."""
    chosen = git.run("config", "--global", "--includes", "--type=path", "--get", "core.attributesFile")
    path = os.fsdecode(bytes(chosen.stdout)).rstrip("\n")
    home = git.environ.get("HOME") or os.path.expanduser("~")
    config = git.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return path or os.path.join(config, "git", "attributes")


def _lines(data: bytes) -> list[bytes]:
    return [line.strip() for line in data.splitlines()]


def _read(path: str) -> bytes | None:
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        return file.read()
    return None


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
