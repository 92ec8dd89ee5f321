"""Finding and removing keys. Pure: bytes or values and a watchlist in, the same or cleaned ones out.

Known keys go in every form, as do parts of 15 characters and more; remembered ones, of which only a
fingerprint is kept, in every form that carries all their characters; suspected ones by their shape
where Mistral is named. The marker takes the place of a plain key; an encoded one is filled up so
that it still decodes.
"""

from typing import Any

from mistral_nb.scrub.engine import clean
from mistral_nb.scrub.findings import ALL_TIERS, Finding, Result, Watchlist
from mistral_nb.scrub.utf16 import as_utf8, as_utf16
from mistral_nb.scrub.wanted import Wanted

__all__ = ["ALL_TIERS", "Finding", "Result", "redact", "redact_text", "redact_values"]


def redact(data: bytes, watchlist: Watchlist, *, tiers: frozenset[str] = ALL_TIERS, name: str = "") -> Result:
    """A whole file's bytes without keys; ``tiers`` says which to look for. Never raises.

    Notebooks are told by their content, or by ``name`` ending in ``.ipynb``. Only the characters of
    a key change, in whatever encoding, indent and order the file has, valid or not.
    """
    wanted = Wanted(watchlist, tiers)
    json = True if name.endswith(".ipynb") else None
    wide = as_utf8(data)
    if wide is None:
        cleaned, findings = clean(data, wanted, json=json)
        return Result(cleaned, tuple(findings))
    cleaned, findings = clean(wide.text, wanted, json=json)
    if cleaned is not wide.text:
        data = as_utf16(wide, cleaned)
    data, more = clean(data, wanted, json=json)  # half of it may be something else
    return Result(data, (*findings, *(finding for finding in more if finding.tier in ALL_TIERS)))


def redact_text(
    text: str, watchlist: Watchlist, *, tiers: frozenset[str] = ALL_TIERS
) -> tuple[str, tuple[Finding, ...]]:
    """A text without keys, and what was found; the same object when nothing was removed."""
    data = text.encode("utf-8", "surrogatepass")
    cleaned, findings = clean(data, Wanted(watchlist, tiers), json=False)
    if cleaned is data:
        return text, tuple(findings)
    return cleaned.decode("utf-8", "surrogatepass"), tuple(findings)


def redact_values(
    value: Any, watchlist: Watchlist, *, tiers: frozenset[str] = ALL_TIERS
) -> tuple[Any, tuple[Finding, ...]]:
    """JSON-like values (a notebook, a message) without keys; the same object when there was none."""
    from mistral_nb.scrub.values import clean_values  # json, which bytes do without

    cleaned, findings = clean_values(value, Wanted(watchlist, tiers))
    return cleaned, tuple(findings)
