"""Attribute files, edited a line at a time; and which filter git applies, asked from git itself."""

import codecs
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from mistral_nb.bounded_read import MAX_OWN_FILE, read_file
from mistral_nb.file_io import write_atomically
from mistral_nb.git.run_git import Git, GitFailed, split_nul
from mistral_nb.paths import without_git_variables

UNSPECIFIED = "unspecified"  # what git says of a path without the attribute
IsOurs = Callable[[bytes], bool]  # of a line
_PROBE = "any name.ipynb"  # need not exist: attributes go by names


class AttributesChange(NamedTuple):
    """What adding a line changed, so that it can be undone byte for byte."""

    changed: bool = False
    created: bool = False  # there was no file
    newline: bool = False  # its last line had no end


def add_line(path: str, line: str) -> AttributesChange:
    """Put ``line`` into an attributes file, unless it is in it. Other bytes stay. Raises OSError.

    At its end; but before all lines that say something if one names a filter, because the last one wins.
    """
    before = _read_if_present(path)
    lines = _lines(before or b"")
    if line.encode() in lines:
        return AttributesChange()
    said = [number for number, each in enumerate(lines) if each and not each.startswith((b"#", codecs.BOM_UTF8))]
    if before is None or not any(b"filter" in lines[number] for number in said):
        return _append(path, before, before or b"", [line])
    parts = before.splitlines(keepends=True)
    parts.insert(said[0], line.encode() + _line_ending(before))
    path = os.path.realpath(path)
    write_atomically(path, b"".join(parts), _file_mode(path))
    return AttributesChange(changed=True)


def remove_line(path: str, line: str, added: AttributesChange) -> bool:
    """Remove what `add_line` added; returns whether it was still there. Raises OSError."""
    lines = _lines(_read_if_present(path) or b"")
    found = [number for number, each in enumerate(lines) if each == line.encode()]
    return _remove(path, found[-1:], added)


def put_block(path: str, lines: Sequence[str], is_ours: IsOurs) -> AttributesChange:
    """Make ``lines`` the end of an attributes file, in place of those that are ours already. Raises OSError."""
    before = _read_if_present(path)
    others = [part for part in (before or b"").splitlines(keepends=True) if not is_ours(part)]
    return _append(path, before, b"".join(others), lines)


def remove_block(path: str, is_ours: IsOurs, added: AttributesChange) -> bool:
    """Remove what `put_block` put there; returns whether anything was. Raises OSError."""
    lines = _lines(_read_if_present(path) or b"")
    return _remove(path, [number for number, line in enumerate(lines) if is_ours(line)], added)


def read_lines(path: str) -> list[bytes]:
    """The lines of an attributes file, without their ends; none if there is no file. Raises OSError."""
    return _lines(_read_if_present(path) or b"")


def find_filters(git: Git, paths: Sequence[str]) -> dict[str, list[str]]:
    """Which filter each path has, according to git: filter's name → paths, relative to ``git.folder``.

    The filter of a future notebook is among the names, with its paths or with none.
    Raises `GitFailed`.
    """
    found: dict[str, list[str]] = {}
    for path, value in ask_filters(git, (_PROBE, *paths)).items():
        found.setdefault(value, []).extend([path] if path != _PROBE else [])
    return found


def ask_filters(git: Git, paths: Iterable[str]) -> dict[str, str]:
    """The filter of each path, which need not exist. Raises `GitFailed`."""
    given = b"".join(os.fsencode(path) + b"\0" for path in paths)
    answer = [
        os.fsdecode(part) for part in git.output("check-attr", "-z", "--stdin", "filter", given=given).split(b"\0")
    ]
    return {path: value or UNSPECIFIED for path, value in zip(answer[:-1:3], answer[2::3], strict=True)}


def find_global_filters(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """As `find_filters`, from the user's and the system's files only."""
    with tempfile.TemporaryDirectory() as folder:
        config = {name: value for name, value in environ.items() if name.startswith("GIT_CONFIG")}
        git = Git(folder, without_git_variables(environ) | config)
        git.output("init", "-q", "--template=", ".")
        return find_filters(git, ())


def list_notebooks(git: Git) -> list[str]:
    """The notebooks of a working tree, tracked or not, seen from its top. Raises `GitFailed`."""
    words = ("ls-files", "-z", "-co", "--exclude-standard", "--full-name", "--", ":(top,icase)*.ipynb")
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


def _append(path: str, before: bytes | None, base: bytes, lines: Sequence[str]) -> AttributesChange:
    """Write ``base``, what others have in the file, and then our lines."""
    path = os.path.realpath(path)
    ending = _line_ending(base)
    newline = bool(base) and not base.endswith(b"\n")
    data = base + (ending if newline else b"") + b"".join(os.fsencode(line) + ending for line in lines)
    if data == before:
        return AttributesChange()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_atomically(path, data, _file_mode(path))
    return AttributesChange(True, before is None, newline)


def _remove(path: str, numbers: Sequence[int], added: AttributesChange) -> bool:
    """Remove the lines with these numbers; returns whether there were any."""
    if not numbers:
        return False
    path = os.path.realpath(path)
    parts = (_read_if_present(path) or b"").splitlines(keepends=True)
    at_end = numbers[-1] == len(parts) - 1
    parts = [part for number, part in enumerate(parts) if number not in set(numbers)]
    if added.newline and parts and at_end:
        parts[-1] = parts[-1].rstrip(b"\r\n")
    if added.created and not parts:
        os.unlink(path)
    else:
        write_atomically(path, b"".join(parts), _file_mode(path))
    return True


def _line_ending(data: bytes) -> bytes:
    return b"\r\n" if b"\r\n" in data else b"\n"


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
