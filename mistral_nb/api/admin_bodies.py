"""What Mistral's Admin API answers, as values. Written from its documentation: fields may be missing or new."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from mistral_nb.api.verdict import clean
from mistral_nb.key import Key, key_or_none

STUDIO = "API"  # the product whose keys this package keeps
_PRODUCTS = {"api": STUDIO, "studio": STUDIO}
_COSTS = ("total_cost", "cost", "total_amount", "amount", "total")
_NO_CATEGORIES = ("start_date", "end_date", "currency", "currency_symbol", "total", "total_cost", "month", "year")
_DEEPEST = 8


class Listed(NamedTuple):
    """A key in the organisation's list. Dates are ISO, ``2027-01-31``; texts are fit to be shown."""

    key_id: str
    name: str = ""
    hidden: str = ""  # the key's first four and last four characters, as the console shows them
    created_at: str | None = None
    created_by: str | None = None
    expires: str | None = None
    last_used: str | None = None
    workspace_id: str | None = None
    workspace: str | None = None
    product: str = STUDIO
    can_delete: bool = True
    use_told: bool = False  # the list says when keys were used
    expiry_told: bool = False  # with ``expires`` None: it never expires

    @property
    def head(self) -> str:
        head, dots, _ = self.hidden.partition("...")
        return head if dots else ""

    @property
    def tail(self) -> str:
        return self.hidden.rpartition("...")[2][-4:]


class Created(NamedTuple):
    """A key just made. ``key`` is None where the answer holds none."""

    key_id: str
    key: Key | None
    expires: str | None
    expiry_told: bool


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


def page(data: Any) -> list[Any] | None:
    """The entries of a page of the list; None for what is no page."""
    entries = data
    if isinstance(data, dict):
        entries = next((data[name] for name in ("keys", "api_keys", "workspaces", "data") if name in data), None)
    return entries if isinstance(entries, list) else None


def listed(entry: Any) -> Listed | None:
    """A key of the list; None for an entry without an id, which nothing can be done about."""
    if not isinstance(entry, dict):
        return None
    key_id = _text(entry, "key_id") or _text(entry, "id")
    if not key_id:
        return None
    product = _text(entry, "product") or STUDIO
    expires, expiry_told = _expiry(entry)
    return Listed(
        key_id=key_id,
        name=_text(entry, "name"),
        hidden=_text(entry, "hidden_key"),
        created_at=day(entry.get("created_at")),
        created_by=_text(entry, "created_by") or None,
        expires=expires,
        last_used=day(entry.get("last_used")),
        workspace_id=_text(entry, "workspace_id") or None,
        workspace=_text(entry, "workspace_name") or None,
        product=_PRODUCTS.get(product.lower(), product),
        can_delete=entry.get("can_delete") is not False,
        use_told="last_used" in entry,
        expiry_told=expiry_told,
    )


def created(data: Any) -> Created | None:
    """A key just made; None for an answer without an id."""
    if not isinstance(data, dict):
        return None
    key_id = _text(data, "key_id") or _text(data, "id")
    given = data.get("key")
    key = key_or_none(given) if isinstance(given, str) else None
    return Created(key_id, key, *_expiry(data)) if key_id else None


def workspace(entry: Any) -> tuple[str, str] | None:
    """Id and name of a workspace."""
    if not isinstance(entry, dict):
        return None
    key_id = next(filter(None, (_text(entry, name) for name in ("id", "uuid", "workspace_id", "workspace_uuid"))), "")
    return (key_id, _text(entry, "name") or _text(entry, "workspace_name")) if key_id else None


def usage(data: Any) -> Usage | None:
    """Costs by category. What is a category and yet says no cost is named in ``not_understood``."""
    if not isinstance(data, dict):
        return None
    found, unclear = [], []
    for name, value in _categories(data):
        cost = _cost(value)
        if cost is not None:
            found.append((clean(name), cost))
        elif isinstance(value, Mapping | list) and value:
            unclear.append(clean(name))
    if not found and not unclear and "currency" not in data and "start_date" not in data:
        return None
    texts = (_text(data, "currency"), _text(data, "start_date")[:10], _text(data, "end_date")[:10])
    return Usage(tuple(found), *texts, tuple(unclear))


def _categories(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    inner = next((data[name] for name in ("categories", "usage", "costs", "data") if name in data), data)
    if isinstance(inner, list):
        for entry in inner:
            if isinstance(entry, dict):
                yield _text(entry, "category") or _text(entry, "name") or "other", entry
    elif isinstance(inner, dict):
        yield from ((name, value) for name, value in inner.items() if name not in _NO_CATEGORIES)


def _cost(value: Any, deep: int = 0) -> float | None:
    """A category's cost: a number, what is said to be one, or the sum of the parts that say so."""
    if isinstance(value, bool) or deep > _DEEPEST:
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, dict):
        for name in _COSTS:
            if name in value and (cost := _cost(value[name], deep + 1)) is not None:
                return cost
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    costs = [_cost(part, deep + 1) for part in parts if isinstance(part, dict | list)]
    told = [cost for cost in costs if cost is not None]
    return sum(told) if told else None


def _expiry(entry: Mapping[str, Any]) -> tuple[str | None, bool]:
    """A key's last day, and whether it is told: null tells that there is none, no field or no date tells nothing."""
    told = entry.get("expiration_date", "")
    return day(told), told is None or day(told) is not None


def day(value: Any) -> str | None:
    """The date of a date or a point in time; None for anything else."""
    try:
        return date.fromisoformat(value[:10]).isoformat() if isinstance(value, str) else None
    except ValueError:
        return None


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return clean(value) if isinstance(value, str) else ""
