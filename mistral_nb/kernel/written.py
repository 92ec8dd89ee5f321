"""Magics that write files: the marker goes there, or the person is told at once that a key did."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from typing import Any

from mistral_nb.files import write_atomically
from mistral_nb.kernel.needles import Needles
from mistral_nb.kernel.patches import MagicPatches

_REWRITTEN = ("notebook", "history", "save")  # of these the marker loses nothing
_AS_THEY_ARE = ("writefile", "store", "logstart")  # the person's own content, or a file still open
_TO_FILE = re.compile(r"-[noptuy]*f(?P<file>.*)")  # %history's, which may stand behind others: -nf
_REDIRECTED = re.compile(r">\s*([^\s>]+)")

Looking = Callable[[], Needles]
Stamp = tuple[int, int] | None


class Written:
    """Looks at what each call of such a magic wrote, whether by its name, an alias or in code."""

    def __init__(self, shell: Any, needles: Looking) -> None:
        self._shell, self._needles = shell, needles
        self.remove = MagicPatches(shell, (*_REWRITTEN, *_AS_THEY_ARE), self._looking).remove

    def _looking(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def magic(line: str = "", *cell: str, **more: Any) -> Any:
            before = {path: _stamp(path) for path in self._paths(name, line)}
            try:
                return original(line, *cell, **more)
            finally:
                for path in [path for path, stamp in before.items() if _stamp(path) != stamp]:
                    self._look_into(path, name)

        return magic

    def _look_into(self, path: str, name: str) -> None:
        try:
            found = _cleaned(path, self._needles(), rewrite=name in _REWRITTEN)
        except Exception:  # noqa: BLE001, whatever it is, the magic did its work
            _say(f"{path} could not be looked through for keys (%{name} wrote it).")
            return
        if found and name not in _REWRITTEN:
            _say(f"{path} now holds a key in clear (%{name} wrote it). Do not share or commit that file.")

    def _paths(self, name: str, line: str) -> Iterator[str]:
        """The files that a call of a magic may write."""
        words = [os.path.expanduser(word) for word in _split(line)]
        plain = [word for word in words if not word.startswith("-")]
        if name == "history":
            flags = map(_TO_FILE.fullmatch, words)
            yield from (flag["file"] or after for flag, after in zip(flags, [*words[1:], ""], strict=True) if flag)
        elif name == "store":
            root = getattr(getattr(self._shell, "db", None), "root", None)
            yield from (os.path.join(str(root), "autorestore", word) for word in plain if root)
            yield from (os.path.expanduser(file) for file in _REDIRECTED.findall(line))
        elif name == "logstart":
            yield from plain[:1] or ["ipython_log.py"]
        else:
            yield from plain
            yield from (f"{word}.{ending}" for word in plain for ending in ("py", "ipy") if name == "save")


def dumping(original: Callable[..., Any], notice: Callable[[str], Any], needles: Looking) -> Callable[..., Any]:
    """For a debugger's way to put a cell's source into a file: its name is that of the true text, its lines are too."""

    async def dump_cell(message: dict[str, Any]) -> Any:
        reply = await original(message)
        try:
            notice(message["arguments"]["code"])
            _cleaned(reply["body"]["sourcePath"], needles(), rewrite=True)
        except Exception:  # noqa: BLE001, whatever it is, the cell can be debugged
            _say("What the debugger wrote of this cell could not be looked through for keys.")
        return reply

    return dump_cell


def _cleaned(path: str, needles: Needles, rewrite: bool) -> bool:
    """Whether a file holds a secret, as JSON or as a plain text has it; with ``rewrite`` it did."""
    with open(path, "rb") as file:
        data = file.read()
    text = needles.redact_packed(data).decode("utf-8", "surrogateescape")
    clean = needles.redact(text).encode("utf-8", "surrogateescape")
    if clean != data and rewrite:
        write_atomically(path, clean, mode=os.stat(path).st_mode & 0o777)
    return clean != data


def _say(sentence: str) -> None:
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
