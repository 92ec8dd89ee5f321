"""Keys generated at run time: no file of this repository contains anything that looks like one.

They come from one seed, which `pytest` prints and takes (``--seed``). Each test has a stream of its own, named
by its id: whichever tests run, and in whatever order, a test's keys are the same.
"""

import contextlib
import os
import random
import string
from collections.abc import Iterator
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.placeholders import is_random

_ALPHABET = string.ascii_letters + string.digits
_SEED, _LABEL = "MISTRAL_NB_TEST_SEED", "MISTRAL_NB_TEST_STREAM"
DEFAULT_SEED = "1"


class _Stream:
    def __init__(self, seed: str, label: str) -> None:
        self.seed, self.label = seed, label
        self.rng = random.Random(f"{seed}/{label}")
        self.children = 0


class _Running:
    stream = _Stream(os.environ.get(_SEED, DEFAULT_SEED), os.environ.get(_LABEL, ""))


def begin(label: str, seed: str | None = None) -> None:
    """From now on keys come from the stream of this name."""
    _Running.stream = _Stream(seed or _Running.stream.seed, label)


@contextlib.contextmanager
def within(label: str) -> Iterator[None]:
    """For the block alone."""
    before = _Running.stream
    begin(label)
    try:
        yield
    finally:
        _Running.stream = before


def rng() -> random.Random:
    """The running test's source of chance."""
    return _Running.stream.rng


class RunningRandom(random.Random):
    """What lives longer than a test takes its chance from the test that runs."""

    def choices(self, *arguments: Any, **options: Any) -> list[Any]:
        return rng().choices(*arguments, **options)


def for_child() -> dict[str, str]:
    """The variables by which a child process gets a stream of its own, another for each child."""
    stream = _Running.stream
    stream.children += 1
    return {_SEED: stream.seed, _LABEL: f"{stream.label}/{stream.children}"}


def make_text(source: random.Random | None = None) -> str:
    """32 random alphanumerics with upper case, lower case and a digit, as Mistral makes them.

    None that looks like words, as one key in a thousand does: it would not be suspected.
    """
    while True:
        text = "".join((source or rng()).choices(_ALPHABET, k=32))
        if is_random(text) and not text.isalpha() and text.lower() != text != text.upper():
            return text


def make_key(source: random.Random | None = None) -> Key:
    return Key(make_text(source))
