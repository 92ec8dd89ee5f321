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
            found[run] = text, start
    return Quiet(found, b" ".join(found))


def holds_any(quiet: Quiet, wanted: Wanted) -> bool:
    """Whether a known or remembered key is in one of the runs."""
    found, together = quiet
    if wanted.may_be_in(together) and wanted.of(together):
        return True
    if b"\\" in together:
        plain = _unescaped(b" ".join([run for run in found if b"\\" in run]))
        if wanted.may_be_in(plain) and wanted.of(plain):
            return True
    forms = encodings(wanted.shortest_whole)
    long = [run for run in found if forms.may_be_in(run)]
    if not long or not forms.any_in(b" ".join(long)):
        return False
    places = ((*found[run], run) for run in long)
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
