"""Secrets prepared for searching what a kernel sends: in each form, also with something in between.

What a cell writes is searched at every message, so a `QuickSearch` says of nearly all that they hold nothing, and
the rest is done only where it hears something. (`mistral_nb.redaction.redact` decodes each token instead: thorough,
and too slow here.) Texts in here are *byte texts*: a character is a byte of UTF-8.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mistral_nb.api_key import Secret
from mistral_nb.guard import split_text
from mistral_nb.guard.form_starts import FormStarts
from mistral_nb.guard.quick_search import QuickSearch
from mistral_nb.guard.secret_forms import (
    Anchor,
    SecretForm,
    from_byte_text,
    text_forms,
    to_byte_text,
    wide_forms,
)
from mistral_nb.guard.text_spans import (
    Match,
    common_prefix_length,
    end_of_escape,
    find_text,
    mask_parts,
    merge_matches,
    replace_parts,
)
from mistral_nb.redaction.findings import Span

_GAP_REACH = 8  # times the longest form: how long a form with something between its characters may be
_BREAKS_REACH = 20  # characters of line breaks in a form that is wrapped


class TextMatcher:
    """What to look for; false if nothing. Immutable, so that threads can share it."""

    def __init__(self, secrets: Iterable[Secret] = (), others: "TextMatcher | None" = None) -> None:
        """``others``: what is looked for already; making it again for each new secret would add up."""
        texts, wides = ([group for secret in secrets for group in make(secret)] for make in (text_forms, wide_forms))
        old = others if others else None
        self._anchors: list[Anchor] = [*(old._anchors if old else ()), *(a for group in texts for a in group.anchors)]
        self._wide_anchors: list[Anchor] = [
            *(old._wide_anchors if old else ()),
            *(a for group in wides for a in group.anchors),
        ]
        self._search: QuickSearch = QuickSearch((group.sought() for group in texts), old._search if old else None)
        self._wide_search: QuickSearch = QuickSearch(
            (group.sought() for group in wides), old._wide_search if old else None
        )
        self.forms: list[SecretForm] = list(dict.fromkeys(anchor.form for anchor in self._anchors))
        self.longest = max((len(form.text) for form in self.forms), default=0)
        self._starts = FormStarts(self.forms)

    def __bool__(self) -> bool:
        return bool(self._anchors)

    def may_match(self, data: bytes, json: bool = False) -> bool:
        """Whether any form may be in a text or in packed JSON; an escape may look like one."""
        return self._search.may_find(data) or any(map(self._search.may_find, split_text.joined_texts(data, json)))

    def redact_packed(self, data: bytes, filler: str | None = None) -> bytes:
        """A message of packed JSON without secrets; the same object when there was none.

        ``filler``: a character to overwrite with, where the length must stay: it is not JSON. Else the marker.
        """
        if not self.may_match(data, json=filler is None):
            return data
        removals = merge_matches(self._find_all(data, packed=True, json=filler is None))
        if not removals:
            return data
        clean = replace_parts(data.decode("latin-1"), removals, filler).encode("latin-1")
        return clean if filler or not _broke_json(data, clean) else self._redact_values(data)

    def mask(self, data: bytes) -> bytes:
        """A binary buffer with every secret overwritten, also where it stands as UTF-16 or UTF-32."""
        data = self.redact_packed(data, filler="*")
        if not self._wide_search.may_find(data):
            return data
        text, there = data.decode("latin-1"), self._wide_search.find_anchors(data)
        anchors = [anchor for anchor in self._wide_anchors if anchor.packed in there]
        removals = merge_matches((span,) for span in _grow_matches(text, anchors, packed=False))
        return mask_parts(text, removals).encode("latin-1") if removals else data

    def redact(self, text: str) -> str:
        """A text without secrets; the same object when there was none."""
        byte_text = to_byte_text(text)
        removals = merge_matches(self.find_matches(byte_text))
        return from_byte_text(replace_parts(byte_text, removals)) if removals else text

    def find_matches(self, text: str) -> list[Match]:
        """Where secrets stand in a byte text. They may overlap."""
        data = text.encode("latin-1")
        return self._find_all(data, packed=False) if self.may_match(data) else []

    def matches_begun(self, text: str, index: int) -> Iterator[Match]:
        """Of forms whose start ends before ``index``, the parts that go on after it and are long enough."""
        low, high = self._reach_back(text, index), index + self.longest * _GAP_REACH
        for reading in split_text.readings(text[low:high]) if index > 0 else ():
            place = reading.count_before(index - low)
            for start, form in self._starts.at_end(reading.text[:place]):
                end = start + common_prefix_length(reading.text[start:], form.text)
                if end > place and end - start >= form.shortest and (form.wraps or not reading.is_unwrapped):
                    yield _shift(reading.trace(start, end), low)

    def matches_unfinished(self, text: str) -> Iterator[tuple[Match, bool]]:
        """The starts of forms in which the text ends: more of them may follow. And whether they are long enough."""
        low = self._reach_back(text, len(text))
        for reading in split_text.readings_of_end(text[low:]):
            for start, form in self._starts.at_end(reading.text):
                if form.wraps or not reading.is_unwrapped:
                    is_enough = len(reading.text) - start >= form.shortest
                    yield _shift(reading.trace(start, len(reading.text)), low), is_enough

    def context_start(self, text: str, end: int) -> int:
        """From where on a text is needed to find what goes on after ``end``."""
        return self._reach_back(text, end)

    def _reach_back(self, text: str, end: int) -> int:
        far = max(0, end - self.longest * _GAP_REACH)
        return far if split_text.is_split(text[far:end]) else max(0, end - self.longest - _BREAKS_REACH)

    def _find_all(self, data: bytes, packed: bool, json: bool = False) -> list[Match]:
        matches: list[Match] = []
        heard: set[bytes] = set()
        for reading in split_text.readings(data.decode("latin-1"), json):
            if not reading.is_unwrapped:  # what is wrapped is heard by a part that is not
                heard |= self._search.find_anchors(reading.text.encode("latin-1"))
            anchors = [
                anchor
                for anchor in self._anchors
                if anchor.sought(packed) in heard and (anchor.form.wraps or not reading.is_unwrapped)
            ]
            matches += (reading.trace(*span) for span in _grow_matches(reading.text, anchors, packed))
        return matches

    def _redact_values(self, data: bytes) -> bytes:
        """The same value by value: slow, and JSON for certain."""
        return json.dumps(self._redact_value(json.loads(data)), ensure_ascii=False).encode("utf-8", "surrogatepass")

    def _redact_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            return [self._redact_value(item) for item in value]
        if isinstance(value, dict):
            return {self.redact(name): self._redact_value(item) for name, item in value.items()}
        return value


def _broke_json(before: bytes, after: bytes) -> bool:
    return not _is_json(after) and _is_json(before)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True


def _shift(match: Match, offset: int) -> Match:
    return tuple((start + offset, end + offset) for start, end in match)


def _grow_matches(text: str, anchors: Iterable[Anchor], packed: bool) -> Iterator[Span]:
    """The matches around each anchor in a text, if long enough."""
    for anchor in anchors:
        sought = anchor.sought(packed).decode("latin-1")
        position = find_text(text, sought, 0)
        while position >= 0:
            start, end = anchor.form.grow_match(text, position, anchor.offset)
            if sought != anchor.text:  # an odd one, written with escapes: as a whole or not at all
                start, end = position, position + len(sought)
            if end - start >= anchor.form.shortest:
                yield end_of_escape(text, start) if packed else start, end
            position = find_text(text, sought, max(end, position + 1))


MatcherSource = Callable[[], TextMatcher]
