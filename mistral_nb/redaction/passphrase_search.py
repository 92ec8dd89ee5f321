"""Secrets with characters that no key has, such as a passphrase: plain, quoted, and as JSON writes them."""

import json

from mistral_nb.api_key import MIN_FRAGMENT, Secret
from mistral_nb.redaction.encodings import base64_forms, hex_forms, written_forms
from mistral_nb.redaction.findings import KNOWN
from mistral_nb.redaction.search import drop_overlapping_matches
from mistral_nb.redaction.search_terms import Match

_BLOCK = 8  # any 15 characters in a row hold one whole block of 8


def find_passphrases(data: bytes, secrets: list[Secret]) -> list[Match]:
    """Where the secrets, parts of 15 characters and more of them, and encoded ones stand."""
    found: set[Match] = set()
    for secret in secrets:
        for written in _writings(secret.reveal()):
            found.update(_parts(data, written))
        for form, filler in _whole_forms(secret.reveal()):
            position = data.find(form)
            while position >= 0:
                end = position + len(form)
                found.add(Match(position, end, KNOWN, "", "", filler))
                position = data.find(form, end)
    return drop_overlapping_matches(found)


def _writings(text: str) -> list[list[bytes]]:
    """The secret's characters as bytes: as they are, and as JSON writes them."""
    plain = [c.encode("utf-8", "surrogatepass") for c in text]
    escaped = [json.dumps(c)[1:-1].encode() for c in text]
    light = [json.dumps(c, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass") for c in text]
    return [plain, *(w for w in (escaped, light) if w != plain)]


def _parts(data: bytes, written: list[bytes]) -> list[Match]:
    found = []
    for first in range(0, max(1, len(written) - _BLOCK + 1), _BLOCK):
        block = b"".join(written[first : first + _BLOCK])
        position = data.find(block)
        while position >= 0:
            start, end, low, high = position, position + len(block), first, min(first + _BLOCK, len(written))
            while low and data[:start].endswith(written[low - 1]):
                low, start = low - 1, start - len(written[low - 1])
            while high < len(written) and data.startswith(written[high], end):
                high, end = high + 1, end + len(written[high])
            if high - low >= min(MIN_FRAGMENT, len(written)):
                found.append(Match(start, end, KNOWN, "", ""))
            position = data.find(block, max(end, position + 1))
    return found


def _whole_forms(text: str) -> list[tuple[bytes, bytes | None]]:
    """The secret as repr and JSON in JSON write it, which the marker replaces, and in hex and base64, with a filler."""
    raw = text.encode("utf-8", "surrogatepass")
    quoted = sorted(form.encode("utf-8", "surrogatepass") for form in written_forms(text))
    encoded = sorted(form.encode() for form in hex_forms(raw) | base64_forms(raw))
    return [*((form, None) for form in quoted), *((form, b"7" * len(form)) for form in encoded)]
