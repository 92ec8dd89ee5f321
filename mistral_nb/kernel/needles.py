"""Secrets made ready for searching what a kernel sends: plain, in base64, hex and percent form.

What a cell writes is searched at every message, so this looks for a few long strings with the
interpreter's own search and does the rest only where one of them turns up. (`mistral_nb.scrub`
decodes each token instead: thorough, and too slow here.)
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mistral_nb.kernel import ways
from mistral_nb.kernel.spans import (
    STRETCH,
    Span,
    agreement,
    end_of_escape,
    find,
    holds,
    merged,
    replaced,
    starred,
)
from mistral_nb.key import FRAGMENT, Secret

_ANCHOR = 7  # two of these find any 15 characters in a row of a key of 32
_SAFE = re.compile(r"""[ !#-\[\]-~]+""")  # written in JSON as it is


class Form:
    """A secret as it may be written; ``shortest``: how much of it counts. Its repr shows nothing."""

    __slots__ = ("shortest", "text")

    def __init__(self, text: str, shortest: int) -> None:
        self.text = text
        self.shortest = min(shortest, len(text))

    def around(self, text: str, position: int, offset: int) -> Span:
        """The longest stretch of ``text`` around ``position`` that agrees with the form at ``offset``."""
        if position >= offset and text.startswith(self.text, position - offset):  # nearly always the whole
            return position - offset, position - offset + len(self.text)
        before = text[max(0, position - offset) : position][::-1]
        after = text[position : position + len(self.text) - offset]
        left = agreement(before, self.text[:offset][::-1])
        return position - left, position + agreement(after, self.text[offset:])


class _Anchor(NamedTuple):
    """A part of a form that is looked for. ``packed`` is how it stands in a packed message."""

    packed: bytes
    text: str
    form: Form
    offset: int

    def __repr__(self) -> str:
        return "<anchor>"


class Needles:
    """What to look for; false when there is nothing. Immutable, so that threads can share it."""

    def __init__(self, secrets: Iterable[Secret] = (), others: "Needles | None" = None) -> None:
        """``others``: what is looked for already; making it anew for each new secret would add up."""
        self.forms: list[Form] = [*others.forms] if others else []
        self._anchors: list[_Anchor] = [*others._anchors] if others else []
        self._percent: list[_Anchor] = [*others._percent] if others else []
        self._wide: list[_Anchor] = [*others._wide] if others else []
        for secret in secrets:
            self._add_plain(secret)
            self._add_wide(secret)
            self._add_encoded(secret)
        self.longest = max((len(form.text) for form in self.forms), default=0)
        self._quick = tuple(anchor.packed for anchor in self._anchors)
        self._quick_percent = tuple(anchor.packed for anchor in self._percent)

    def __bool__(self) -> bool:
        return bool(self.forms)

    def may_be_in(self, data: bytes) -> bool:
        """Whether any form stands in packed ``data``, or only its escape happens to look like it."""
        if len(data) < STRETCH:  # nearly every message, so no generator
            for sought in self._quick:
                if sought in data:
                    return True
        elif any(holds(data, sought) for sought in self._quick):
            return True
        return b"%" in data and any(holds(data, sought) for sought in self._quick_percent)

    def redact_packed(self, data: bytes, filler: str | None = None) -> bytes:
        """A packed message without secrets; the same object when there was none.

        ``filler``: a character to overwrite with, where the length must stay; else the marker.
        """
        if not self.may_be_in(data):
            return data
        text = data.decode("latin-1")
        spans = list(merged(self._spans(text, packed=True)))
        return replaced(text, spans, filler).encode("latin-1") if spans else data

    def mask(self, data: bytes) -> bytes:
        """A binary buffer with every secret overwritten, also where it stands as UTF-16 or UTF-32."""
        data = self.redact_packed(data, filler="*")
        found = [anchor for anchor in self._wide if holds(data, anchor.packed)]
        if not found:
            return data
        text = data.decode("latin-1")
        spans = list(merged(_grown(text, found, packed=False)))
        return starred(text, spans).encode("latin-1") if spans else data

    def redact(self, text: str) -> str:
        """A text without secrets; the same object when there was none."""
        spans = self.spans(text)
        return replaced(text, spans) if spans else text

    def spans(self, text: str) -> list[Span]:
        """Where secrets stand in a text, in order; they do not overlap."""
        return list(merged(self._spans(text, packed=False)))

    def across(self, text: str, index: int) -> Iterator[Span]:
        """Stretches that count as a secret and hold both characters beside ``index``."""
        pair = text[index - 1 : index + 1] if index > 0 else ""
        if len(pair) < 2:
            return
        for form in self.forms:
            offset = form.text.find(pair)
            while offset >= 0:
                start, end = form.around(text, index - 1, offset)
                if end - start >= form.shortest:
                    yield start, end
                offset = form.text.find(pair, offset + 1)

    def begun(self, text: str) -> Iterator[tuple[int, Form]]:
        """The forms whose start ends the text, and where: more of them may follow."""
        last = text[-1:]
        for form in self.forms if last else ():
            if last not in form.text:
                continue
            tail = text[1 - len(form.text) :]
            start = tail.find(form.text[0])
            while start >= 0:
                if form.text.startswith(tail[start:]):
                    yield len(text) - len(tail) + start, form
                    break
                start = tail.find(form.text[0], start + 1)

    def _worth_trying(self, percent: bool) -> list[_Anchor]:
        return self._anchors + self._percent if percent else self._anchors

    def _spans(self, text: str, packed: bool) -> Iterator[Span]:
        return _grown(text, self._worth_trying("%" in text), packed)

    def _add_plain(self, secret: Secret) -> None:
        text = secret.reveal()
        written = ways.written(text)
        if _SAFE.fullmatch(text):
            form = Form(text, FRAGMENT)
            self.forms.append(form)
            self._anchors += _anchors_of(form)
            written -= {text}
        for way in sorted(written):
            self._add_whole(Form(way, len(way)), self._anchors)

    def _add_wide(self, secret: Secret) -> None:
        text = secret.reveal()
        if not _SAFE.fullmatch(text):
            for data in ways.in_bytes(text):
                form = Form(data.decode("latin-1"), len(data))
                self._wide.append(_Anchor(data, form.text, form, 0))
            return
        for width in (2, 4):  # UTF-16 and UTF-32, in either order of the bytes
            form = Form(("\0" * (width - 1)).join(text), (FRAGMENT - 1) * width + 1)
            self._wide += _anchors_of(form, width)

    def _add_encoded(self, secret: Secret) -> None:
        data = secret.reveal().encode("utf-8", "surrogatepass")
        for text in sorted(ways.in_hex(data)):
            self._add_whole(Form(text, FRAGMENT * 2), self._anchors)
        for text in sorted(ways.in_base64(data)):
            self._add_whole(Form(text, FRAGMENT * 4 // 3), self._anchors)
        for text in sorted(ways.in_percent(data)):
            self._add_whole(Form(text, FRAGMENT * 3), self._percent)

    def _add_whole(self, form: Form, anchors: list[_Anchor]) -> None:
        self.forms.append(form)
        anchors.append(_Anchor(ways.packed(form.text), form.text, form, 0))


def _anchors_of(form: Form, width: int = 1) -> Iterator[_Anchor]:
    """Parts of a form such that whatever counts of it holds one; ``width`` bytes to a character."""
    characters = (len(form.text) + width - 1) // width
    shortest = min(FRAGMENT, characters)
    for place in _places(characters - shortest, shortest - _ANCHOR):
        part = form.text[place * width :][: (_ANCHOR - 1) * width + 1]
        yield _Anchor(part.encode(), part, form, place * width)


def _grown(text: str, anchors: Iterable[_Anchor], packed: bool) -> Iterator[Span]:
    """What stands around each anchor in a text, as far as it counts."""
    for anchor in anchors:
        sought = anchor.packed.decode("latin-1") if packed else anchor.text
        if len(text) < STRETCH and sought not in text:
            continue
        position = find(text, sought, 0)
        while position >= 0:
            start, end = anchor.form.around(text, position, anchor.offset)
            if sought != anchor.text:  # an odd one, written with escapes: as a whole or not at all
                start, end = position, position + len(sought)
            if end - start >= anchor.form.shortest:
                yield end_of_escape(text, start) if packed else start, end
            position = find(text, sought, max(end, position + 1))


def _places(last: int, reach: int) -> Iterator[int]:
    """Offsets such that each start from 0 to ``last`` has one at most ``reach`` behind it."""
    for offset in range(reach, last + reach + 1, reach + 1):
        yield min(offset, last)
