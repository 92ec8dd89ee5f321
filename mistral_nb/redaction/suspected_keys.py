"""Suspected keys: key-shaped, in a Mistral context, not known here."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from mistral_nb.api_key import fingerprint
from mistral_nb.placeholders import is_random
from mistral_nb.redaction.findings import KEPT, NOTED, SUSPECTED, Span
from mistral_nb.redaction.keep_list import has_keep_comment
from mistral_nb.redaction.key_characters import is_mixed
from mistral_nb.redaction.key_shapes import REACH, find_key_shapes
from mistral_nb.redaction.search_terms import Match, SearchTerms

if TYPE_CHECKING:  # imported for the first run that is judged: a known key is not
    from mistral_nb.redaction.attribution import Document, DocumentFacts

_WRAPPED = re.compile(rb"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{76})$")  # a line of PEM or of MIME
_BETWEEN_LINES = b' \t\r\n",'


def find_suspects(
    text: bytes,
    terms: SearchTerms,
    *,
    notebook: bool,
    facts: "DocumentFacts | None" = None,
    is_taken: Callable[[Span], bool] | None = None,
) -> list[Match]:
    """Key-shaped runs of a text that has the context (or any, in strict mode), rewritten or not.

    ``facts``: as in `Document`. ``is_taken``: whether a run is removed anyway, so that it need not be judged.
    """
    found = []
    document: Document | None = None
    for match, start, end in find_key_shapes(text):
        if is_taken and is_taken((start, end)):
            continue
        if _is_keyish(match[0]) and not _ends_base64(match.string, match.start()):
            if document is None:
                from mistral_nb.redaction import attribution

                document = attribution.Document(text, notebook=notebook, facts=facts)
            tier = _tier(match, (start, end), document, terms)
            key = match[0].decode()
            found.append(Match(start, end, tier, fingerprint(key), key[-4:]))
            if tier == SUSPECTED:
                terms.note_key(found[-1].fingerprint, match[0])
    return found


def _is_keyish(text: bytes) -> bool:
    return is_mixed(text) and is_random(text.decode())


def _ends_base64(text: bytes, start: int) -> bool:
    """Whether the line before is one of wrapped base64, whose last line this then is."""
    before = text[max(0, start - REACH) : start]
    line = before.rstrip(_BETWEEN_LINES)
    return b"\n" in before[len(line) :] and _WRAPPED.search(line) is not None


def _tier(match: re.Match[bytes], place: Span, document: "Document", terms: SearchTerms) -> str:
    before = match.string[max(0, match.start() - REACH) : match.start()].rpartition(b"\n")[2]
    after = match.string[match.end() : match.end() + REACH].partition(b"\n")[0]
    if fingerprint(match[0].decode()) in terms.keep or has_keep_comment(before + after):
        return KEPT
    if terms.strict or document.find_owner(*place).is_mistral:
        return SUSPECTED
    return NOTED
