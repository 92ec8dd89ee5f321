"""The sandbox's Admin API: the organisation's keys, workspaces and costs, with rights, policies and failures.

    admin_key = sandbox.admin.make_key()
    sandbox.admin.policies["prod"] = 30      # days that a key of this workspace lives at most
    sandbox.admin.fail("answer lost")        # one of FAULTS

The bodies are those of Mistral's documentation, never compared with the real ones.
"""

import json
import threading
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from mistral_nb.api import sandbox_bodies
from mistral_nb.api.sandbox_bodies import Issued, identifier
from mistral_nb.key import Key, fingerprint

if TYPE_CHECKING:
    from mistral_nb.api.sandbox import Sandbox

BASE = "/v1/admin"
READ, CREATE, DELETE = "read", "create", "delete"
LARGEST_PAGE = 100
FAULTS: Mapping[str, str] = {
    "bearer only": "refuses x-api-key",
    "missing": "404 for everything, as where there is no Admin API",
    "unknown fields": "every body and entry holds more than is documented",
    "answer lost": "does what it is asked to do, and hangs up",
    "created, then 500": "makes the key, and answers 500",
    "no key in the answer": "makes the key, and does not tell it",
    "no date in the answer": "makes the key, and does not tell its expiry",
    "no dates in the list": "lists keys without their expiry",
    "unclear dates in the list": "lists keys with an expiry that is no date",
    "searches names alone": "finds no key by its last four characters",
    "500 at delete": "deletes nothing, and answers 500",
    "hang up at delete": "deletes nothing, and hangs up",
    "ignores offset": "answers with the first page, whatever is asked for",
    "html": "200 with a login page",
    "costs of another kind": "categories that name no cost",
}
_MORE = {"a_new_field": {"nested": [1, None, "text"]}, "schema_version": 7}
_FORBIDDEN = {"detail": "Insufficient permissions"}
_COSTS = {"chat": 12.5, "completion": 3.25, "ocr": 0.75, "fine_tuning": 0.0, "vibe_usage": 4.0}


class Handler(Protocol):
    """What the Admin side needs of the server's handler."""

    command: str
    path: str
    payload: bytes

    @property
    def headers(self) -> Any: ...
    def shown_key(self) -> str: ...
    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None: ...
    def hang_up(self) -> None: ...


class AdminSide:
    """The Admin API of a sandbox. ``refusals``: how often a key made here is refused at first."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self.sandbox = sandbox
        self.policies: dict[str, int] = {}
        self.costs: dict[str, float] = dict(_COSTS)
        self.refusals = 0
        self.fault = ""
        self._rights: dict[str, frozenset[str]] = {}
        self._one_at_a_time = threading.Lock()

    def make_key(self, *rights: str) -> Key:
        """An Admin key with these rights, by default with all."""
        key = self.sandbox.make_key("Backoffice")
        self.sandbox.revoke(key)  # an Admin key is no ordinary one
        self.sandbox.workspaces.discard("Backoffice")
        self._rights[key.fingerprint] = frozenset(rights or (READ, CREATE, DELETE))
        return key

    def fail(self, fault: str) -> None:
        """Switch on one of `FAULTS`, by name; an empty name ends it."""
        if fault and fault not in FAULTS:
            raise ValueError(fault)
        self.fault = fault

    def keys(self) -> dict[str, Issued]:
        """The ordinary keys there are, by key_id."""
        return {issued.key_id: issued for issued in self.sandbox.issued().values()}

    def serve(self, handler: Handler) -> None:
        if self.fault == "html":
            return handler.answer(200, b"<!doctype html><html></html>", {"Content-Type": "text/html"})
        status, body = self._answer_to(handler)
        if status == 0 or (self.fault == "answer lost" and handler.command != "GET"):
            return handler.hang_up()
        return handler.answer(status, json.dumps(self._with_more(body)).encode())

    def _answer_to(self, handler: Handler) -> tuple[int, Any]:
        rights = self._rights.get(fingerprint(handler.shown_key()))
        if rights is None or (self.fault == "bearer only" and handler.headers.get("x-api-key")):
            return 401, {"detail": "Unauthorized"}
        parts = urlsplit(handler.path)
        name, _, rest = parts.path.removeprefix(f"{BASE}/").partition("/")
        route = _ROUTES.get((handler.command, name))
        if self.fault == "missing" or route is None or bool(rest) != (handler.command == "DELETE"):
            return 404, {"detail": "Not Found"}
        right, act = route
        if right not in rights:
            return 403, _FORBIDDEN
        with self._one_at_a_time:
            return act(self, unquote(rest), dict(parse_qsl(parts.query)), handler.payload)

    def _with_more(self, body: Any) -> Any:
        if self.fault != "unknown fields" or not isinstance(body, dict):
            return body
        lists = {name: [_MORE | entry for entry in value] for name, value in body.items() if isinstance(value, list)}
        return _MORE | body | lists

    def list_keys(self, _: str, query: Mapping[str, str], __: bytes) -> tuple[int, Any]:
        wanted = query.get("name", "")
        by_tail = self.fault != "searches names alone"
        found = [k for k in self.keys().values() if wanted in k.name or (by_tail and k.hidden.endswith(wanted))]
        entries = [sandbox_bodies.listed(key) for key in self._page(found, query)]
        for entry in entries:
            if self.fault == "no dates in the list":
                del entry["expiration_date"]
            elif self.fault == "unclear dates in the list":
                entry["expiration_date"] = "in spring"
        return 200, {"keys": entries}

    def create(self, _: str, __: Mapping[str, str], payload: bytes) -> tuple[int, Any]:
        asked = json.loads(payload)
        names = {identifier(name): name for name in self.workspaces()}
        if asked.get("workspace_uuid") not in names or asked.get("user_id") != identifier("user"):
            loc = ["body", "workspace_uuid" if asked.get("user_id") == identifier("user") else "user_id"]
            return 422, {"detail": [{"type": "value_error", "loc": loc, "msg": "Unknown id", "input": None}]}
        workspace = names[asked["workspace_uuid"]]
        wish = date.fromisoformat(asked["expiration"]) if asked.get("expiration") else None
        key = self.sandbox.make_key(
            workspace, name=asked.get("name", ""), expires=self._clamped(workspace, wish), refusals=self.refusals
        )
        body = sandbox_bodies.listed(self.sandbox.issued()[key.fingerprint])
        names_told = ("key_id", "hidden_key", "expiration_date", "created_at", "name", "actions")
        told = {name: body[name] for name in names_told} | {"key": key.reveal()}
        if self.fault == "created, then 500":
            return 500, {}
        if self.fault == "no date in the answer":
            del told["expiration_date"]
        return 200, told | ({"key": None} if self.fault == "no key in the answer" else {})

    def delete(self, key_id: str, _: Mapping[str, str], __: bytes) -> tuple[int, Any]:
        if self.fault == "500 at delete":
            return 500, {}
        if self.fault == "hang up at delete":
            return 0, {}
        for mark, issued in self.sandbox.issued().items():
            if issued.key_id == key_id:
                if not issued.can_delete:
                    return 403, _FORBIDDEN
                self.sandbox.drop(mark)
                return 200, {"detail": "API key deleted successfully"}
        return 404, {"detail": "API key not found"}

    def list_workspaces(self, _: str, query: Mapping[str, str], __: bytes) -> tuple[int, Any]:
        found = [{"id": identifier(name), "name": name} for name in self.workspaces()]
        return 200, {"workspaces": self._page(found, query)}

    def usage(self, _: str, query: Mapping[str, str], __: bytes) -> tuple[int, Any]:
        today = self.sandbox.today()
        start = date(int(query.get("year", today.year)), int(query.get("month", today.month)), 1)
        end = (start + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        if self.fault == "costs of another kind":
            return 200, {"chat": {"tokens": {"value": 5}}, "currency": "EUR", "start_date": str(start)}
        share = 0.5 if "workspace_id" in query else 1.0
        return 200, sandbox_bodies.usage(start, end, {name: cost * share for name, cost in self.costs.items()})

    def workspaces(self) -> list[str]:
        return sorted(self.sandbox.workspaces | set(self.policies))

    def _clamped(self, workspace: str, wish: date | None) -> date | None:
        if workspace not in self.policies:
            return wish
        latest = self.sandbox.today() + timedelta(days=self.policies[workspace])
        return min(wish or latest, latest)

    def _page(self, entries: list[Any], query: Mapping[str, str]) -> list[Any]:
        start = 0 if self.fault == "ignores offset" else int(query.get("offset", 0))
        return entries[start : start + min(int(query.get("limit", LARGEST_PAGE)), LARGEST_PAGE)]


_Route = Callable[[AdminSide, str, Mapping[str, str], bytes], tuple[int, Any]]
_ROUTES: Mapping[tuple[str, str], tuple[str, _Route]] = {
    ("GET", "api-keys"): (READ, AdminSide.list_keys),
    ("POST", "api-keys"): (CREATE, AdminSide.create),
    ("DELETE", "api-keys"): (DELETE, AdminSide.delete),
    ("GET", "workspaces"): (READ, AdminSide.list_workspaces),
    ("GET", "usage"): (READ, AdminSide.usage),
}
