"""The engine: a quick scan first, and the full search and rewrite only where it finds something.

Rewriting can bring two texts together, so the result is looked at again until nothing is found.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from mistral_nb.redaction import quick_scan, stretches
from mistral_nb.redaction.encoded_blobs import find_empty_blobs
from mistral_nb.redaction.findings import Finding, Span
from mistral_nb.redaction.images import find_images, remove_spans
from mistral_nb.redaction.key_characters import find_runs
from mistral_nb.redaction.search import RunIndex, collect_runs, contains_key, may_hold_suspects
from mistral_nb.redaction.search_terms import SearchTerms

if TYPE_CHECKING:  # imported where something turned up: most files have nothing
    from mistral_nb.redaction.attribution import DocumentFacts
    from mistral_nb.redaction.replacements import Replacement

_ROUNDS = 20  # each removes something; two are the rule
_CODES = (b"\x1b", b"u001b", b"u001B")
_CODE_REACH = 60  # bytes: longer than an escape code, and what is between it and the key it takes letters of
_FEW_TEXTS = 100  # different keys, each of which is looked for by itself


def remove_keys(data: bytes, terms: SearchTerms, *, json: bool | None = None) -> tuple[bytes, list[Finding]]:
    """The data with every key gone, and what was found. The same object when nothing was removed.

    ``json``: whether places are to be told as paths in a JSON document; None: if it is a notebook.
    """
    notebook = quick_scan.is_notebook(data) if json is None else json
    findings: list[Finding] = []
    for look in search_rounds(data, terms, notebook):
        from mistral_nb.redaction.replacements import to_findings

        findings += to_findings(look.before, look.places if look.is_last else look.removed, notebook)
        data = look.after
    return data, findings


class SearchRound(NamedTuple):
    """One look at the data. ``places``: what was found; ``removed``: what of it is not in ``after`` any more."""

    before: bytes
    after: bytes
    places: "list[Replacement]"
    removed: "list[Replacement]"
    is_last: bool


def search_rounds(data: bytes, terms: SearchTerms, notebook: bool) -> Iterator[SearchRound]:
    """Looks at the data, and at what each look left, until nothing is found."""
    for _ in range(_ROUNDS):
        places, last = _look_through(data, terms, notebook)
        if not places:
            return
        from mistral_nb.redaction.replacements import apply_edits

        removed = [place for place in places if place.edits]
        after = apply_edits(data, removed) if removed else data
        yield SearchRound(data, after, places, removed, last)
        if last:
            return
        data = after


def _look_through(data: bytes, terms: SearchTerms, notebook: bool) -> "tuple[list[Replacement], bool]":
    """What is found, and whether nothing is left once it is removed. Large data is looked through in stretches."""
    parts = [stretches.Stretch(0, len(data), 0, len(data))]
    if len(data) > stretches.FEW * stretches.SIZE:
        passphrases = [secret.reveal().encode("utf-8", "surrogatepass") for secret in terms.passphrases]
        suspects = terms.suspects and (terms.strict or notebook or quick_scan.names_mistral(data))
        parts = list(stretches.cut(data, notebook, passphrases=passphrases, suspects=suspects, size=stretches.SIZE))
    facts = _read_facts(data, parts) if len(parts) > 1 else None
    found: list[Replacement] = []
    was_all = True
    for part in parts:
        text = data[part.low : part.high]
        look = _look(text, terms, notebook, facts)
        places = [place for place in look.places if part.start <= part.low + place.spans[0][0] < part.end]
        if look.places:
            removed = [place for place in places if place.edits]
            is_whole = len(places) == len(look.places)  # what is beyond its end is removed with the next stretch
            was_all = was_all and is_whole and (not removed or _was_all(look, removed, text, terms))
            found += (place.moved(part.low) for place in places)
    return found, was_all


def _read_facts(data: bytes, parts: list[stretches.Stretch]) -> "DocumentFacts":
    """What is read off the whole document. Images, whose base64 can spell anything, do not count."""
    from mistral_nb.redaction.attribution import DocumentFacts

    def texts() -> Iterator[bytes]:
        for part in parts:
            text = data[part.start : part.end]
            yield remove_spans(text, find_images(text))

    return DocumentFacts(texts)


class _QuickScanResult(NamedTuple):
    places: "list[Replacement]"
    readings: quick_scan.NormalizedTexts
    heard: RunIndex
    context: bool  # whether key-shaped runs were looked at


def _look(data: bytes, terms: SearchTerms, notebook: bool, facts: "DocumentFacts | None") -> _QuickScanResult:
    images = find_images(data)
    hidden = sorted([*images, *find_empty_blobs(data, images, terms)])
    text = remove_spans(data, hidden)
    readings = quick_scan.normalize_texts(text, notebook, terms.shortest_whole)
    heard = collect_runs(readings, terms)
    held = bool(heard.found) and contains_key(heard, terms)
    context = (
        terms.suspects
        and bool(heard.found)
        and may_hold_suspects(heard)
        and (terms.strict or quick_scan.names_mistral(text) or (facts is not None and facts.names_mistral))
    )
    if not (held or context or terms.passphrases or (images and terms.secrets)):
        return _QuickScanResult([], readings, heard, context)
    scope = _CloseScanScope(held, context, notebook, facts)
    return _QuickScanResult(_places(data, images, hidden, terms, scope), readings, heard, context)


class _CloseScanScope(NamedTuple):
    """What the quick scan says that the full search should find."""

    held: bool  # a known or a remembered key
    context: bool  # perhaps a suspected one
    json: bool
    facts: "DocumentFacts | None"  # of the whole document, where this is a part of it


def _places(
    data: bytes, images: list[Span], hidden: list[Span], terms: SearchTerms, heard: _CloseScanScope
) -> "list[Replacement]":
    from mistral_nb.redaction import passphrase_search, replacements
    from mistral_nb.redaction.normalize import View

    original = View(data)
    found = passphrase_search.find_passphrases(data, terms.passphrases) + replacements.find_in_images(
        data, images, terms
    )
    result = [replacements.trace_to_source(original, match) for match in found]
    if heard.held or heard.context:
        text = replacements.drop_images(data, hidden)
        if heard.held:
            result += replacements.find_replacements(text, terms, json=heard.json)
        if heard.context:
            from mistral_nb.redaction.suspected_keys import find_suspects

            taken = {place.spans[0] for place in result if place.edits and len(place.spans) == 1}
            suspects = find_suspects(
                text.text,
                terms,
                notebook=heard.json,
                facts=heard.facts,
                is_taken=lambda span: text.origin(*span)[0] in taken,
            )
            result += (replacements.trace_to_source(text, match) for match in suspects)
    return replacements.drop_overlaps(result)


def _was_all(look: _QuickScanResult, removed: "list[Replacement]", data: bytes, terms: SearchTerms) -> bool:
    """Whether nothing is left after removing plain keys, decided without scanning again."""
    in_links = any(mark in look.readings.original for mark in stretches.LINK_STARTS)  # codes that may hold a key
    if terms.reported or terms.passphrases or look.readings.literal or in_links:
        return False
    removed_texts: dict[bytes, int] = {}
    for place in removed:
        (start, end), *others = place.spans
        if others or place.match.filler is not None or end - start != place.match.end - place.match.start:
            return False
        if look.readings.original and _is_in_code(data, start, end):
            return False
        removed_texts[data[start:end]] = removed_texts.get(data[start:end], 0) + 1
    if len(removed_texts) > _FEW_TEXTS:
        return False
    together = look.heard.together
    for text, times in removed_texts.items():
        # as often as it was removed, or one of them is interrupted, and still there
        if look.readings.joined.count(text) != times or text in look.readings.bare:
            return False
        together = together.replace(text, b" ")
    return _holds_nothing(together, look, terms)


def _holds_nothing(together: bytes, look: _QuickScanResult, terms: SearchTerms) -> bool:
    """Whether what is left of the runs that were heard needs no other look."""
    runs = {run.text for run in find_runs(together, terms.shortest, terms.classes)}
    if not runs <= look.heard.found.keys():  # a part of one, whose place is not known
        return False
    left = RunIndex({run: look.heard.found[run] for run in runs}, b" ".join(runs))
    return not runs or not ((look.context and may_hold_suspects(left)) or contains_key(left, terms))


def _is_in_code(data: bytes, start: int, end: int) -> bool:
    """Whether an escape code takes the first letters of a removed key, so that it reads on without them."""
    before = data[max(0, start - _CODE_REACH) : start]
    if not any(mark in before for mark in _CODES):
        return False
    key = data[start:end]
    return not quick_scan.normalize_texts(before + key, notebook=False, shortest=len(key)).joined.endswith(key)
