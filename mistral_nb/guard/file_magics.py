"""Magics that write files: the marker is written, or a note says at once that a key was."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from mistral_nb.file_io import file_stamp, write_atomically
from mistral_nb.guard.ipython_patches import MagicPatches
from mistral_nb.guard.text_matcher import MatcherSource, TextMatcher
from mistral_nb.wording import split_words

_REWRITTEN_MAGICS = ("notebook", "history", "save")  # of these the marker loses nothing
_REPORTED_MAGICS = ("writefile", "store", "logstart")  # the person's own content, or a file still open
_TO_FILE = re.compile(r"-[noptuy]*f(?P<file>.*)")  # %history's, which may stand behind others: -nf
_REDIRECTED = re.compile(r">\s*([^\s>]+)")


class FileMagicGuard:
    """Checks what each call of such a magic wrote, whether by its name, an alias or in code."""

    def __init__(self, shell: Any, get_matcher: MatcherSource) -> None:
        self._shell, self._get_matcher = shell, get_matcher
        self.remove = MagicPatches(shell, (*_REWRITTEN_MAGICS, *_REPORTED_MAGICS), self._wrap_magic).remove

    def _wrap_magic(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def magic(line: str = "", *cell: str, **more: Any) -> Any:
            before = {path: file_stamp(path) for path in self._written_paths(name, line)}
            try:
                return original(line, *cell, **more)
            finally:
                for path in [path for path, stamp in before.items() if file_stamp(path) != stamp]:
                    self._check_file(path, name)

        return magic

    def _check_file(self, path: str, name: str) -> None:
        try:
            found = _clean_file(path, self._get_matcher(), rewrite=name in _REWRITTEN_MAGICS)
        except Exception:  # noqa: BLE001, whatever it is, the magic did its work
            _warn(f"{path} could not be searched for keys (%{name} wrote it).")
            return
        if found and name not in _REWRITTEN_MAGICS:
            _warn(f"{path} now contains a key in plain text (%{name} wrote it). Do not share or commit that file.")

    def _written_paths(self, name: str, line: str) -> Iterator[str]:
        """The files that a call of a magic may write."""
        words = [os.path.expanduser(word) for word in _split_words(line)]
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


def wrap_dump_cell(
    original: Callable[..., Any], notice: Callable[[str], Any], get_matcher: MatcherSource
) -> Callable[..., Any]:
    """For a debugger's way to put a cell's source into a file: its name is that of the true text, its lines are too."""

    async def dump_cell(message: dict[str, Any]) -> Any:
        reply = await original(message)
        try:
            notice(message["arguments"]["code"])
            _clean_file(reply["body"]["sourcePath"], get_matcher(), rewrite=True)
        except Exception:  # noqa: BLE001, whatever it is, the cell can be debugged
            _warn("What the debugger wrote of this cell could not be searched for keys.")
        return reply

    return dump_cell


def _clean_file(path: str, matcher: TextMatcher, rewrite: bool) -> bool:
    """Whether a file holds a secret, as JSON or as a plain text has it; with ``rewrite`` it did."""
    with open(path, "rb") as file:
        data = file.read()
    text = matcher.redact_packed(data).decode("utf-8", "surrogateescape")
    clean = matcher.redact(text).encode("utf-8", "surrogateescape")
    if clean != data and rewrite:
        write_atomically(path, clean, mode=os.stat(path).st_mode & 0o777)
    return clean != data


def _warn(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201, said in the cell that wrote it


def _split_words(line: str) -> list[str]:
    try:
        return split_words(line)
    except ValueError:
        return line.split()
