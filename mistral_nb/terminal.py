"""Text on its way to a terminal, which obeys the codes in it and may lack a character of it."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs 10 ms, and hooks call us once a file
if TYPE_CHECKING:
    from typing import TextIO

_CONTROLS = {code: "�" for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


def harmless(text: str) -> str:
    """The text without codes that a terminal obeys: the name of a file may hold some."""
    return text.translate(_CONTROLS)


def write(stream: TextIO, text: str) -> None:
    """Print a line, also where the terminal's encoding lacks a tick or an ellipsis."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(harmless(text).encode(encoding, "replace").decode(encoding), file=stream, flush=True)
