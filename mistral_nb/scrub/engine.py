"""The engine: look quietly, and only where something turns up look closely and rewrite.

Rewriting can bring two texts together, so the result is looked at again until nothing is found.
"""

from typing import TYPE_CHECKING, NamedTuple

from mistral_nb.key import MARKER
from mistral_nb.scrub import quiet
from mistral_nb.scrub.findings import Finding
from mistral_nb.scrub.scan import gathered, holds_any, may_hold_suspects
from mistral_nb.scrub.wanted import Wanted

if TYPE_CHECKING:  # imported where something turned up: most files have nothing
    from mistral_nb.scrub.places import Place

_ROUNDS = 20  # each removes something; two are the rule
_CODES = (b"\x1b", b"u001b", b"u001B")
_CODE_REACH = 60  # bytes: longer than an escape code, and what is between it and the key it takes letters of
_MARKER = MARKER.encode()


def clean(data: bytes, wanted: Wanted, *, json: bool | None = None) -> tuple[bytes, list[Finding]]:
    """The data with every key gone, and what was found. The same object when nothing was removed.

    ``json``: whether places are to be told as paths in a JSON document; None: if it is a notebook.
    """
    notebook = quiet.is_notebook(data) if json is None else json
    findings: list[Finding] = []
    for _ in range(_ROUNDS):
        look = _look(data, wanted, notebook)
        if not look.places:
            break
        from mistral_nb.scrub.places import spliced, told

        removed = [place for place in look.places if place.edits]
        last = not removed or _was_all(look, removed, data, wanted)
        findings += told(data, look.places if last else removed, notebook)
        if removed:
            data = spliced(data, removed)
        if last:
            break
    return data, findings


class _Look(NamedTuple):
    places: "list[Place]"
    readings: quiet.Readings
    context: bool  # whether key-shaped runs were looked at


def _look(data: bytes, wanted: Wanted, notebook: bool) -> _Look:
    images = quiet.images(data)
    text = quiet.without(data, images)
    readings = quiet.readings(text, notebook)
    heard = gathered(readings, wanted)
    held = bool(heard.found) and holds_any(heard, wanted)
    context = (
        wanted.suspects
        and bool(heard.found)
        and may_hold_suspects(heard)
        and (wanted.strict or quiet.names_mistral(text))
    )
    if not (held or context or wanted.odd or (images and wanted.secrets)):
        return _Look([], readings, context)
    heard_of = _Heard(held, context, notebook)
    return _Look(_places(data, images, wanted, heard_of), readings, context)


class _Heard(NamedTuple):
    """What the quiet look says that the close one should find."""

    held: bool  # a known or a remembered key
    context: bool  # perhaps a suspected one
    json: bool


def _places(data: bytes, images: list[tuple[int, int]], wanted: Wanted, heard: _Heard) -> "list[Place]":
    from mistral_nb.scrub import odd, places

    original = places.whole(data)
    found = odd.places(data, wanted.odd) + places.in_images(data, images, wanted)
    result = [places.traced(original, match) for match in found]
    if heard.held or heard.context:
        text = places.without_images(data, images)
        if heard.held:
            result += places.closely(text, wanted, json=heard.json)
        if heard.context:
            from mistral_nb.scrub.suspects import suspects

            result += (places.traced(text, match) for match in suspects(text.text, wanted))
    return places.apart(result)


def _was_all(look: _Look, removed: "list[Place]", data: bytes, wanted: Wanted) -> bool:
    """Whether removing plain keys leaves nothing: told from the reading at hand, without a new one."""
    if look.context or wanted.reported or wanted.odd:
        return False
    if b"\x1b]" in data or b"u001b]" in data:  # codes that may hold a key themselves
        return False
    removed_texts: dict[bytes, int] = {}
    for place in removed:
        (start, end), *others = place.spans
        if others or place.match.filler is not None or end - start != place.match.end - place.match.start:
            return False
        if look.readings.original and _is_in_code(data, start, end):
            return False
        removed_texts[data[start:end]] = removed_texts.get(data[start:end], 0) + 1
    readings = list(look.readings)
    for text, times in removed_texts.items():
        # as often as it was removed, or one of them is interrupted, and still there
        if look.readings.joined.count(text) != times or text in look.readings.bare:
            return False
        readings = [reading.replace(text, _MARKER) for reading in readings]
    heard = gathered(readings, wanted)
    return not heard.found or not holds_any(heard, wanted)


def _is_in_code(data: bytes, start: int, end: int) -> bool:
    """Whether an escape code takes the first letters of a removed key, so that it reads on without them."""
    before = data[max(0, start - _CODE_REACH) : start]
    if not any(mark in before for mark in _CODES):
        return False
    key = data[start:end]
    return not quiet.readings(before + key, notebook=False).joined.endswith(key)
