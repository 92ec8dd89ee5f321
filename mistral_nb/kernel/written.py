"""Magics that write files: the marker goes there, or the person is told at once that a key did."""

import contextlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from mistral_nb.files import write_atomically
from mistral_nb.kernel.needles import Needles

_REWRITTEN = ("notebook", "history", "hist", "save")  # of these the marker loses nothing
_AS_THEY_ARE = ("writefile", "file", "store", "logstart")  # the person's own content, or a file still open
_CALL = re.compile(rf"^\s*%{{1,2}}({'|'.join((*_REWRITTEN, *_AS_THEY_ARE))})\b(.*)$", re.MULTILINE)

Looking = Callable[[], Needles]
Stamp = tuple[int, int] | None


class Written:
    """Looks at what a cell's magics wrote, once the cell has run."""

    def __init__(self, shell: Any, needles: Looking) -> None:
        self._shell, self._needles = shell, needles
        self._before: dict[str, tuple[str, Stamp]] = {}
        shell.events.register("pre_run_cell", self._note)
        shell.events.register("post_run_cell", self._check)

    def remove(self) -> None:
        self._shell.events.unregister("pre_run_cell", self._note)
        self._shell.events.unregister("post_run_cell", self._check)

    def _note(self, info: Any) -> None:
        code = info.raw_cell or ""
        self._before = {}
        for name, words in _CALL.findall(code) if "%" in code else ():
            for path in self._paths(name, words):
                self._before[path] = name, _stamp(path)

    def _check(self, _: Any) -> None:
        written = [(path, name) for path, (name, stamp) in self._before.items() if _stamp(path) != stamp]
        self._before = {}
        for path, name in written:
            with contextlib.suppress(OSError):
                _look_into(path, name, self._needles())

    def _paths(self, name: str, line: str) -> Iterator[str]:
        """The files that a call of a magic may write."""
        words = [os.path.expanduser(self._shell.var_expand(word)) for word in _split(line)]
        plain = [word for word in words if not word.startswith("-")]
        if name in ("history", "hist"):
            plain = [after for word, after in pairwise(words) if word in ("-f", "--file")]
        if name == "store":
            root = getattr(getattr(self._shell, "db", None), "root", None)
            yield from (os.path.join(str(root), "autorestore", word) for word in plain if root)
        if name == "save":
            yield from (f"{word}.py" for word in plain)
        if name == "logstart":
            yield from plain[:1] or ["ipython_log.py"]
        else:
            yield from plain


def _look_into(path: str, name: str, needles: Needles) -> None:
    with open(path, "rb") as file:
        data = file.read()
    clean = needles.redact_packed(data)
    if clean is data:
        return
    if name in _REWRITTEN:
        write_atomically(path, clean, mode=os.stat(path).st_mode & 0o777)
        return
    sentence = f"{path} now holds a key in clear (%{name} wrote it). Do not share or commit that file."
    print(sentence, file=sys.stderr)  # noqa: T201, said in the cell that wrote it


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size
