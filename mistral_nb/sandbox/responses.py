"""The sandbox's responses: the bodies of https://docs.mistral.ai/api, one function per endpoint."""

import uuid
from datetime import date
from typing import Any, NamedTuple

MODELS = ("mistral-small-latest", "mistral-medium-latest", "codestral-latest")


class IssuedKey(NamedTuple):
    """A key as the console lists it."""

    key_id: str
    name: str
    workspace: str
    organisation: str
    expires: date | None
    masked: str = ""  # as the console shows the key: HQSx...Ug6Y
    created: date | None = None
    last_used: date | None = None
    product: str = "API"
    can_delete: bool = True
    created_by: str | None = None  # default: the one user there is


def models_body(_issued: IssuedKey) -> dict[str, Any]:
    return {"object": "list", "data": [_model_body(name) for name in MODELS]}


def _model_body(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "mistralai",
        "capabilities": {"completion_chat": True, "function_calling": True, "completion_fim": False},
        "aliases": [],
        "type": "base",
    }


def me_body(issued: IssuedKey) -> dict[str, Any]:
    return {
        "id": make_id("user"),
        "email": "ada@example.org",
        "first_name": "Ada",
        "last_name": "Example",
        "workspace": {"id": make_id(issued.workspace), "name": issued.workspace},
        "organization": {"id": make_id(issued.organisation), "name": issued.organisation},
        "api_key": {"id": issued.key_id, "name": issued.name},
    }


def whoami_body(issued: IssuedKey) -> dict[str, Any]:
    return {
        "principal": {"principal_type": "user", "id": make_id("user")},
        "organization": {"id": make_id(issued.organisation), "name": issued.organisation},
        "workspace": {"id": make_id(issued.workspace), "name": issued.workspace},
    }


def key_info_body(issued: IssuedKey) -> dict[str, Any]:
    """A key in the organisation's list."""
    return {
        "key_id": issued.key_id,
        "name": issued.name,
        "hidden_key": issued.masked,
        "created_at": _format_moment(issued.created),
        "created_by": issued.created_by or make_id("user"),
        "expiration_date": _format_moment(issued.expires),
        "last_used": _format_moment(issued.last_used),
        "workspace_id": make_id(issued.workspace),
        "workspace_name": issued.workspace,
        "product": issued.product,
        "can_delete": issued.can_delete,
        "actions": {},
        "key": None,
    }


def usage_body(start: date, end: date, costs: dict[str, float]) -> dict[str, Any]:
    """Costs by category. The documentation names the categories, not what is in one."""
    categories = {name: {"cost": cost, "models": {}} for name, cost in costs.items()}
    return {**categories, "start_date": str(start), "end_date": str(end), "currency": "EUR"}


def _format_moment(day: date | None) -> str | None:
    return f"{day}T00:00:00Z" if day else None


def make_id(name: str) -> str:
    """The same id for the same name, always."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://sandbox.invalid/{name}"))
