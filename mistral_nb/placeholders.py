"""Placeholders, which stand in examples where a key belongs, and other texts that nobody generated."""

import re

# A random key of 32 alphanumerics holds "xxx" in some case once in a thousand, "your" once in
# thirty thousand: the short words count only if the shape is not a key's.
_PLACEHOLDER_WORDS = re.compile(
    r"your|example|xxx|dummy|key[ _-]?here|api[ _-]?key|placeholder|change[ _-]?me|redacted|replace",
    re.IGNORECASE,
)
_PLACEHOLDER_IN_A_KEY = re.compile(r"x{6}|example|key_?here|api_?key|placeholder|changeme|redacted", re.IGNORECASE)
_FEWEST_DISTINCT = 10  # characters
_STANDARD_KEY = re.compile(r"[A-Za-z0-9]{32}")
# Words of an identifier: Mistral3ForConditionalGeneration has 5, a random key some 18.
WORD = "[A-Z]?[a-z]+|[A-Z]+|[0-9]+"
FEWEST_WORDS = 10  # loses 7 random keys in 10 000
_WORD = re.compile(WORD)


def is_placeholder(text: str) -> bool:
    """Whether a value is a placeholder for a key: ``<YOUR MISTRAL API KEY>``, ``xxxx…``, …"""
    if len(set(text)) < _FEWEST_DISTINCT:
        return True
    key_shaped = _STANDARD_KEY.fullmatch(text) and is_mixed(text)
    pattern = _PLACEHOLDER_IN_A_KEY if key_shaped else _PLACEHOLDER_WORDS
    return bool(pattern.search(text))


def is_random(text: str) -> bool:
    """Whether letters and digits change as often as chance makes them, and not as people write names and phrases."""
    return len(_WORD.findall(text)) >= FEWEST_WORDS and not is_placeholder(text)


def is_mixed(text: str) -> bool:
    """Whether it has upper case, lower case and a digit, as nearly every key has."""
    return all(any(map(test, text)) for test in (str.isupper, str.islower, str.isdigit))
