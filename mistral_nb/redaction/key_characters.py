"""The characters keys are made of, and runs of them, found without looking at each byte in Python."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from mistral_nb.redaction.key_spellings import ALNUM, KEY_CHARACTERS

# Percent signs and backslashes count, so that %41%42… and \u0041\u0042… are one run each.
WIDE = bytes(107 if c in KEY_CHARACTERS + b"%\\" else 32 for c in range(256))
NARROW = bytes(107 if c in ALNUM + b"%\\" else 32 for c in range(256))
_MIX = re.compile(rb"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])")


class Run(NamedTuple):
    start: int
    text: bytes


def has_run(text: bytes, shortest: int, classes: bytes = WIDE) -> bool:
    """Whether ``shortest`` characters that a key, or an encoded one, may have stand in a row."""
    return b"k" * shortest in text.translate(classes)


def find_runs(text: bytes, shortest: int, classes: bytes = WIDE) -> Iterator[Run]:
    """Every longest run of at least ``shortest`` such characters."""
    mask = text.translate(classes)
    needle = b"k" * shortest
    start = mask.find(needle)
    while start >= 0:
        end = mask.find(b" ", start + shortest)
        if end < 0:
            end = len(mask)
        yield Run(start, text[start:end])
        start = mask.find(needle, end)


def is_mixed(text: bytes) -> bool:
    """Upper case, lower case and a digit, as all but one in 250 random keys have."""
    return bool(_MIX.match(text))
