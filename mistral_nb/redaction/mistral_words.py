"""The words that name Mistral: the one home of them. Imports nothing, so that the prefilter can use it."""

NAMES = ("mistral", "codestral", "ministral", "magistral")
# Parts of every name above, as people write it: mistral, Mistral or MISTRAL. A part is found by a quick search.
LOWER_PARTS = (b"istral", b"odestral")
UPPER_PARTS = (b"ISTRAL", b"ODESTRAL")
HEADER_ERROR = b"Illegal header value"  # a client's error that quotes the whole header, with the key in it
_COMMON_PARTS = (b"stral", b"STRAL")  # of all parts


def may_name_mistral(text: bytes) -> bool:
    """False only for a text that does not name Mistral; the cheapest such test."""
    return any(part in text for part in _COMMON_PARTS) or HEADER_ERROR in text


def names_mistral(text: bytes, marker: bytes) -> bool:
    """Whether a text names Mistral, an SDK of it, or shows the error that quotes a key.

    ``marker`` names it too and does not count: what is removed must not change what is looked at.
    """
    if any(part in text for part in LOWER_PARTS) or HEADER_ERROR in text:
        return True
    upper = [part for part in UPPER_PARTS if part in text]
    return any(text.count(part) > text.count(marker) * marker.count(part) for part in upper)
