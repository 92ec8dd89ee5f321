"""Wording that many messages share, and how a typed line is split."""

import os


def plural(number: int, noun: str, many: str = "") -> str:
    """``1 key``, ``2 keys``; ``many``: the plural that takes no s at its end."""
    return f"{number} {noun if number == 1 else many or f'{noun}s'}"


def split_words(line: str) -> list[str]:
    """As a shell splits it; on Windows a backslash is part of a path. Raises ValueError for an open quote."""
    import shlex

    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.commenters = ""
    if os.name == "nt":
        words.escape = ""
    return list(words)
