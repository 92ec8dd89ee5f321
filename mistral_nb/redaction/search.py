"""Looking for known and remembered keys in one text: plain, and in what its tokens decode to."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from mistral_nb.redaction.encodings import Decoding, decodings, encoding_patterns
from mistral_nb.redaction.findings import REPORTED
from mistral_nb.redaction.key_characters import Run, find_runs, is_mixed
from mistral_nb.redaction.key_spellings import STANDARD_LENGTH
from mistral_nb.redaction.search_terms import Match, SearchTerms

_GROUP = 4  # characters of base64 that belong together
_SIGNS = (b"+", b"/")  # of base64, which no key has
_SHAPED = re.compile(rb"[A-Za-z0-9]{%d,}" % STANDARD_LENGTH)
_ESCAPED = re.compile(rb"(?<!\\)\\++u00([2-7][0-9a-fA-F])")


class RunIndex(NamedTuple):
    """The runs of a text's readings, each once, and one of the places where it stands."""

    found: dict[bytes, tuple[bytes, int]]
    together: bytes


def collect_runs(readings: Iterable[bytes], terms: SearchTerms) -> RunIndex:
    found: dict[bytes, tuple[bytes, int]] = {}
    for text in readings:
        for start, run in find_runs(text, terms.shortest, terms.classes):
            size = len(run)
            if run not in found or _signs_around(text, start, size) > _signs_around(*found[run], size):
                found[run] = text, start
    return RunIndex(found, b" ".join(found))


def _signs_around(text: bytes, start: int, size: int) -> int:
    """On how many sides base64 goes on, with a sign that may hold a part of the run's first or last byte."""
    return (text[start - 1 : start] in _SIGNS) + (text[start + size : start + size + 1] in _SIGNS)


def contains_key(runs: RunIndex, terms: SearchTerms) -> bool:
    """Whether a known or remembered key is in one of the runs."""
    found, together = runs
    if terms.may_match(together) and terms.find_matches(together):
        return True
    forms = encoding_patterns(terms.shortest_whole)
    long = [run for run in found if forms.may_be_encoded(run)]
    if long and forms.has_encoded(b" ".join(long)) and _any_decoded(((*found[run], run) for run in long), terms):
        return True
    if b"\\" not in together:
        return False
    # with what stands before and after, which encoded text may share with a key
    escaped = [(*found[run], len(run)) for run in found if b"\\" in run]
    plain = _unescaped(
        b" ".join([text[max(0, start - _GROUP) : start + size + _GROUP] for text, start, size in escaped])
    )
    if terms.may_match(plain) and terms.find_matches(plain):
        return True
    return forms.has_encoded(plain) and _any_decoded(
        ((plain, run.start, run.text) for run in find_runs(plain, terms.shortest, terms.classes)), terms
    )


def _any_decoded(places: Iterable[tuple[bytes, int, bytes]], terms: SearchTerms) -> bool:
    return any(
        terms.find_matches(decoding.text)
        for text, start, run in places
        for decoding in _decoded(text, [Run(start, run)], terms)
    )


def may_hold_suspects(runs: RunIndex) -> bool:
    """Whether one of the runs could be key-shaped."""
    return any(is_mixed(match[0]) for match in _SHAPED.finditer(runs.together))


def find_matches(text: bytes, terms: SearchTerms) -> list[Match]:
    """Every key in ``text``: where, of which tier, and what to put there. They do not overlap."""
    found = list(find_runs(text, terms.shortest, terms.classes))
    result = list(_plain(found, terms))
    for decoding in _decoded(text, found, terms):
        for match in terms.find_matches(decoding.text):
            start, filler = decoding.refill(match.start, match.end)
            result.append(match._replace(start=start, end=start + len(filler), filler=filler))
    return drop_overlapping_matches(result)


def _plain(found: list[Run], terms: SearchTerms) -> Iterator[Match]:
    together = b" ".join([run.text for run in found])
    if not terms.may_match(together):
        return
    starts = list(accumulate((len(run.text) + 1 for run in found), initial=0))
    for match in terms.find_matches(together):
        number = bisect_right(starts, match.start) - 1
        shift = found[number].start - starts[number]
        yield match._replace(start=match.start + shift, end=match.end + shift)


def drop_overlapping_matches(found: Iterable[Match]) -> list[Match]:
    """The matches in order, each only if it starts after the one before it has ended."""
    kept: list[Match] = []
    for match in sorted(found, key=lambda match: (match.start, match.tier == REPORTED, -match.end)):
        if not kept or match.start >= kept[-1].end:
            kept.append(match)
    return kept


def _decoded(text: bytes, found: list[Run], terms: SearchTerms) -> Iterator[Decoding]:
    forms = encoding_patterns(terms.shortest_whole)
    for run in found:
        if forms.may_be_encoded(run.text) and forms.has_encoded(run.text):
            for decoding in decodings(text, run.start, run.start + len(run.text), forms):
                if terms.may_match(decoding.text):
                    yield decoding


def _unescaped(text: bytes) -> bytes:
    """Without the backslashes of escaped letters, or left from line breaks of JSON in JSON."""
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), text).replace(b"\\", b"")
