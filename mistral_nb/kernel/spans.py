"""Stretches of a text: found, joined, replaced."""

import re
from collections.abc import Callable, Iterable, Iterator

from mistral_nb.key import MARKER

STRETCH = 29_000  # CPython searches stretches under 30,000 bytes with its faster algorithm
_NO_ZERO = re.compile("[^\0]")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,4}|.)?\Z", re.DOTALL)

Span = tuple[int, int]


def end_of_escape(text: str, start: int) -> int:
    r"""Where the JSON escape that ``start`` stands in ends: the n of ``\n`` is no letter of a key.

    Also after a backslash that is itself escaped: the text may be JSON inside JSON.
    """
    back = text.rfind("\\", max(0, start - 5), start)
    if back < 0 or not _ESCAPE.match(text[back:start]):
        return start
    return back + 6 if text[back + 1 : back + 2] == "u" else max(start, back + 2)


def agreement(one: str, other: str) -> int:
    """How many characters two strings have in common at their start."""
    for count, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return count
    return min(len(one), len(other))


def holds(data: bytes, sought: bytes) -> bool:
    if len(data) < STRETCH:
        return sought in data
    step = STRETCH - len(sought)
    return any(data.find(sought, start, start + STRETCH) >= 0 for start in range(0, len(data), step))


def find(text: str, sought: str, start: int) -> int:
    step = STRETCH - len(sought)
    while start < len(text):
        found = text.find(sought, start, start + STRETCH)
        if found >= 0:
            return found
        start += step
    return -1


def merged(spans: Iterable[Span]) -> Iterator[Span]:
    current: Span | None = None
    for start, end in sorted(spans):
        if current and start < current[1]:
            current = current[0], max(current[1], end)
            continue
        if current:
            yield current
        current = start, end
    if current:
        yield current


def replaced(text: str, spans: list[Span], filler: str | None = None) -> str:
    return _substituted(text, spans, lambda found: filler * len(found) if filler else MARKER)


def starred(text: str, spans: list[Span]) -> str:
    """Each character overwritten, and the zeros between them kept: it is UTF-16 or UTF-32 still."""
    return _substituted(text, spans, lambda found: _NO_ZERO.sub("*", found))


def _substituted(text: str, spans: list[Span], instead: Callable[[str], str]) -> str:
    pieces, done = [], 0
    for start, end in spans:
        pieces += [text[done:start], instead(text[start:end])]
        done = end
    return "".join([*pieces, text[done:]])
