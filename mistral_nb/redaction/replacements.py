"""The full search: each key with the spans it came from, rewritten, and reported as a finding.

Imported only if something was found.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from mistral_nb.api_key import MARKER, MIN_FRAGMENT
from mistral_nb.redaction.encodings import filled_base64_forms
from mistral_nb.redaction.findings import ALL_TIERS, Finding, Span
from mistral_nb.redaction.images import find_images, remove_spans
from mistral_nb.redaction.json_paths import cell_number, find_paths, find_positions, readable_id
from mistral_nb.redaction.normalize import (
    Edit,
    View,
    decode_escapes,
    decode_escapes_once,
    escape_around,
    join_lines,
    join_streams,
    remove_tags,
)
from mistral_nb.redaction.search import find_matches
from mistral_nb.redaction.search_terms import Match, SearchTerms
from mistral_nb.redaction.stretches import FEW, SIZE

_MARKER = MARKER.encode()
_JSON_ESCAPE_BEFORE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?\Z")


class Replacement(NamedTuple):
    """A match with the stretches of the data that its characters come from."""

    match: Match
    spans: list[Span]
    edits: list[Edit]

    def moved(self, by: int) -> "Replacement":
        """The same in data of which this was a stretch that starts there."""
        edits = [Edit(start + by, end + by, text) for start, end, text in self.edits]
        return Replacement(self.match, [(start + by, end + by) for start, end in self.spans], edits)


def drop_images(data: bytes, images: list[Span]) -> View:
    return View(data).apply_edits(Edit(*span, b" ") for span in images)


def find_replacements(base: View, terms: SearchTerms, *, json: bool = False) -> list[Replacement]:
    """The matches in the first view of the data that has something to rewrite."""
    only_told: dict[int, Replacement] = {}
    for view in _views(base, json):
        found = find_matches(view.text, terms)
        if view is base:
            found = [kept for match in found if (kept := _outside_escape(base.text, match, json))]
        rewritten = [trace_to_source(view, match) for match in found if match.tier in ALL_TIERS]
        if rewritten:
            return rewritten
        for match in found:
            place = trace_to_source(view, match)
            only_told.setdefault(place.spans[0][0], place)
    return list(only_told.values())


def _outside_escape(text: bytes, match: Match, json: bool) -> Match | None:
    """The match without the end of an escape before it, such as the n of a line break.

    A part of a key begins there by chance: the key has the same letter. A whole one does too where
    JSON leaves no other reading; elsewhere the backslash may stand for itself.
    """
    if match.filler is not None:
        return match
    end = _json_escape_end(text, match.start) if json else None
    if end is not None and (match.fingerprint or match.end - end >= MIN_FRAGMENT):
        return match._replace(start=end)
    escape = escape_around(text, match.start)
    if escape and not match.fingerprint and match.end - escape[1] >= MIN_FRAGMENT:
        return match._replace(start=escape[1])
    return match if end is None else None


def _json_escape_end(text: bytes, position: int) -> int | None:
    """Where the escape of JSON ends that ``position`` is inside of, and not at its start; None where there is none.

    It is looked for by itself: it may be a part of an escape code, which ends elsewhere.
    """
    escape = _JSON_ESCAPE_BEFORE.search(text, max(0, position - len("\\u000")), position)
    if not escape:
        return None
    backslash = first = escape.start()
    while first and text[first - 1] == text[backslash]:
        first -= 1
    if (backslash - first) % 2:
        return None
    return backslash + (2 if text[backslash + 1 : backslash + 2] != b"u" else len("\\u0000"))


def _views(original: View, json: bool) -> Iterator[View]:
    yield original
    yield from _joined(decode_escapes(original))
    if (b"\\\\" if json else b"\\") in original.text:  # a backslash that may stand for itself
        yield from _joined(decode_escapes_once(original, json=json))


def _joined(decoded: View) -> Iterator[View]:
    yield decoded
    streams = join_streams(decoded)
    yield join_lines(streams)
    bare = remove_tags(streams)
    yield bare
    yield join_lines(bare)


def trace_to_source(view: View, match: Match) -> Replacement:
    spans = view.origin(match.start, match.end)
    if match.tier not in ALL_TIERS:
        return Replacement(match, spans, [])
    if match.filler is None:
        first, *others = spans
        return Replacement(match, spans, [Edit(*first, _MARKER), *(Edit(*span, b"") for span in others)])
    edits = []
    for place in range(match.start, match.end):
        if view.text[place] != match.filler[place - match.start]:
            (start, end), *_ = view.origin(place, place + 1)
            edits.append(Edit(start, end, match.filler[place - match.start : place - match.start + 1]))
    return Replacement(match, spans, edits)


def find_in_images(data: bytes, images: list[Span], terms: SearchTerms) -> list[Match]:
    """Known keys, whole, plain or in base64, in images: filled, so that the image still decodes."""
    found = []
    for secret in terms.secrets if images else ():
        key = secret.reveal().encode()
        [match] = terms.find_matches(key)[:1]
        for form, filler in [(key, b"x" * len(key)), *filled_base64_forms(key)]:
            for low, high in images:
                position = data.find(form, low, high)
                while position >= 0:
                    end = position + len(form)
                    found.append(match._replace(start=position, end=end, filler=filler))
                    position = data.find(form, end, high)
    return found


def drop_overlaps(places: list[Replacement]) -> list[Replacement]:
    """The places in order; of those that overlap only the first, rewritten ones before others."""
    kept: list[Replacement] = []
    for place in sorted(places, key=lambda place: (not place.edits, place.spans[0][0])):
        low, high = place.spans[0][0], place.spans[-1][1]
        at = bisect_left(kept, low, key=lambda other: other.spans[0][0])
        clear_before = at == 0 or kept[at - 1].spans[-1][1] <= low
        if clear_before and (at == len(kept) or high <= kept[at].spans[0][0]):
            kept.insert(at, place)
    return kept


def apply_edits(data: bytes, places: list[Replacement]) -> bytes:
    """The data with the places' edits made."""
    source = memoryview(data)  # whose slices are no copies: it may be large
    parts: list[bytes | memoryview] = []
    done = 0
    for edit in sorted(edit for place in places for edit in place.edits):
        parts += source[done : edit.start], edit.text
        done = edit.end
    return b"".join([*parts, source[done:]])


def to_findings(data: bytes, places: list[Replacement], notebook: bool) -> list[Finding]:
    if not places:
        return []
    offsets = [place.spans[0][0] for place in places]
    ids: dict[int, bytes] = {}
    where = _paths(data, offsets, ids) if notebook else [""] * len(offsets)
    found = []
    for place, path, (line, column) in zip(places, where, find_positions(data, offsets), strict=True):
        cell = cell_number(path)
        if path.endswith("].id") and cell:
            ids.pop(cell - 1, None)  # the key is in it
        match = place.match
        found.append(Finding(match.tier, match.fingerprint, match.tail, path, line, cell, column=column))
    return [f._replace(cell_id=readable_id(ids.get(f.cell - 1))) if f.cell else f for f in found] if ids else found


def _paths(data: bytes, offsets: list[int], cell_ids: dict[int, bytes]) -> list[str]:
    """The paths, read off the data without its images: they are most of it. Of large data no copy is made."""
    if len(data) > FEW * SIZE:
        return find_paths(data, offsets, cell_ids)
    images = find_images(data)
    starts = [start for start, _ in images]
    cut = list(accumulate((end - start - 1 for start, end in images), initial=0))
    shorter = []
    for offset in offsets:
        before = bisect_left(starts, offset)
        inside = max(0, images[before - 1][1] - offset) if before else 0
        shorter.append(offset - cut[before] + inside)
    return find_paths(remove_spans(data, images), shorter, cell_ids)
