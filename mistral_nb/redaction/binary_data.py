"""Binary data, such as a picture in git's history: read as it is, not as text that was wrapped or coloured."""

from mistral_nb.redaction.findings import ALL_TIERS, WatchlistLike
from mistral_nb.redaction.passphrase_search import find_passphrases
from mistral_nb.redaction.quick_scan import is_notebook, names_mistral
from mistral_nb.redaction.search import collect_runs, contains_key, may_hold_suspects
from mistral_nb.redaction.search_terms import SearchTerms
from mistral_nb.redaction.utf16 import to_utf8

LOOKED_AT = 8000  # bytes: git's rule


def is_binary(data: bytes) -> bool:
    """Whether git would call it binary, but for UTF-16 and for notebooks, which are text whatever they hold."""
    return b"\0" in data[:LOOKED_AT] and to_utf8(data) is None and not is_notebook(data)


def may_hold_keys(data: bytes, watchlist: WatchlistLike) -> bool:
    """Whether a key stands there in one piece: plain, encoded, or in characters of two bytes.

    One that line breaks, tags or escape codes interrupt is not heard: in a picture every byte would be one of them.
    """
    terms = SearchTerms(watchlist, ALL_TIERS)
    readings = data, data.replace(b"\0", b"")
    runs = collect_runs(readings, terms)
    if runs.found and contains_key(runs, terms):
        return True
    if terms.passphrases and find_passphrases(data, terms.passphrases):
        return True
    context = terms.suspects and bool(runs.found) and may_hold_suspects(runs)
    return context and (terms.strict or any(map(names_mistral, readings)))
