"""Ways to write a key that a person or a program can read back: wrapped, separated, with something in between."""

import base64
import json
import random
from collections.abc import Callable

GAPS = [
    *("<wbr>", "<WBR>", "</b>", '</span><span style="color: red">', "<!-- x -->", "<i>"),
    *("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u180e", "\u061c", "\u206f"),
    *("&shy;", "&#8203;", "&ZeroWidthSpace;", "&#x200B;"),
    *("\x1b[31m", "\x1b[0m", "\x1b[1;38;5;208m", "\0"),
]
SEPARATORS = [" ", ":", "-", "_", ".", ",", ", 0x", "\\x", ""]
BREAKS = ["\n", "\r\n"]
QUOTINGS: list[Callable[[str], str]] = [str, repr, json.dumps, lambda text: json.dumps(json.dumps(text))]


def split_up(rng: random.Random, key: str, gap: str | None = None) -> str:
    """The key with something that is not seen in it every few characters."""
    pieces, done = [], 0
    while done < len(key):
        size = rng.choice((1, 2, 3, 5, 8, 14))
        pieces.append(key[done : done + size])
        done += size
    return "".join(piece + (gap or rng.choice(GAPS)) for piece in pieces)


def in_base64_lines(key: str, before: int, width: int, line_break: str, url_safe: bool = False) -> str:
    """A longer text in base64, with ``before`` bytes before the key."""
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    digits = encode(b"\xfb" * before + key.encode() + b"\xfe" * 70).decode()
    return "".join(digits[start : start + width] + line_break for start in range(0, len(digits), width))


def in_hex(key: str, separator: str, upper: bool = False, before: int = 0) -> str:
    return separator.join(f"{byte:02{'X' if upper else 'x'}}" for byte in b"\xfb" * before + key.encode() + b"\xfe")


def written_somehow(rng: random.Random, key: str) -> str:
    """One of all these, quoted or not, with text around it."""
    kind = rng.randrange(3)
    if kind == 0:
        text = split_up(rng, key, rng.choice([None, *GAPS]))
    elif kind == 1:
        text = in_base64_lines(key, rng.randrange(160), rng.choice((64, 76)), rng.choice(BREAKS), rng.random() < 0.5)
    else:
        text = in_hex(key, rng.choice(SEPARATORS), rng.random() < 0.5, rng.randrange(9))
    return rng.choice(QUOTINGS)(f"it is {text} and so on")
