"""Responses of Mistral's Admin API as values. Written from its documentation: fields may be missing or new."""

import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from mistral_nb.api.verdict import clean_text
from mistral_nb.api_key import Key, key_or_none

STUDIO_PRODUCT = "API"  # the product whose keys this package keeps
_PRODUCTS = {"api": STUDIO_PRODUCT, "studio": STUDIO_PRODUCT}
_COSTS = ("total_cost", "cost", "total_amount", "amount", "total")
_NO_CATEGORIES = ("start_date", "end_date", "currency", "currency_symbol", "total", "total_cost", "month", "year")
_MAX_DEPTH = 8


class ApiKeyInfo(NamedTuple):
    """A key in the organisation's list. Dates are ISO, ``2027-01-31``; texts are safe to display."""

    key_id: str
    name: str = ""
    masked: str = ""  # the key's first four and last four characters, as the console shows them
    created_at: str | None = None
    created_by: str | None = None
    expires: str | None = None
    last_used: str | None = None
    workspace_id: str | None = None
    workspace: str | None = None
    product: str = STUDIO_PRODUCT
    can_delete: bool = True
    last_used_known: bool = False  # the list says when keys were used
    expiry_known: bool = False  # with ``expires`` None: it never expires

    @property
    def head(self) -> str:
        head, dots, _ = self.masked.partition("...")
        return head if dots else ""

    @property
    def tail(self) -> str:
        return self.masked.rpartition("...")[2][-4:]


class CreatedKey(NamedTuple):
    """A key just created. ``key`` is None if the response contains none."""

    key_id: str
    key: Key | None
    expires: str | None
    expiry_known: bool


class Usage(NamedTuple):
    """Costs by category, in ``currency``; ``start`` and ``end`` as the API gives them."""

    categories: tuple[tuple[str, float], ...]
    currency: str
    start: str
    end: str
    not_understood: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        return sum(cost for _, cost in self.categories)


def parse_page(data: Any) -> list[Any] | None:
    """The entries of a page of the list; None if it is not a page."""
    entries = data
    if isinstance(data, dict):
        entries = next((data[name] for name in ("keys", "api_keys", "workspaces", "data") if name in data), None)
    return entries if isinstance(entries, list) else None


def parse_key_info(entry: Any) -> ApiKeyInfo | None:
    """A key of the list; None for an entry without an id, which can't be used."""
    if not isinstance(entry, dict):
        return None
    key_id = _get_text(entry, "key_id") or _get_text(entry, "id")
    if not key_id:
        return None
    product = _get_text(entry, "product") or STUDIO_PRODUCT
    expires, expiry_told = _parse_expiry(entry)
    return ApiKeyInfo(
        key_id=key_id,
        name=_get_text(entry, "name"),
        masked=_get_text(entry, "hidden_key"),
        created_at=parse_day(entry.get("created_at")),
        created_by=_get_text(entry, "created_by") or None,
        expires=expires,
        last_used=parse_day(entry.get("last_used")),
        workspace_id=_get_text(entry, "workspace_id") or None,
        workspace=_get_text(entry, "workspace_name") or None,
        product=_PRODUCTS.get(product.lower(), product),
        can_delete=entry.get("can_delete") is not False,
        last_used_known="last_used" in entry,
        expiry_known=expiry_told,
    )


def parse_created_key(data: Any) -> CreatedKey | None:
    """A key just created; None for a response without an id."""
    if not isinstance(data, dict):
        return None
    key_id = _get_text(data, "key_id") or _get_text(data, "id")
    given = data.get("key")
    key = key_or_none(given) if isinstance(given, str) else None
    return CreatedKey(key_id, key, *_parse_expiry(data)) if key_id else None


def parse_workspace(entry: Any) -> tuple[str, str] | None:
    """Id and name of a workspace."""
    if not isinstance(entry, dict):
        return None
    key_id = next(
        filter(None, (_get_text(entry, name) for name in ("id", "uuid", "workspace_id", "workspace_uuid"))), ""
    )
    return (key_id, _get_text(entry, "name") or _get_text(entry, "workspace_name")) if key_id else None


def parse_usage(data: Any) -> Usage | None:
    """Costs by category. Categories without a recognised cost are listed in ``not_understood``."""
    if not isinstance(data, dict):
        return None
    found, unclear = [], []
    for name, value in _categories(data):
        cost = _parse_cost(value)
        if cost is not None:
            found.append((clean_text(name), cost))
        elif isinstance(value, Mapping | list) and value:
            unclear.append(clean_text(name))
    if not found and not unclear and "currency" not in data and "start_date" not in data:
        return None
    texts = (_get_text(data, "currency"), _get_text(data, "start_date")[:10], _get_text(data, "end_date")[:10])
    return Usage(tuple(found), *texts, tuple(unclear))


def _categories(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    inner = next((data[name] for name in ("categories", "usage", "costs", "data") if name in data), data)
    if isinstance(inner, list):
        for entry in inner:
            if isinstance(entry, dict):
                yield _get_text(entry, "category") or _get_text(entry, "name") or "other", entry
    elif isinstance(inner, dict):
        yield from ((name, value) for name, value in inner.items() if name not in _NO_CATEGORIES)


def _parse_cost(value: Any, deep: int = 0) -> float | None:
    """A category's cost: a number, a labelled number, or the sum of its labelled parts."""
    if isinstance(value, bool) or deep > _MAX_DEPTH:
        return None
    if isinstance(value, int | float | str):
        try:
            told_cost = float(value)
        except (ValueError, OverflowError):
            return None
        return told_cost if math.isfinite(told_cost) else None
    if isinstance(value, dict):
        for name in _COSTS:
            if name in value and (cost := _parse_cost(value[name], deep + 1)) is not None:
                return cost
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    costs = [_parse_cost(part, deep + 1) for part in parts if isinstance(part, dict | list)]
    told = [one for one in costs if one is not None]
    return sum(told) if told else None


def _parse_expiry(entry: Mapping[str, Any]) -> tuple[str | None, bool]:
    """A key's last day, and whether it is known: null means it never expires, no field or no date means unknown."""
    told = entry.get("expiration_date", "")
    return parse_day(told), told is None or parse_day(told) is not None


def parse_day(value: Any) -> str | None:
    """The date of a date or timestamp; None for anything else."""
    try:
        return date.fromisoformat(value[:10]).isoformat() if isinstance(value, str) else None
    except ValueError:
        return None


def _get_text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return clean_text(value) if isinstance(value, str) else ""
