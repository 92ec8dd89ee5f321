"""The models that Jupyter's contents API saves: a notebook's values, a file's text or base64."""

import base64
import binascii
import json
from typing import Any

from mistral_nb.api_key import Key
from mistral_nb.file_scrub import file_types
from mistral_nb.file_scrub.clean_file import CleanResult, clean_by_type, search_bytes, split_findings
from mistral_nb.redaction.images import IMAGE_TYPES, is_image
from mistral_nb.redaction.redact import Finding, redact, redact_values
from mistral_nb.watchlist import Watchlist

_LINE = 80  # characters, to estimate a list of lines by


def clean_model(model: dict[str, Any], file: str, watchlist: Watchlist) -> CleanResult:
    """Remove the keys from ``model["content"]``, in place. ``file`` is where it will be saved.

    ``data`` of the result is not used. Content that is neither notebook nor text is left to
    the server, which refuses it.
    """
    content, kind = model.get("content"), model.get("type")
    if kind == "notebook" and isinstance(content, dict):
        if has_no_findings(content, watchlist):
            return CleanResult(b"")
        keys: dict[str, Key] = {}
        cleaned, findings = redact_values(content, watchlist, keys=keys)
        if cleaned is not content:
            model["content"] = cleaned
        return _to_result(findings, keys)
    if kind == "directory":
        return CleanResult(b"")
    return _clean_text(model, file, watchlist)


def search_model(model: dict[str, Any], file: str, watchlist: Watchlist) -> CleanResult:
    """What is in a model that can't be cleaned, all of it ``left``: a notebook's values, or a text."""
    content = model.get("content")
    data = decode_content(model)
    if data is None:
        data = json.dumps(content, default=str).encode("utf-8", "surrogatepass")
    return search_bytes(data, file, watchlist)


def has_no_findings(notebook: dict[str, Any], watchlist: Watchlist) -> bool:
    """Whether a notebook has no finding: decided from its JSON without images, which are most of it.

    In an image only a known key is searched for; with one, or if this can't decide, the answer is no.
    """
    if watchlist.known:
        return False
    try:
        slim = {**notebook, "cells": [_drop_cell_images(cell) for cell in notebook["cells"]]}
        data = json.dumps(slim, ensure_ascii=False, separators=(",\n", ": ")).encode("utf-8", "surrogatepass")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):  # no notebook as nbformat has it
        return False
    return not redact(data, watchlist, name=".ipynb").findings


def is_large(model: dict[str, Any], characters: int) -> bool:
    """Whether searching the model takes so long that it should be done in a thread."""
    content = model.get("content")
    if isinstance(content, str):
        return len(content) > characters
    return isinstance(content, dict) and _estimate_size(content) > characters


def _clean_text(model: dict[str, Any], file: str, watchlist: Watchlist) -> CleanResult:
    data = decode_content(model)
    if data is None:
        return CleanResult(b"")
    cleaned = clean_by_type(data, file, watchlist, is_explicit=False)
    if cleaned.data is not data:
        encode_content(model, cleaned.data)
    return cleaned


def decode_content(model: dict[str, Any]) -> bytes | None:
    """The bytes that will be written; None for what the server will refuse."""
    content = model.get("content")
    if not isinstance(content, str):
        return None
    if model.get("format") != "base64":
        return content.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(content.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return None


def encode_content(model: dict[str, Any], data: bytes) -> None:
    """The opposite of `decode_content`, in place."""
    if model.get("format") == "base64":
        model["content"] = base64.b64encode(data).decode("ascii")
    else:
        model["content"] = data.decode("utf-8", "surrogatepass")


def _to_result(findings: tuple[Finding, ...], keys: dict[str, Key]) -> CleanResult:
    removed, left, noted = split_findings(findings, file_types.rewritable_tiers(file_types.NOTEBOOK, is_explicit=False))
    return CleanResult(b"", removed, left, noted, keys)


def _drop_cell_images(cell: dict[str, Any]) -> dict[str, Any]:
    outputs = cell.get("outputs")
    if not isinstance(outputs, list) or not any("data" in output for output in outputs):
        return cell
    return {**cell, "outputs": [_drop_output_images(output) for output in outputs]}


def _drop_output_images(output: dict[str, Any]) -> dict[str, Any]:
    data = output.get("data")
    if not isinstance(data, dict) or data.keys().isdisjoint(IMAGE_TYPES):
        return output
    return {**output, "data": {kind: value for kind, value in data.items() if not _is_image(kind, value)}}


def _is_image(kind: str, value: Any) -> bool:
    return kind in IMAGE_TYPES and isinstance(value, str) and is_image(value)


def _estimate_size(notebook: dict[str, Any]) -> int:
    """About how many characters a notebook has: this runs at every save, so it does not look deep."""
    total = 0
    for cell in _select_dicts(notebook.get("cells")):
        total += _estimate_length(cell.get("source"))
        for output in _select_dicts(cell.get("outputs")):
            total += _estimate_length(output.get("text"))
            data = output.get("data")
            total += sum(map(_estimate_length, data.values())) if isinstance(data, dict) else 0
    return total


def _select_dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _estimate_length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return _LINE * len(value) if isinstance(value, (list, dict)) else 0
