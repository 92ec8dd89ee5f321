"""Looking for known and remembered keys in one text: plain, and in what its tokens decode to."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from mistral_nb.scrub.encoded import Decoding, decodings, encodings
from mistral_nb.scrub.findings import REPORTED
from mistral_nb.scrub.shapes import STANDARD, Run, is_mixed, runs
from mistral_nb.scrub.wanted import Match, Wanted

_GROUP = 4  # characters of base64 that belong together
_SIGNS = (b"+", b"/")  # of base64, which no key has
_SHAPED = re.compile(rb"[A-Za-z0-9]{%d,}" % STANDARD)
_ESCAPED = re.compile(rb"(?<!\\)\\++u00([2-7][0-9a-fA-F])")


class Quiet(NamedTuple):
    """The runs of a text's readings, each once, and one of the places where it stands."""

    found: dict[bytes, tuple[bytes, int]]
    together: bytes


def gathered(readings: Iterable[bytes], wanted: Wanted) -> Quiet:
    found: dict[bytes, tuple[bytes, int]] = {}
    for text in readings:
        for start, run in runs(text, wanted.shortest, wanted.classes):
            size = len(run)
            if run not in found or _signs_around(text, start, size) > _signs_around(*found[run], size):
                found[run] = text, start
    return Quiet(found, b" ".join(found))


def _signs_around(text: bytes, start: int, size: int) -> int:
    """On how many sides base64 goes on, with a sign that may hold a part of the run's first or last byte."""
    return (text[start - 1 : start] in _SIGNS) + (text[start + size : start + size + 1] in _SIGNS)


def holds_any(quiet: Quiet, wanted: Wanted) -> bool:
    """Whether a known or remembered key is in one of the runs."""
    found, together = quiet
    if wanted.may_be_in(together) and wanted.of(together):
        return True
    forms = encodings(wanted.shortest_whole)
    long = [run for run in found if forms.may_be_in(run)]
    if long and forms.any_in(b" ".join(long)) and _any_decoded(((*found[run], run) for run in long), wanted):
        return True
    if b"\\" not in together:
        return False
    # with what stands before and after, which encoded text may share with a key
    escaped = [(*found[run], len(run)) for run in found if b"\\" in run]
    plain = _unescaped(
        b" ".join([text[max(0, start - _GROUP) : start + size + _GROUP] for text, start, size in escaped])
    )
    if wanted.may_be_in(plain) and wanted.of(plain):
        return True
    return forms.any_in(plain) and _any_decoded(
        ((plain, run.start, run.text) for run in runs(plain, wanted.shortest, wanted.classes)), wanted
    )


def _any_decoded(places: Iterable[tuple[bytes, int, bytes]], wanted: Wanted) -> bool:
    return any(
        wanted.of(decoding.text)
        for text, start, run in places
        for decoding in _decoded(text, [Run(start, run)], wanted)
    )


def may_hold_suspects(quiet: Quiet) -> bool:
    """Whether one of the runs could be key-shaped."""
    return any(is_mixed(match[0]) for match in _SHAPED.finditer(quiet.together))


def matches(text: bytes, wanted: Wanted) -> list[Match]:
    """Every key in ``text``: where, of which tier, and what to put there. They do not overlap."""
    found = list(runs(text, wanted.shortest, wanted.classes))
    result = list(_plain(found, wanted))
    for decoding in _decoded(text, found, wanted):
        for match in wanted.of(decoding.text):
            start, filler = decoding.refill(match.start, match.end)
            result.append(match._replace(start=start, end=start + len(filler), filler=filler))
    return without_overlaps(result)


def _plain(found: list[Run], wanted: Wanted) -> Iterator[Match]:
    together = b" ".join([run.text for run in found])
    if not wanted.may_be_in(together):
        return
    starts = list(accumulate((len(run.text) + 1 for run in found), initial=0))
    for match in wanted.of(together):
        number = bisect_right(starts, match.start) - 1
        shift = found[number].start - starts[number]
        yield match._replace(start=match.start + shift, end=match.end + shift)


def without_overlaps(found: list[Match]) -> list[Match]:
    """The matches in order, each only if it starts after the one before it has ended."""
    kept: list[Match] = []
    for match in sorted(found, key=lambda match: (match.start, match.tier == REPORTED, -match.end)):
        if not kept or match.start >= kept[-1].end:
            kept.append(match)
    return kept


def _decoded(text: bytes, found: list[Run], wanted: Wanted) -> Iterator[Decoding]:
    forms = encodings(wanted.shortest_whole)
    for run in found:
        if forms.may_be_in(run.text) and forms.any_in(run.text):
            for decoding in decodings(text, run.start, run.start + len(run.text), forms):
                if wanted.may_be_in(decoding.text):
                    yield decoding


def _unescaped(text: bytes) -> bytes:
    """Without the backslashes of escaped letters, or left from line breaks of JSON in JSON."""
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), text).replace(b"\\", b"")
