"""The remembered keys, of which fingerprint, length and last characters are known, prepared for searching.

Of a text only the places are looked at where a key can end, and there four characters at a time, as one number each:
a thousand keys take as long as one. A long text is read as UTF-16, two characters as one, so that the search for all
pairs that a tail consists of is one regular expression: that takes a sixth of the time, once it is compiled.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from mistral_nb.api_key import fingerprint
from mistral_nb.redaction.findings import RememberedFingerprint
from mistral_nb.redaction.key_spellings import KEY_CHARACTERS, STANDARD_LENGTH

_LONG = 1 << 16  # bytes of a text from which on the search pays for being compiled
_WORD = 4  # bytes: the length of every tail that this program wrote
_CLASSES = bytes(107 if c in KEY_CHARACTERS else 32 for c in range(256))


class TailMatch(NamedTuple):
    start: int
    end: int
    fingerprint: str
    tail: str


class RememberedTails:
    """``shortest``: the length of the shortest key. ``is_plain``: every key has 32 letters and digits."""

    def __init__(self, entries: Sequence[RememberedFingerprint], long: int = _LONG) -> None:
        self._long = long
        self._by_tail: dict[bytes, list[tuple[int, str]]] = {}
        self._by_word: dict[int, list[bytes]] = {}
        self._odd: list[bytes] = []  # tails that are searched for one by one
        self.shortest = min((entry.length for entry in entries), default=STANDARD_LENGTH)
        # where it was not noted, a key of the standard length is taken to have the standard characters
        self.is_plain = all(
            entry.length == STANDARD_LENGTH and entry.standard is not False and entry.tail.isalnum()
            for entry in entries
        )
        for entry in entries:
            tail = entry.tail.encode("utf-8", "surrogatepass")
            if tail and not tail.translate(None, KEY_CHARACTERS):  # no key ends with anything else
                self._by_tail.setdefault(tail, []).append((entry.length, entry.fingerprint))
        for tail, keys in self._by_tail.items():
            if len(tail) < _WORD or any(length < len(tail) for length, _ in keys):
                self._odd.append(tail)
            else:
                self._by_word.setdefault(int.from_bytes(tail[-_WORD:], sys.byteorder), []).append(tail)
        self._words = frozenset(self._by_word)
        self._shortest_run = max(self.shortest, _WORD)

    def find_matches(self, text: bytes) -> Iterator[TailMatch]:
        """The keys in plain form in ``text``."""
        tails = [*self._odd]
        if self._words and len(text) >= self._long and text.isascii():
            for end, tail in self._ends_in_long(text):
                yield from self._keys_at(text, end, tail)
        elif self._words:
            tails += {tail for word in self._words_in(text) for tail in self._by_word[word]}
        for tail in tails:
            position = text.find(tail)
            while position >= 0:
                yield from self._keys_at(text, position + len(tail), tail)
                position = text.find(tail, position + 1)

    def _keys_at(self, text: bytes, end: int, tail: bytes) -> Iterator[TailMatch]:
        for length, name in self._by_tail[tail]:
            if _hashes_to(text[max(0, end - length) : end], length, name):
                yield TailMatch(end - length, end, name, tail.decode())

    @cached_property
    def _pairs(self) -> re.Pattern[str]:
        """In a text read as UTF-16: the first pair of a tail's last four characters, before the second."""
        ends = {tail[-_WORD:].decode("utf-16") for tails in self._by_word.values() for tail in tails}
        first, second = ("".join(sorted({end[place] for end in ends})) for place in (0, 1))
        return re.compile(f"[{re.escape(first)}](?=[{re.escape(second)}])")

    def _ends_in_long(self, text: bytes) -> Iterator[tuple[int, bytes]]:
        """Where tails end, and which."""
        for shift in (0, 1):
            units = text[shift : shift + (len(text) - shift) // 2 * 2].decode("utf-16")
            for match in self._pairs.finditer(units):
                end = shift + 2 * match.start() + _WORD
                for tail in self._by_word.get(int.from_bytes(text[end - _WORD : end], sys.byteorder), ()):
                    if text.endswith(tail, 0, end):
                        yield end, tail

    def _words_in(self, text: bytes) -> set[int]:
        """The last four characters, as numbers, that stand where a key can end."""
        shortest, ends = self._shortest_run, []
        mask, needle = text.translate(_CLASSES), b"k" * self._shortest_run
        start = mask.find(needle)
        while start >= 0:  # as `find_runs`, for which this is called too often
            end = mask.find(b" ", start + shortest)
            end = len(mask) if end < 0 else end
            ends.append(text[start + shortest - _WORD : end])
            start = mask.find(needle, end)
        last = b" ".join(ends)
        found: set[int] = set()
        for shift in range(_WORD):
            whole = (len(last) - shift) // _WORD * _WORD
            if whole > 0:
                found |= self._words.intersection(memoryview(last)[shift : shift + whole].cast("I"))
        return found


def _hashes_to(window: bytes, length: int, name: str) -> bool:
    return len(window) == length and not window.translate(None, KEY_CHARACTERS) and fingerprint(window.decode()) == name
