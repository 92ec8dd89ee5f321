"""Keys made at run time: no file of this repository holds anything that looks like one."""

import random
import string

from mistral_nb.key import Key, is_placeholder

_ALPHABET = string.ascii_letters + string.digits


def make_text(rng: random.Random | None = None) -> str:
    """32 random alphanumerics with upper case, lower case and a digit, as Mistral makes them."""
    source = rng or random.SystemRandom()
    while True:
        text = "".join(source.choices(_ALPHABET, k=32))
        if not is_placeholder(text) and not text.isalpha() and text.lower() != text != text.upper():
            return text


def make_key(rng: random.Random | None = None) -> Key:
    return Key(make_text(rng))
