"""What a person answers to ``input`` or ``getpass``: guarded if it has the shape of a key, whoever's it is."""

import contextlib
import re
from collections.abc import Callable
from typing import Any

from mistral_nb import environment
from mistral_nb.api_key import Key, key_or_none
from mistral_nb.guard.cell_keys import mistral_fingerprints
from mistral_nb.placeholders import is_mixed, is_random

_MAX_LENGTH = 1 << 16  # characters of an answer that is looked at: more than a whole .env
_QUESTION = re.compile(r"\b(?:getpass|input)\s*\((?:[^()]|\([^()]*\))*(?=\))")  # a call, up to its last bracket


def wrap_input_request(original: Callable[..., str]) -> Callable[..., str]:
    """A kernel's ``_input_request``, which all its prompts go through, that registers the answers."""

    def request(prompt: Any, ident: Any, parent: Any, password: bool = False) -> str:
        answer = original(prompt, ident, parent, password=password)
        with contextlib.suppress(Exception):  # the cell gets its answer in any case
            _register_answer(answer, str(prompt or ""), _code_of(parent), masked=password)
        return answer

    return request


def find_key(answer: str, *, masked: bool) -> Key | None:
    """The key that an answer is, by its shape alone: 16 to 128 characters in random order.

    What is seen as it is typed must have both cases and a digit, too: a digest or an id is no secret.
    """
    key = key_or_none(answer) if len(answer) <= _MAX_LENGTH else None
    if key is None or not is_random(key.reveal()):
        return None
    return key if masked or is_mixed(key.reveal()) else None


def text_with_answer(code: str, prompt: str, key: Key) -> str:
    """What to judge by whose key it is: the cell's code with the key in its question, else the prompt and the key."""

    def insert(match: re.Match[str]) -> str:
        return f'{match[0]} "{key.reveal()}"'

    text, count = _QUESTION.subn(insert, code)
    return text if count else f"{prompt} {key.reveal()}"


def _register_answer(answer: str, prompt: str, code: str, *, masked: bool) -> None:
    key = find_key(answer, masked=masked)
    if key is None:
        return
    environment.register_secret(key)  # before anything that could fail
    if key.fingerprint in mistral_fingerprints(text_with_answer(code, prompt, key)):
        environment.register_key_in_background(key)


def _code_of(parent: Any) -> str:
    """The code of the cell that asks."""
    content = parent.get("content") if isinstance(parent, dict) else None
    code = content.get("code") if isinstance(content, dict) else None
    return code if isinstance(code, str) else ""
