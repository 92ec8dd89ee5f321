"""Finds a key or a part of one: the search that all leak tests share."""

import base64
from collections.abc import Mapping

RUN = 10  # characters in a row


def needles(text: str) -> set[bytes]:
    """The text in base64 (at each of its three alignments) and hex, and each run of 10 characters of it."""
    plain = text.encode()
    runs = {plain[start : start + RUN] for start in range(len(plain) - RUN + 1)}
    shifted = (base64.b64encode(b"\0" * shift + plain)[(0, 2, 3)[shift] :] for shift in range(3))
    encoded = {code.rstrip(b"=")[: len(plain)] for code in shifted}
    return runs | encoded | {code.replace(b"+", b"-").replace(b"/", b"_") for code in encoded} | {plain.hex().encode()}


def traces(text: str, places: Mapping[str, bytes]) -> list[str]:
    """The names of the places that hold ``text``, a part of it, or a form of it."""
    wanted = needles(text)
    found = []
    for name, held in places.items():
        lower = held.lower()
        if any(needle in held for needle in wanted) or text.encode().hex().encode() in lower:
            found.append(name)
    return found
