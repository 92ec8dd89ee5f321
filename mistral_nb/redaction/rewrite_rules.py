"""What a tool that replaces texts needs to remove keys from data as `redact` would: each text, and what replaces it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mistral_nb.api_key import MARKER
from mistral_nb.redaction.engine import search_rounds
from mistral_nb.redaction.findings import COUNTED_TIERS, REPORTED, WatchlistLike
from mistral_nb.redaction.quick_scan import is_notebook
from mistral_nb.redaction.replacements import Replacement, apply_edits
from mistral_nb.redaction.search_terms import SearchTerms

_MARKER = MARKER.encode()


class ReplaceRule(NamedTuple):
    """``old``, which contains a key or a part of one, becomes ``new``.

    ``round``: the rules of a later one are for what the earlier ones left. ``is_whole``: not only a part of a key.
    """

    old: bytes
    new: bytes
    round: int
    is_whole: bool

    @property
    def is_plain(self) -> bool:
        """Whether it is a whole key, in its own characters."""
        return self.is_whole and self.new == _MARKER and self.old.replace(b"-", b"").replace(b"_", b"").isalnum()


def find_rules(data: bytes, watchlist: WatchlistLike) -> Iterator[ReplaceRule]:
    """One rule for each place with a key, also for keys that are only reported."""
    terms = SearchTerms(watchlist, COUNTED_TIERS)
    for number, look in enumerate(search_rounds(data, terms, is_notebook(data))):
        for place in look.places:
            if place.edits or place.match.tier == REPORTED:
                yield _make_rule(look.before, place, number)


def in_order(rules: Iterable[ReplaceRule]) -> list[ReplaceRule]:
    """The order in which no rule takes away what a later one needs."""
    return sorted(rules, key=lambda rule: (not rule.is_plain, rule.round, not rule.is_whole, -len(rule.old), rule.old))


def apply_rules(data: bytes, rules: Iterable[ReplaceRule]) -> bytes:
    """The data as the other tool leaves it."""
    for rule in rules:
        data = data.replace(rule.old, rule.new)
    return data


def _make_rule(data: bytes, place: Replacement, number: int) -> ReplaceRule:
    spans = [*place.spans, *((edit.start, edit.end) for edit in place.edits)]
    low, high = min(start for start, _ in spans), max(end for _, end in spans)
    old = data[low:high]
    new = apply_edits(old, [place.moved(-low)]) if place.edits else _MARKER
    return ReplaceRule(old, new, number, bool(place.match.fingerprint))
