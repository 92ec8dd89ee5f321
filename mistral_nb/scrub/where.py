"""Where in a JSON document an offset lies: ``cells[3].outputs[0].text``. Works on broken JSON too."""

import re
from collections.abc import Sequence

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_STRING + rb"|[{}\[\],]", re.DOTALL)
_ITEMS = re.compile(rb"(?:" + _STRING + rb"\s*+,?\s*+)++|[{}\[\],]", re.DOTALL)  # in an array: many at once
_ONE_STRING = re.compile(_STRING, re.DOTALL)
_QUOTE, _COMMA, _COLON, _SPACE = b'",: '
_OPENING = b"{["
_COLON_AHEAD = re.compile(rb"\s*+:").match
_CELL = re.compile(r"\bcells\[(\d+)\]")
_TELLING = re.compile(rb"[A-Za-z0-9]{15,}")  # a name that long may hold part of a key itself
_LONGEST_NAME = 60


def paths(data: bytes, offsets: Sequence[int]) -> list[str]:
    """The path of each offset, which are in rising order; "" for one outside every value."""
    found: list[str] = []
    stack: list[bytes | int] = []  # a name or an index for each open object or array
    waiting = iter(offsets)
    offset = next(waiting, None)
    position = 0
    while offset is not None:
        pattern = _ITEMS if stack and isinstance(stack[-1], int) else _TOKEN
        token = pattern.search(data, position)
        if token is None:
            break
        position = token.end()
        _enter(data, token, stack)
        while offset is not None and offset < position:
            found.append(_drawn(stack))
            offset = next(waiting, None)
    return found + [""] * (len(offsets) - len(found))


def cell_of(path: str) -> int | None:
    """The 1-based number of the cell that a path lies in."""
    match = _CELL.search(path)
    return int(match[1]) + 1 if match else None


def lines(data: bytes, offsets: Sequence[int]) -> list[int]:
    """The 1-based line of each offset, which are in rising order."""
    found, line, done = [], 1, 0
    for offset in offsets:
        line += data.count(b"\n", done, offset)
        done = offset
        found.append(line)
    return found


def _enter(data: bytes, token: re.Match[bytes], stack: list[bytes | int]) -> None:
    start, end = token.span()
    kind = data[start]
    if kind == _QUOTE:
        if stack and isinstance(stack[-1], int):
            if data[end : end + 1] != b"]":  # strings and others: rare
                stack[-1] += len(_ONE_STRING.findall(data, start, end))
        elif stack and _is_name(data, end):
            stack[-1] = data[start + 1 : end - 1]
    elif kind == _COMMA:
        if stack and isinstance(stack[-1], int):
            stack[-1] += 1
    elif kind in _OPENING:
        stack.append(0 if kind == _OPENING[1] else b"")
    elif stack:
        stack.pop()


def _is_name(data: bytes, end: int) -> bool:
    return data[end] == _COLON if end < len(data) and data[end] > _SPACE else _COLON_AHEAD(data, end) is not None


def _drawn(stack: list[bytes | int]) -> str:
    steps = stack[:12]  # nobody reads further down
    if len(steps) > 1 and isinstance(steps[-1], int) and steps[-2] not in (b"cells", b"outputs", b"worksheets"):
        steps = steps[:-1]  # the items of a multi-line string are one text
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step:
            text += ("." if text else "") + _name(step)
    return text


def _name(name: bytes) -> str:
    if len(name) > _LONGEST_NAME or _TELLING.search(name) or b"\\" in name:
        return "…"
    return name.decode("utf-8", "replace")
