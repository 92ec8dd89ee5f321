"""Finds and removes keys. Pure: bytes or values and a watchlist in, the same or cleaned ones out.

Known keys are removed in every form, as are parts of 15 characters and more; remembered ones, of which only a
fingerprint is kept, in every form that carries all their characters; suspected ones by their shape
where Mistral is mentioned. The marker replaces a plain key; an encoded one is filled so
that it still decodes.
"""

from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.redaction.engine import remove_keys
from mistral_nb.redaction.findings import ALL_TIERS, Finding, Result, WatchlistLike
from mistral_nb.redaction.search_terms import SearchTerms
from mistral_nb.redaction.utf16 import to_utf8, to_utf16

__all__ = ["ALL_TIERS", "Finding", "Result", "redact", "redact_text", "redact_values"]


def redact(data: bytes, watchlist: WatchlistLike, *, tiers: frozenset[str] = ALL_TIERS, name: str = "") -> Result:
    """A whole file's bytes without keys; ``tiers`` says which to look for. Never raises.

    Notebooks are told by their content, or by ``name`` ending in ``.ipynb``. Only the characters of
    a key change, in whatever encoding, indent and order the file has, valid or not.
    """
    terms = SearchTerms(watchlist, tiers)
    json = True if name.endswith(".ipynb") else None
    result = _redact(data, terms, json)._replace(keys=terms.found_keys)
    return result if result.data is data else _with_valid_json(data, result, terms, json)


def _redact(data: bytes, terms: SearchTerms, json: bool | None) -> Result:
    wide = to_utf8(data)
    if wide is None:
        cleaned, findings = remove_keys(data, terms, json=json)
        return Result(cleaned, tuple(findings))
    cleaned, findings = remove_keys(wide.text, terms, json=json)
    if cleaned is not wide.text:
        data = to_utf16(wide, cleaned)
    whole, more = remove_keys(data, terms, json=json)  # half of it may be something else
    if whole is not data and _breaks_json(data, whole):  # no: a letter of an escape was taken for one of a key
        return Result(data, tuple(findings))
    return Result(whole, (*findings, *(finding for finding in more if finding.tier in ALL_TIERS)))


def _breaks_json(before: bytes, after: bytes) -> bool:
    from mistral_nb.redaction.json_safety import is_broken  # for the few files with a key

    return is_broken(before, after)


def _with_valid_json(data: bytes, result: Result, terms: SearchTerms, json: bool | None) -> Result:
    """The result, if it broke no JSON; else with the document's strings cleaned one by one, or nothing at all."""
    from mistral_nb.redaction import json_safety

    if not _breaks_json(data, result.data):
        return result
    if to_utf8(data) is None:
        cleaned = json_safety.clean_strings(data, lambda text: remove_keys(text, terms, json=False)[0])
        left = _redact(cleaned, terms, json).findings
        if not _breaks_json(data, cleaned) and not any(finding.tier in ALL_TIERS for finding in left):
            return result._replace(data=cleaned)
    return result._replace(data=data, problem=json_safety.PROBLEM)


def redact_text(
    text: str, watchlist: WatchlistLike, *, tiers: frozenset[str] = ALL_TIERS
) -> tuple[str, tuple[Finding, ...]]:
    """A text without keys, and what was found; the same object when nothing was removed."""
    data = text.encode("utf-8", "surrogatepass")
    cleaned, findings = remove_keys(data, SearchTerms(watchlist, tiers), json=False)
    if cleaned is data:
        return text, tuple(findings)
    return cleaned.decode("utf-8", "surrogatepass"), tuple(findings)


def redact_values(
    value: Any, watchlist: WatchlistLike, *, tiers: frozenset[str] = ALL_TIERS, keys: dict[str, Key] | None = None
) -> tuple[Any, tuple[Finding, ...]]:
    """JSON-like values (a notebook, a message) without keys; the same object when there was none.

    ``keys`` gets the keys of a `Result`.
    """
    from mistral_nb.redaction.json_values import clean_values  # json, which bytes do without

    terms = SearchTerms(watchlist, tiers)
    cleaned, findings = clean_values(value, terms)
    if keys is not None:
        keys.update(terms.found_keys)
    return cleaned, tuple(findings)
