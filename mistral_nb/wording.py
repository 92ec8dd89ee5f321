"""Wording that many messages share, and how a typed line is split."""

import os
from collections.abc import Sequence


def plural(number: int, noun: str, many: str = "") -> str:
    """``1 key``, ``2 keys``; ``many``: the plural that takes no s at its end."""
    return f"{number} {noun if number == 1 else many or f'{noun}s'}"


def name_first(names: Sequence[str], most: int) -> str:
    """``a, b and 3 more``: the first ``most`` of them are named."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def split_words(line: str) -> list[str]:
    """As a shell splits it; on Windows a backslash is part of a path. Raises ValueError for an open quote."""
    import shlex

    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.commenters = ""
    if os.name == "nt":
        words.escape = ""
    return list(words)
