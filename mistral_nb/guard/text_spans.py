"""Parts of a text: found, joined, replaced."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mistral_nb.api_key import MARKER
from mistral_nb.guard.quick_search import BLOCK
from mistral_nb.redaction.findings import Span

Match = tuple[Span, ...]  # the parts in which a secret stands, in order
_NO_ZERO = re.compile("[^\0]")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,4}|.)?\Z", re.DOTALL)


class Removal(NamedTuple):
    """What is to be removed; ``begins``: it is the first part of a secret, and gets the marker."""

    start: int
    end: int
    begins: bool = True


def end_of_escape(text: str, start: int) -> int:
    r"""Where the JSON escape that ``start`` stands in ends: the n of ``\n`` is no letter of a key.

    Also after a backslash that is itself escaped: the text may be JSON inside JSON.
    """
    back = text.rfind("\\", max(0, start - 5), start)
    if back < 0 or not _ESCAPE.match(text[back:start]):
        return start
    return back + 6 if text[back + 1 : back + 2] == "u" else max(start, back + 2)


def common_prefix_length(one: str, other: str) -> int:
    """How many characters two strings have in common at their start."""
    for count, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return count
    return min(len(one), len(other))


def find_text(text: str, sought: str, start: int) -> int:
    step = BLOCK - len(sought)
    while start < len(text):
        found = text.find(sought, start, start + BLOCK)
        if found >= 0:
            return found
        start += step
    return -1


def merge_matches(matches: Iterable[Match]) -> list[Removal]:
    """What to remove, in order and without overlaps: one marker for a secret in however many parts."""
    matches = list(matches)
    if not matches:
        return []
    spans = list(_merge_spans(span for match in matches for span in match))
    starts = [start for start, _ in spans]
    going_on = set()
    for first, *others in matches:
        if others:
            head = bisect_right(starts, first[0])
            going_on |= {bisect_right(starts, start) for start, _ in others} - {head}
    return [Removal(*span, begins=n not in going_on) for n, span in enumerate(spans, 1)]


def replace_parts(text: str, removals: list[Removal], filler: str | None = None) -> str:
    """With the marker, or each character by ``filler``."""
    if filler:
        return _substitute(text, removals, lambda part, _: filler * len(part))
    return _substitute(text, removals, lambda _, begins: MARKER if begins else "")


def mask_parts(text: str, removals: list[Removal]) -> str:
    """Each character overwritten, and the zeros between them kept: it is UTF-16 or UTF-32 still."""
    return _substitute(text, removals, lambda part, _: _NO_ZERO.sub("*", part))


def _merge_spans(spans: Iterable[Span]) -> Iterator[Span]:
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


def _substitute(text: str, removals: list[Removal], instead: Callable[[str, bool], str]) -> str:
    pieces, done = [], 0
    for start, end, begins in removals:
        pieces += [text[done:start], instead(text[start:end], begins)]
        done = end
    return "".join([*pieces, text[done:]])
