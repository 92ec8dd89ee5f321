"""What the sandbox answers: the bodies of https://docs.mistral.ai/api, one function an endpoint."""

import uuid
from datetime import date
from typing import Any, NamedTuple

MODELS = ("mistral-small-latest", "mistral-medium-latest", "codestral-latest")


class Issued(NamedTuple):
    """A key as the console lists it."""

    key_id: str
    name: str
    workspace: str
    organisation: str
    expires: date | None
    hidden: str = ""  # as the console shows the key: HQSx...Ug6Y
    created: date | None = None
    last_used: date | None = None
    product: str = "API"
    can_delete: bool = True
    created_by: str | None = None  # default: the one user there is


def models(_issued: Issued) -> dict[str, Any]:
    return {"object": "list", "data": [_model(name) for name in MODELS]}


def _model(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "mistralai",
        "capabilities": {"completion_chat": True, "function_calling": True, "completion_fim": False},
        "aliases": [],
        "type": "base",
    }


def me(issued: Issued) -> dict[str, Any]:
    return {
        "id": identifier("user"),
        "email": "ada@example.org",
        "first_name": "Ada",
        "last_name": "Example",
        "workspace": {"id": identifier(issued.workspace), "name": issued.workspace},
        "organization": {"id": identifier(issued.organisation), "name": issued.organisation},
        "api_key": {"id": issued.key_id, "name": issued.name},
    }


def whoami(issued: Issued) -> dict[str, Any]:
    return {
        "principal": {"principal_type": "user", "id": identifier("user")},
        "organization": {"id": identifier(issued.organisation), "name": issued.organisation},
        "workspace": {"id": identifier(issued.workspace), "name": issued.workspace},
    }


def listed(issued: Issued) -> dict[str, Any]:
    """A key in the organisation's list."""
    return {
        "key_id": issued.key_id,
        "name": issued.name,
        "hidden_key": issued.hidden,
        "created_at": _moment(issued.created),
        "created_by": issued.created_by or identifier("user"),
        "expiration_date": _moment(issued.expires),
        "last_used": _moment(issued.last_used),
        "workspace_id": identifier(issued.workspace),
        "workspace_name": issued.workspace,
        "product": issued.product,
        "can_delete": issued.can_delete,
        "actions": {},
        "key": None,
    }


def usage(start: date, end: date, costs: dict[str, float]) -> dict[str, Any]:
    """Costs by category. The documentation names the categories, not what is in one."""
    categories = {name: {"cost": cost, "models": {}} for name, cost in costs.items()}
    return {**categories, "start_date": str(start), "end_date": str(end), "currency": "EUR"}


def _moment(day: date | None) -> str | None:
    return f"{day}T00:00:00Z" if day else None


def identifier(name: str) -> str:
    """The same id for the same name, always."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://sandbox.invalid/{name}"))
