"""The models that Jupyter's contents API saves: a notebook's values, a file's text or base64."""

import base64
import binascii
import json
from typing import Any

from mistral_nb.saving import rules
from mistral_nb.saving.clean import Cleaned, clean_as, parted
from mistral_nb.scrub import ALL_TIERS, Finding, redact, redact_values
from mistral_nb.watch import Watchlist

_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/tiff"})
_LINE = 80  # characters, to estimate a list of lines by


def clean_model(model: dict[str, Any], file: str, watchlist: Watchlist) -> Cleaned:
    """Take the keys out of ``model["content"]``, in place. ``file`` is where it will be saved.

    ``data`` of what is returned is not used. A content that is no notebook and no text is left to
    the server, which refuses it.
    """
    content, kind = model.get("content"), model.get("type")
    if kind == "notebook" and isinstance(content, dict):
        if nothing_in(content, watchlist):
            return Cleaned(b"")
        cleaned, findings = redact_values(content, watchlist)
        if cleaned is not content:
            model["content"] = cleaned
        return _values_cleaned(findings)
    if kind == "directory":
        return Cleaned(b"")
    return _clean_text(model, file, watchlist)


def nothing_in(notebook: dict[str, Any], watchlist: Watchlist) -> bool:
    """Whether a notebook holds no finding: told from its JSON without the pictures, which most of it is.

    In a picture only a key at hand is looked for; with one, or where this can't tell, the answer is no.
    """
    if watchlist.known:
        return False
    try:
        slim = {**notebook, "cells": [_without_pictures(cell) for cell in notebook["cells"]]}
        data = json.dumps(slim, ensure_ascii=False, separators=(",\n", ": ")).encode("utf-8", "surrogatepass")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):  # no notebook as nbformat has it
        return False
    return not redact(data, watchlist, name=".ipynb").findings


def is_large(model: dict[str, Any], characters: int) -> bool:
    """Whether looking through the model takes so long that it had better be done in a thread."""
    content = model.get("content")
    if isinstance(content, str):
        return len(content) > characters
    return isinstance(content, dict) and _size(content) > characters


def clean_part(model: dict[str, Any], file: str, watchlist: Watchlist) -> Cleaned:
    """Take the keys that this machine has seen out of a piece of a file, in place.

    The end of a piece can make anything look like a key, so what is told by its shape waits for the whole.
    """
    if watchlist.strict:
        return Cleaned(b"")
    cleaned = _clean_text(model, file, watchlist, rules.SURE)
    return cleaned._replace(left=())  # told of the whole


def _clean_text(model: dict[str, Any], file: str, watchlist: Watchlist, tiers: frozenset[str] = ALL_TIERS) -> Cleaned:
    data = _bytes_of(model)
    if data is None:
        return Cleaned(b"")
    cleaned = clean_as(data, file, watchlist, asked=False, tiers=tiers)
    if cleaned.data is not data:
        _put(model, cleaned.data)
    return cleaned


def _bytes_of(model: dict[str, Any]) -> bytes | None:
    """What will be written; None for what the server will refuse."""
    content = model.get("content")
    if not isinstance(content, str):
        return None
    if model.get("format") != "base64":
        return content.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(content.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return None


def _put(model: dict[str, Any], data: bytes) -> None:
    if model.get("format") == "base64":
        model["content"] = base64.b64encode(data).decode("ascii")
    else:
        model["content"] = data.decode("utf-8", "surrogatepass")


def _values_cleaned(findings: tuple[Finding, ...]) -> Cleaned:
    removed, left, noted = parted(findings, rules.rewritten(rules.NOTEBOOK, asked=False))
    return Cleaned(b"", removed, left, noted)


def _without_pictures(cell: dict[str, Any]) -> dict[str, Any]:
    outputs = cell.get("outputs")
    if not isinstance(outputs, list) or not any("data" in output for output in outputs):
        return cell
    return {**cell, "outputs": [_without_picture(output) for output in outputs]}


def _without_picture(output: dict[str, Any]) -> dict[str, Any]:
    data = output.get("data")
    if not isinstance(data, dict) or data.keys().isdisjoint(_PICTURES):
        return output
    kept = {kind: value for kind, value in data.items() if kind not in _PICTURES or not isinstance(value, str)}
    return {**output, "data": kept}


def _size(notebook: dict[str, Any]) -> int:
    """About how many characters a notebook has: this runs at every save, so it does not look deep."""
    total = 0
    for cell in _dicts(notebook.get("cells")):
        total += _length(cell.get("source"))
        for output in _dicts(cell.get("outputs")):
            total += _length(output.get("text"))
            data = output.get("data")
            total += sum(map(_length, data.values())) if isinstance(data, dict) else 0
    return total


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return _LINE * len(value) if isinstance(value, (list, dict)) else 0
