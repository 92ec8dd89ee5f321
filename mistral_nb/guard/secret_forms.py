"""The ways in which a message can show a secret, and the parts of them that are looked for."""

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from mistral_nb.api_key import MIN_FRAGMENT, Secret
from mistral_nb.guard.quick_search import CORE_LENGTH, Sought
from mistral_nb.guard.text_spans import common_prefix_length
from mistral_nb.redaction import encodings
from mistral_nb.redaction.findings import Span

_ANCHOR = 7  # two of these find any 15 characters in a row of a key of 32
_SHORTEST_LINE = 43  # base64 digits: wrapped, so many of them have one line break at most
_SHORTEST_STRETCH = 4  # bytes written alike in lower and upper case hex that are worth being looked for
_SAFE = re.compile(r"""[ !#-\[\]-~]+""")  # written in JSON as it is
_NO_LETTER = re.compile(rb"[\x00-\x09]+")


def to_byte_text(text: str) -> str:
    """A text whose characters are the bytes of its UTF-8: all texts here are such."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


def from_byte_text(text: str) -> str:
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogatepass")


class SecretForm:
    """A written form of a secret. Its repr shows nothing.

    ``shortest``: the shortest part that counts. ``wraps``: whether it is looked for over line breaks, too.
    """

    __slots__ = ("shortest", "text", "wraps")

    def __init__(self, text: str, shortest: int, wraps: bool = False) -> None:
        self.text = text
        self.shortest = min(shortest, len(text))
        self.wraps = wraps

    def grow_match(self, text: str, position: int, offset: int) -> Span:
        """The longest stretch of ``text`` around ``position`` that agrees with the form at ``offset``."""
        if position >= offset and text.startswith(self.text, position - offset):  # nearly always the whole
            return position - offset, position - offset + len(self.text)
        before = text[max(0, position - offset) : position][::-1]
        after = text[position : position + len(self.text) - offset]
        left = common_prefix_length(before, self.text[:offset][::-1])
        return position - left, position + common_prefix_length(after, self.text[offset:])

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a SecretForm is never pickled")


class Anchor(NamedTuple):
    """A part of a form that is looked for. ``packed`` is how it stands in a packed message."""

    packed: bytes
    text: str
    form: SecretForm
    offset: int

    def __repr__(self) -> str:
        return "<Anchor>"

    def sought(self, packed: bool) -> bytes:
        return self.packed if packed else self.text.encode("latin-1")

    def cores(self) -> Iterator[bytes]:
        """Of which one stands wherever the form counts, if only a whole anchor leads to it."""
        yield self.packed if len(self.packed) < CORE_LENGTH else self.packed[:CORE_LENGTH]


class FormGroup(NamedTuple):
    """Some forms, what leads to them, and what every occurrence of them holds one of. Its repr shows nothing."""

    anchors: list[Anchor]
    cores: list[bytes]

    def __repr__(self) -> str:
        return "<FormGroup>"

    def sought(self) -> Sought:
        """The anchors as they stand in a message and in a text."""
        both = (each for anchor in self.anchors for each in (anchor.packed, anchor.text.encode("latin-1")))
        return Sought(tuple(dict.fromkeys(both)), tuple(dict.fromkeys(self.cores)))


def text_forms(secret: Secret) -> Iterator[FormGroup]:
    """Plain, as Python and JSON quote it, in base64, hex and percent form."""
    text = secret.reveal()
    written = encodings.written_forms(text)
    if _SAFE.fullmatch(text):
        yield _any_part(SecretForm(text, MIN_FRAGMENT))
        written -= {text}
    for way in sorted(written):
        yield _whole(SecretForm(to_byte_text(way), len(to_byte_text(way))), encodings.pack_text(way))
    data = text.encode("utf-8", "surrogatepass")
    for digits in sorted(encodings.base64_forms(data)):
        yield _in_halves(SecretForm(digits, MIN_FRAGMENT * 4 // 3, wraps=True))
    yield _in_two_cases(data, sorted(encodings.hex_forms(data)), 2)
    yield _in_two_cases(data, sorted(encodings.percent_forms(data)), 3, lead=1)
    for cases in encodings.separated_hex_forms(data):
        yield _in_two_cases(data, cases, 2 + (len(cases[0]) - 2 * len(data)) // max(1, len(data) - 1))


def wide_forms(secret: Secret) -> Iterator[FormGroup]:
    """In UTF-16 and UTF-32, in either order of the bytes."""
    text = secret.reveal()
    if not _SAFE.fullmatch(text):
        for data in sorted(encodings.byte_forms(text)):
            yield _whole(SecretForm(data.decode("latin-1"), len(data)), data)
        return
    for width in (2, 4):
        yield _any_part(SecretForm(("\0" * (width - 1)).join(text), (MIN_FRAGMENT - 1) * width + 1), width)


def _any_part(form: SecretForm, width: int = 1) -> FormGroup:
    """For a form of which each long enough part counts; ``width`` bytes to a character."""
    characters = (len(form.text) + width - 1) // width
    shortest = min(MIN_FRAGMENT, characters)
    anchors = []
    for place in _anchor_offsets(characters - shortest, shortest - _ANCHOR):
        part = form.text[place * width :][: (_ANCHOR - 1) * width + 1]
        anchors.append(Anchor(part.encode(), part, form, place * width))
    last, reach = len(form.text) - form.shortest, form.shortest - CORE_LENGTH
    cores = [form.text[place : place + CORE_LENGTH].encode() for place in _anchor_offsets(last, max(0, reach))]
    return FormGroup(anchors, cores)


def _whole(form: SecretForm, packed: bytes) -> FormGroup:
    anchor = Anchor(packed, form.text, form, 0)
    plain = Anchor(form.text.encode("latin-1"), form.text, form, 0)
    return FormGroup([anchor], [*anchor.cores(), *plain.cores()])


def _in_halves(form: SecretForm) -> FormGroup:
    """Of two parts that are next to each other, one line break interrupts one alone."""
    half = min(len(form.text), _SHORTEST_LINE) // 2
    anchors = [_anchor(form, offset, half) for offset in (0, half)]
    return FormGroup(anchors, [core for anchor in anchors for core in anchor.cores()])


def _in_two_cases(data: bytes, cases: tuple[str, ...] | list[str], step: int, lead: int = 0) -> FormGroup:
    """Hex in lower and upper case: by a stretch that has no letters, and so is the same in both.

    ``step``: characters from one byte to the next; ``lead``: those before the first digit.
    """
    forms = [SecretForm(text, MIN_FRAGMENT * step - (step - 2 - lead)) for text in dict.fromkeys(cases)]
    start, size = _longest_alike(data)
    if size < _SHORTEST_STRETCH:
        groups = [_whole(form, form.text.encode()) for form in forms]
        return FormGroup([a for group in groups for a in group.anchors], [c for group in groups for c in group.cores])
    anchors = [_anchor(form, lead + start * step, (size - 1) * step + 2) for form in forms]
    if step == 2 or len(anchors[0].packed) < CORE_LENGTH:
        return FormGroup(anchors, [_core_with_letters(form.text) for form in forms])
    return FormGroup(anchors, [core for anchor in anchors for core in anchor.cores()])


def _core_with_letters(text: str) -> bytes:
    """Of hex, the core that has letters in as many places as can be: numbers are printed a lot."""
    cores = [text[start : start + CORE_LENGTH].encode() for start in range(max(1, len(text) - CORE_LENGTH + 1))]
    return max(cores, key=lambda core: sum(not core[start : start + 8].isdigit() for start in range(8)))


def _anchor(form: SecretForm, offset: int, length: int) -> Anchor:
    part = form.text[offset : offset + length]
    return Anchor(part.encode(), part, form, offset)


def _longest_alike(data: bytes) -> tuple[int, int]:
    """Where the longest stretch of bytes is that have no letter among their hex digits, and its length."""
    low_halves = bytes(byte & 15 for byte in data)
    found = max(_NO_LETTER.finditer(low_halves), key=lambda match: len(match[0]), default=None)
    if found is None or any(byte > 0x9F for byte in data[slice(*found.span())]):
        return 0, 0
    return found.start(), len(found[0])


def _anchor_offsets(last: int, reach: int) -> Iterator[int]:
    """Offsets such that each start from 0 to ``last`` has one at most ``reach`` behind it."""
    for offset in range(reach, last + reach + 1, reach + 1):
        yield min(offset, last)
