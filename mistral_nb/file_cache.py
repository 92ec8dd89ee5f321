"""Keeps what a file was parsed to, and parses it again only when the file changed."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

_MAX_FILES = 64
_Argument = TypeVar("_Argument")
_Value = TypeVar("_Value")
_Stamp = tuple[int, ...]


class ParsedFileCache(Generic[_Value]):
    """``parse`` takes a path; its value, which callers share and must not change, is kept for each file.

    A file has changed when its times, size, inode or device differ. What ``parse`` raises is raised, and not kept.
    """

    def __init__(self, parse: Callable[[str], _Value]) -> None:
        self._parse = parse
        self._kept: dict[str, tuple[_Stamp, _Value]] = {}

    def get(self, path: str) -> _Value:
        stamp = _stamp(path)  # before the file is read: one that changes meanwhile is read again next time
        before = self._kept.get(path)
        if before and before[0] == stamp:
            return before[1]
        if stamp is None:
            self._kept.pop(path, None)
        value = self._parse(path)
        if stamp:
            if len(self._kept) >= _MAX_FILES:
                self._kept.clear()
            self._kept[path] = stamp, value
        return value


def remember_last(function: Callable[[_Argument], _Value]) -> Callable[[_Argument], _Value]:
    """The function, not called again for the very object that it was called with the last time."""
    last: list[tuple[_Argument, _Value]] = []

    def call(argument: _Argument) -> _Value:
        for before, value in last:
            if before is argument:
                return value
        value = function(argument)
        last[:] = [(argument, value)]
        return value

    return call


def _stamp(path: str) -> _Stamp | None:
    """None where there is no such file. A change of its mode alone counts too."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev
