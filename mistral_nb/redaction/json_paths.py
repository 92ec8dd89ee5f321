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
_LONGEST_ID = 64  # characters, by nbformat


def find_paths(data: bytes, offsets: Sequence[int], cell_ids: dict[int, bytes] | None = None) -> list[str]:
    """The path of each offset, which are in rising order; "" for one outside every value.

    ``cell_ids`` is filled with the ids of the cells up to the last offset's, by the cell's index.
    """
    ids: dict[int, bytes] = {} if cell_ids is None else cell_ids
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
        _enter(data, token, stack, ids)
        while offset is not None and offset < position:
            found.append(_drawn(stack))
            offset = next(waiting, None)
    if cell_ids is not None:
        _find_id_behind(data, position, stack, ids)
    return found + [""] * (len(offsets) - len(found))


def readable_id(cell_id: bytes | None) -> str | None:
    """A cell's id; None without one, or for one that could be a part of a key."""
    if not cell_id or len(cell_id) > _LONGEST_ID or _TELLING.search(cell_id) or b"\\" in cell_id:
        return None
    return cell_id.decode("utf-8", "replace")


def cell_number(path: str) -> int | None:
    """The 1-based number of the cell that a path lies in."""
    match = _CELL.search(path)
    return int(match[1]) + 1 if match else None


def find_positions(data: bytes, offsets: Sequence[int]) -> list[tuple[int, int]]:
    """The line and the column of each offset, from 1, as editors count them; the offsets are in rising order."""
    found, line, column, done = [], 1, 1, 0
    for offset in offsets:
        line += data.count(b"\n", done, offset)
        start = data.rfind(b"\n", done, offset) + 1
        column = (1 if start else column) + len(data[start or done : offset].decode("utf-8", "replace"))
        done = offset
        found.append((line, column))
    return found


def _find_id_behind(data: bytes, position: int, stack: list[bytes | int], ids: dict[int, bytes]) -> None:
    """Read on to the end of the cell, whose id may stand behind what was looked for."""
    in_cell = stack[:2]
    if len(in_cell) < 2 or in_cell[0] != b"cells" or not isinstance(in_cell[1], int):
        return
    while in_cell[1] not in ids and stack[:2] == in_cell:
        pattern = _ITEMS if isinstance(stack[-1], int) else _TOKEN
        token = pattern.search(data, position)
        if token is None:
            return
        position = token.end()
        _enter(data, token, stack, ids)


def _enter(data: bytes, token: re.Match[bytes], stack: list[bytes | int], ids: dict[int, bytes]) -> None:
    start, end = token.span()
    kind = data[start]
    if kind == _QUOTE:
        if stack and isinstance(stack[-1], int):
            if data[end : end + 1] != b"]":  # strings and others: rare
                stack[-1] += len(_ONE_STRING.findall(data, start, end))
        elif stack and _is_name(data, end):
            stack[-1] = data[start + 1 : end - 1]
        elif len(stack) == 3 and stack[2] == b"id" and stack[0] == b"cells" and isinstance(stack[1], int):
            ids[stack[1]] = data[start + 1 : end - 1]
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
    steps = stack[:12]  # deeper is not readable
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
