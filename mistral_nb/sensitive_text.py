"""What may be repeated of a text that a person gave, where it could be a key or a passphrase in the wrong place."""

from __future__ import annotations

import os

_REPLACEMENT = "[not shown: it looks like a key]"
_LONGEST_WORD = 10  # of letters in both cases and digits, in a path that names a secret's file


def key_shaped_words(argument: str) -> list[str]:
    """The words in an argument that could be keys: 32 alphanumerics, or 20 and more of a mix.

    Hex alone is a digest or an id: a key is hex alone once in 10^19.
    """
    import re  # hooks call us once a file, and need neither

    from mistral_nb.placeholders import is_mixed

    words = re.findall(r"[A-Za-z0-9]{20,}", re.sub(r"\x1b\[[0-9;]*m", " ", argument))  # a colour is no part of one
    hexadecimal = re.compile(r"[0-9a-f]+|[0-9A-F]+")
    return [word for word in words if (len(word) == 32 or is_mixed(word)) and not hexadecimal.fullmatch(word)]


def hide_keys(sentence: str) -> str:
    """The sentence of an error without what looks like a key, unless that is part of an existing file's path."""
    if len(sentence) < 20 or not any(part.isalnum() for part in sentence):
        return sentence
    for word in key_shaped_words(sentence):
        if not _names_a_file(sentence, word):
            sentence = sentence.replace(word, _REPLACEMENT)
    return sentence


def name_secret_file(source: str, path: str) -> str:
    """``source`` and the path that it gives for a secret's file; ``source`` alone if that may be the secret itself."""
    return f"{source}, {path}," if _is_ordinary_path(path) else source


def _names_a_file(sentence: str, word: str) -> bool:
    return all(os.path.lexists(part.strip("'\"().,:;")) for part in sentence.split() if word in part)


def _is_ordinary_path(path: str) -> bool:
    if os.path.lexists(path):
        return True
    start, *parts = path.replace(os.sep, "/").split("/")
    if not parts or any(c.isspace() for c in path) or key_shaped_words(path):
        return False
    if start not in ("", ".", "..", "~") and not os.path.isdir(os.path.dirname(path)):
        return False
    from mistral_nb.placeholders import is_mixed

    return not any(len(part) >= _LONGEST_WORD and is_mixed(part) for part in parts) and len(parts) > 1
