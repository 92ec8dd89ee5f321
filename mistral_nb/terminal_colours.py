"""Colours for a terminal: signs of a report and headings. A colour is never used alone."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

_GREEN, _YELLOW, _RED, _BOLD, _DIM = (f"\x1b[{code}m" for code in ("32", "33", "31", "1", "2"))
_PLAIN = "\x1b[0m"
_SIGNS = {"✓": _GREEN, "!": _YELLOW, "✗": _RED}


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether it is a terminal that shows colours, and nobody turned them off: https://no-color.org."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    return os.name != "nt" or bool(environ.get("WT_SESSION"))


def colour(text: str) -> str:
    """The lines of a report, as `report.as_text` lays them out, in colours. They are safe to print already."""
    return "\n".join(map(_colour_line, text.split("\n")))


def _colour_line(line: str) -> str:
    start = 0 if line[1:2] == " " and line[:1] in _SIGNS else 2
    sign = line[start : start + 1]
    if sign in _SIGNS and line[start + 1 : start + 2] == " " and not line[:start].strip():
        return f"{line[:start]}{_SIGNS[sign]}{sign}{_PLAIN}{line[start + 1 :]}"
    if line.endswith(":") and not line.startswith(" "):
        return f"{_BOLD}{line}{_PLAIN}"
    if line.lstrip().startswith("→ "):
        return f"{_DIM}{line}{_PLAIN}"
    return line
