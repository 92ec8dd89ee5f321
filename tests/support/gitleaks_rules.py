"""Rules for gitleaks, made from the same words and shape as ours: docs/attribution/gitleaks.toml.

To write the file again: cd tests && python -m support.gitleaks_rules
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mistral_nb.placeholders import FEWEST_WORDS, WORD
from mistral_nb.redaction.key_spellings import STANDARD_LENGTH
from mistral_nb.redaction.label_words import KEY_WORDS
from mistral_nb.redaction.mistral_words import NAMES

FILE = Path(__file__).parents[2] / "docs" / "attribution" / "gitleaks.toml"
_HEAD = """\
# Finds Mistral API keys that nobody has told the scanner about. Made by tests/support/gitleaks_rules.py; see
# ../attribution.md for what a regular expression of one file's text cannot see.
title = "Mistral API keys"

[extend]
useDefault = true
"""
_RULE = """
[[rules]]
id = "{id}"
description = "{description}"
regex = '''{regex}'''
secretGroup = 1
keywords = [{keywords}]

[[rules.allowlists]]
description = "Not mixed as a key is: hexadecimal digits, one case, or a name of a few words"
regexes = [{allowed}]
"""
_LABEL_WORDS = "|".join(sorted(KEY_WORDS))
_NAMES = "|".join(NAMES)
_QUOTES = r"""[\\"'`]{0,4}"""
# Between a label and its value: what closes the label, a sign, perhaps a function, a quote and a header's scheme.
_ASSIGNED = (
    rf"{_QUOTES}\]?\s{{0,4}}(?:=>|<-|:=|=|:|,|\s)\s{{0,4}}"
    rf"(?:[A-Za-z.]{{1,20}}\()?[fbr]?{_QUOTES}(?i:(?:bearer|token)\s)?"
)
_KEY = rf"([A-Za-z0-9]{{{STANDARD_LENGTH}}})(?:[^A-Za-z0-9+/=_-]|$)"
_OWN_LABEL = rf"(?i:{_NAMES})(?i:ai)?(?i:[_.-]?[a-z]{{0,9}}){{0,2}}[_.-]?(?i:{_LABEL_WORDS})"
_BORDER = "[^A-Za-z0-9_.-]"
_ANY_LABEL = r"(?i:openai[_.])?(?i:(?:api|secret|access)?[_-]?(?:key|token)|authorization|bearer)"
# What says that a call is Mistral's: its address, or the provider in front of a model's name.
_ADDRESS = r"(?:mistral\.ai|[\"']codestral/|[\"']mistral/|provider[\\\"']{0,4}\s?[:=]\s?[\\\"']{0,4}mistral)"
_BEFORE, _AFTER = (rf"(?:[^();&{more}-]|-[^ ]){{0,300}}?" for more in "{}")  # no other call, no next item


def make_rules() -> str:
    """The text of the file."""
    return _HEAD + "".join(map(_format_rule, _rules()))


def _rules() -> Iterator[tuple[str, str, str]]:
    client = rf"(?i:{_NAMES})\w{{0,30}}[\\\"']{{0,4}}\s?:?\s?[({{]"
    argument = _ANY_LABEL + _ASSIGNED + _KEY
    any_key = rf"(?:^|{_BORDER}){argument}"
    yield "mistral-api-key", "A Mistral API key under a label that names Mistral", _OWN_LABEL + _ASSIGNED + _KEY
    yield (
        "mistral-api-key-of-client",
        "The key that Mistral's client is given",
        rf"{client}(?:{_AFTER}{_BORDER})?{argument}",
    )
    yield "mistral-api-key-before-address", "A key and Mistral's address after it", any_key + _BEFORE + _ADDRESS
    yield "mistral-api-key-after-address", "A key and Mistral's address before it", _ADDRESS + _AFTER + any_key


def _format_rule(rule: tuple[str, str, str]) -> str:
    allowed = ("^[0-9a-z]+$", "^[0-9A-Z]+$", "^[A-Za-z]+$", f"^(?:{WORD}){{1,{FEWEST_WORDS - 1}}}$")
    return _RULE.format(
        id=rule[0],
        description=rule[1],
        regex=rule[2],
        keywords=", ".join(f'"{name}"' for name in NAMES),
        allowed=", ".join(f"'''{pattern}'''" for pattern in allowed),
    )


def find_secrets(text: str, rules: dict[str, Any]) -> set[str]:
    """What gitleaks would report of a text with the rules of a parsed file."""
    found = set()
    for rule in rules["rules"]:
        if any(word in text.lower() for word in rule["keywords"]):
            found |= {match[rule["secretGroup"]] for match in re.finditer(rule["regex"], text)}
    allowed = [pattern for rule in rules["rules"] for one in rule["allowlists"] for pattern in one["regexes"]]
    return {secret for secret in found if not any(re.search(pattern, secret) for pattern in allowed)}


def read_rules() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    FILE.write_text(make_rules(), encoding="utf-8")
