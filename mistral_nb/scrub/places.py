"""The close look: each key with the stretches it came from, rewritten, and told as a finding.

Imported only where something turned up.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from mistral_nb.key import FRAGMENT, MARKER
from mistral_nb.scrub import quiet
from mistral_nb.scrub.findings import ALL_TIERS, Finding
from mistral_nb.scrub.scan import matches
from mistral_nb.scrub.views import (
    Edit,
    View,
    escape_around,
    escapes_decoded,
    lines_joined,
    streams_joined,
    tags_removed,
)
from mistral_nb.scrub.wanted import Match, Wanted
from mistral_nb.scrub.where import cell_of, lines, paths

_MARKER = MARKER.encode()
# How an escape of JSON begins: an odd number of backslashes.
_JSON_ESCAPE = re.compile(rb"(?:\\\\)*+\\(?:u[0-9a-fA-F]{0,3})?")
Span = tuple[int, int]


class Place(NamedTuple):
    """A match with the stretches of the data that its characters come from."""

    match: Match
    spans: list[Span]
    edits: list[Edit]


def whole(data: bytes) -> View:
    return View(data)


def without_images(data: bytes, images: list[Span]) -> View:
    return View(data).edited(Edit(*span, b" ") for span in images)


def closely(base: View, wanted: Wanted, *, json: bool = False) -> list[Place]:
    """The matches in the first view of the data that has something to rewrite."""
    only_told: dict[int, Place] = {}
    for view in _views(base):
        found = matches(view.text, wanted)
        if view is base:
            found = [kept for match in found if (kept := _outside_escape(base.text, match, json))]
        rewritten = [traced(view, match) for match in found if match.tier in ALL_TIERS]
        if rewritten:
            return rewritten
        for match in found:
            place = traced(view, match)
            only_told.setdefault(place.spans[0][0], place)
    return list(only_told.values())


def _outside_escape(text: bytes, match: Match, json: bool) -> Match | None:
    """The match without the end of an escape before it, such as the n of a line break.

    A part of a key begins there by chance: the key has the same letter. A whole one does too where
    JSON leaves no other reading; elsewhere the backslash may stand for itself.
    """
    escape = escape_around(text, match.start) if match.filler is None else None
    if not escape:
        return match
    in_json = json and _JSON_ESCAPE.fullmatch(text, escape[0], match.start) is not None
    if match.fingerprint:
        return match._replace(start=escape[1]) if in_json else match
    if match.end - escape[1] >= FRAGMENT:
        return match._replace(start=escape[1])
    return None if in_json else match


def _views(original: View) -> Iterator[View]:
    yield original
    decoded = escapes_decoded(original)
    yield decoded
    streams = streams_joined(decoded)
    yield lines_joined(streams)
    bare = tags_removed(streams)
    yield bare
    yield lines_joined(bare)


def traced(view: View, match: Match) -> Place:
    spans = view.origin(match.start, match.end)
    if match.tier not in ALL_TIERS:
        return Place(match, spans, [])
    if match.filler is None:
        first, *others = spans
        return Place(match, spans, [Edit(*first, _MARKER), *(Edit(*span, b"") for span in others)])
    edits = []
    for place in range(match.start, match.end):
        if view.text[place] != match.filler[place - match.start]:
            (start, end), *_ = view.origin(place, place + 1)
            edits.append(Edit(start, end, match.filler[place - match.start : place - match.start + 1]))
    return Place(match, spans, edits)


def in_images(data: bytes, images: list[Span], wanted: Wanted) -> list[Match]:
    """Known keys, whole and plain, in images: filled, so that the image still decodes."""
    found = []
    for secret in wanted.secrets if images else ():
        key = secret.reveal().encode()
        for low, high in images:
            position = data.find(key, low, high)
            while position >= 0:
                end = position + len(key)
                [match] = wanted.of(data[position:end])[:1]
                found.append(match._replace(start=position, end=end, filler=b"x" * len(key)))
                position = data.find(key, end, high)
    return found


def apart(places: list[Place]) -> list[Place]:
    """The places in order; of those that overlap only the first, rewritten ones before others."""
    kept: list[Place] = []
    for place in sorted(places, key=lambda place: (not place.edits, place.spans[0][0])):
        low, high = place.spans[0][0], place.spans[-1][1]
        at = bisect_left(kept, low, key=lambda other: other.spans[0][0])
        clear_before = at == 0 or kept[at - 1].spans[-1][1] <= low
        if clear_before and (at == len(kept) or high <= kept[at].spans[0][0]):
            kept.insert(at, place)
    return kept


def spliced(data: bytes, places: list[Place]) -> bytes:
    """The data with the places' edits made."""
    parts: list[bytes] = []
    done = 0
    for edit in sorted(edit for place in places for edit in place.edits):
        parts += data[done : edit.start], edit.text
        done = edit.end
    return b"".join([*parts, data[done:]])


def told(data: bytes, places: list[Place], notebook: bool) -> list[Finding]:
    if not places:
        return []
    offsets = [place.spans[0][0] for place in places]
    where = _paths(data, offsets) if notebook else [""] * len(offsets)
    return [
        Finding(place.match.tier, place.match.fingerprint, place.match.tail, path, line, cell_of(path))
        for place, path, line in zip(places, where, lines(data, offsets), strict=True)
    ]


def _paths(data: bytes, offsets: list[int]) -> list[str]:
    """The paths, read off the data without its images: they are most of it."""
    images = quiet.images(data)
    starts = [start for start, _ in images]
    cut = list(accumulate((end - start - 1 for start, end in images), initial=0))
    shorter = []
    for offset in offsets:
        before = bisect_left(starts, offset)
        inside = max(0, images[before - 1][1] - offset) if before else 0
        shorter.append(offset - cut[before] + inside)
    return paths(quiet.without(data, images), shorter)
