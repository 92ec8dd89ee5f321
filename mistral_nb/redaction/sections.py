"""Scopes without brackets: a mapping of YAML, told by its indent, and a section of TOML or INI."""

import re
from typing import NamedTuple

_MAPPING_LINE = re.compile(r"[ ]*(?:- +)*[\"']?[A-Za-z_][\w.-]{0,80}[\"']?[ \t]*:(?=\s|$)")
_KEY = re.compile(r"[ ]*(?:- +)*[\"']?(?P<name>[A-Za-z_][\w.-]{0,80})[\"']?[ \t]*:[ \t]*$")
_ASSIGNMENT_LINE = re.compile(r"[ \t]*[\w.-]{1,80}[ \t]*[=:]")
_HEADER = re.compile(r"^[ \t]*\[{1,2}(?P<name>[^\[\]\n]{1,80})\]{1,2}[ \t]*(?:[#;].*)?$", re.MULTILINE)
_LEVELS = 3  # mappings around mappings
_LINES = 60  # looked at in each direction


class Section(NamedTuple):
    """A stretch of the text, and the name that stands above it ("": none). ``is_outermost``: it is not indented."""

    start: int
    end: int
    name: str
    is_outermost: bool = False


def sections_around(text: str, position: int) -> list[Section]:
    """The mappings and sections that the line at ``position`` belongs to, from the innermost."""
    start = text.rfind("\n", 0, position) + 1
    found = _mappings_around(text, start) if _MAPPING_LINE.match(text, start) else []
    if not found and _ASSIGNMENT_LINE.match(text, start):
        found = _section_around(text, start)
    return found


def _section_around(text: str, position: int) -> list[Section]:
    before = after = None
    for header in _HEADER.finditer(text):
        if header.start() > position:
            after = header
            break
        before = header
    return [Section(before.start(), after.start() if after else len(text), before["name"])] if before else []


def _mappings_around(text: str, start: int) -> list[Section]:
    found: list[Section] = []
    while len(found) < _LEVELS:
        section, parent = _mapping_around(text, start)
        found.append(section)
        if parent < 0:
            break
        start = parent
    return found


def _mapping_around(text: str, start: int) -> tuple[Section, int]:
    """The mapping of the line that starts there; and the start of the line it is the value of (-1: none)."""
    low, parent = start, -1
    first, column = _columns(text, start)
    for _ in range(_LINES):
        if first < column or low == 0:  # "- name: …" begins an item
            break
        above = text.rfind("\n", 0, low - 1) + 1
        above_first, above_column = _columns(text, above)
        if above_first < 0 or above_column >= column:
            low, first = above, column if above_first < 0 else min(above_first, column)
            continue
        parent = above
        break
    if first < column:
        parent = _line_above(text, low, first)
    name = _KEY.match(text, parent, _end_of_line(text, parent)) if parent >= 0 else None
    return Section(low, _end_of_mapping(text, start, column), name["name"] if name else "", column == 0), parent


def _line_above(text: str, start: int, column: int) -> int:
    """The nearest line above that is the key of a list whose dashes stand in this column; -1 if there is none."""
    for _ in range(_LINES):
        if start == 0:
            return -1
        start = text.rfind("\n", 0, start - 1) + 1
        first, key = _columns(text, start)
        if 0 <= first <= column and first == key:
            return start
    return -1


def _end_of_mapping(text: str, start: int, column: int) -> int:
    end = _end_of_line(text, start)
    for _ in range(_LINES):
        if end >= len(text):
            break
        first, _ = _columns(text, end + 1)
        if 0 <= first < column:
            break
        end = _end_of_line(text, end + 1)
    return end


def _columns(text: str, start: int) -> tuple[int, int]:
    """The columns of a line's first sign and of its first one after dashes; -1 for a blank line."""
    first = start
    while text[first : first + 1] in (" ", "\t"):
        first += 1
    key = first
    while text.startswith("- ", key):
        key += 2
        while text[key : key + 1] == " ":
            key += 1
    if text[key : key + 1] in ("", "\r", "\n"):
        return -1, -1
    return first - start, key - start


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
