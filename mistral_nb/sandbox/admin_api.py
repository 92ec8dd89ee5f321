"""The sandbox's Admin API: the organisation's keys, workspaces and costs, with rights and policies.

    admin_key = sandbox.admin.make_key()
    sandbox.admin.policies["prod"] = 30      # days that a key of this workspace lives at most

The bodies follow Mistral's documentation, never compared with the real ones.
"""

import json
import threading
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from mistral_nb.api_key import Key, fingerprint
from mistral_nb.sandbox import responses
from mistral_nb.sandbox.responses import IssuedKey, make_id

BASE_PATH = "/v1/admin"
READ, CREATE, DELETE = "read", "create", "delete"
LARGEST_PAGE = 100
FORBIDDEN = {"detail": "Insufficient permissions"}
_COSTS = {"chat": 12.5, "completion": 3.25, "ocr": 0.75, "fine_tuning": 0.0, "vibe_usage": 4.0}


_Route = Callable[[str, Mapping[str, str], bytes], tuple[int, Any]]


class AdminHandler(Protocol):
    """What the Admin side needs of the server's handler."""

    command: str
    path: str
    payload: bytes

    @property
    def headers(self) -> Any: ...
    def presented_key(self) -> str: ...
    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None: ...


class KeyIssuer(Protocol):
    """What the Admin side needs of the sandbox: its keys."""

    today: Callable[[], date]
    workspaces: set[str]

    def make_key(
        self, workspace: str = ..., *, name: str = ..., expires: date | None = ..., refusals: int = ...
    ) -> Key: ...
    def delete_key(self, fingerprint: str) -> None: ...
    def issued_keys(self) -> dict[str, IssuedKey]: ...


class SandboxAdminApi:
    """The Admin API of a sandbox. ``refusals``: how often a key made here is refused at first."""

    def __init__(self, sandbox: KeyIssuer) -> None:
        self.sandbox = sandbox
        self.policies: dict[str, int] = {}
        self.costs: dict[str, float] = dict(_COSTS)
        self.refusals = 0
        self._rights: dict[str, frozenset[str]] = {}
        self._one_at_a_time = threading.Lock()

    def make_key(self, *rights: str) -> Key:
        """An Admin key with these rights, by default with all."""
        key = self.sandbox.make_key("Backoffice")
        self.sandbox.delete_key(key.fingerprint)  # an Admin key is no ordinary one
        self.sandbox.workspaces.discard("Backoffice")
        self._rights[key.fingerprint] = frozenset(rights or (READ, CREATE, DELETE))
        return key

    def issued_keys(self) -> dict[str, IssuedKey]:
        """The ordinary keys there are, by key_id."""
        return {issued.key_id: issued for issued in self.sandbox.issued_keys().values()}

    def serve_request(self, handler: AdminHandler) -> None:
        status, body = self.respond(handler)
        handler.answer(status, json.dumps(body).encode())

    def respond(self, handler: AdminHandler) -> tuple[int, Any]:
        rights = self._rights.get(fingerprint(handler.presented_key()))
        if rights is None:
            return 401, {"detail": "Unauthorized"}
        parts = urlsplit(handler.path)
        name, _, rest = parts.path.removeprefix(f"{BASE_PATH}/").partition("/")
        route = self._routes().get((handler.command, name))
        if route is None or bool(rest) != (handler.command == "DELETE"):
            return 404, {"detail": "Not Found"}
        right, act = route
        if right not in rights:
            return 403, FORBIDDEN
        with self._one_at_a_time:
            return act(unquote(rest), dict(parse_qsl(parts.query)), handler.payload)

    def _routes(self) -> Mapping[tuple[str, str], tuple[str, _Route]]:
        return {
            ("GET", "api-keys"): (READ, self.list_keys),
            ("POST", "api-keys"): (CREATE, self.create_key),
            ("DELETE", "api-keys"): (DELETE, self.delete_key),
            ("GET", "workspaces"): (READ, self.list_workspaces),
            ("GET", "usage"): (READ, self.report_usage),
        }

    def list_keys(self, _: str, query: Mapping[str, str], __: bytes) -> tuple[int, Any]:
        found = [key for key in self.issued_keys().values() if self.matches(key, query.get("name", ""))]
        return 200, {"keys": [responses.key_info_body(key) for key in self.cut_page(found, query)]}

    def matches(self, key: IssuedKey, wanted: str) -> bool:
        """Whether a search for ``wanted`` finds the key: by its name, or by its end."""
        return wanted in key.name or key.masked.endswith(wanted)

    def create_key(self, _: str, __: Mapping[str, str], payload: bytes) -> tuple[int, Any]:
        asked = json.loads(payload)
        names = {make_id(name): name for name in self.workspace_names()}
        if asked.get("workspace_uuid") not in names or asked.get("user_id") != make_id("user"):
            loc = ["body", "workspace_uuid" if asked.get("user_id") == make_id("user") else "user_id"]
            return 422, {"detail": [{"type": "value_error", "loc": loc, "msg": "Unknown id", "input": None}]}
        workspace = names[asked["workspace_uuid"]]
        wish = date.fromisoformat(asked["expiration"]) if asked.get("expiration") else None
        key = self.sandbox.make_key(
            workspace, name=asked.get("name", ""), expires=self._clamp_expiry(workspace, wish), refusals=self.refusals
        )
        body = responses.key_info_body(self.sandbox.issued_keys()[key.fingerprint])
        names_told = ("key_id", "hidden_key", "expiration_date", "created_at", "name", "actions")
        told = {name: body[name] for name in names_told} | {"key": key.reveal()}
        return 200, told

    def delete_key(self, key_id: str, _: Mapping[str, str], __: bytes) -> tuple[int, Any]:
        for mark, issued in self.sandbox.issued_keys().items():
            if issued.key_id == key_id:
                if not issued.can_delete:
                    return 403, FORBIDDEN
                self.sandbox.delete_key(mark)
                return 200, {"detail": "API key deleted successfully"}
        return 404, {"detail": "API key not found"}

    def list_workspaces(self, _: str, query: Mapping[str, str], __: bytes) -> tuple[int, Any]:
        found = [{"id": make_id(name), "name": name} for name in self.workspace_names()]
        return 200, {"workspaces": self.cut_page(found, query)}

    def report_usage(self, _: str, query: Mapping[str, str], __: bytes) -> tuple[int, Any]:
        today = self.sandbox.today()
        start = date(int(query.get("year", today.year)), int(query.get("month", today.month)), 1)
        end = (start + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        share = 0.5 if "workspace_id" in query else 1.0
        return 200, responses.usage_body(start, end, {name: cost * share for name, cost in self.costs.items()})

    def workspace_names(self) -> list[str]:
        return sorted(self.sandbox.workspaces | set(self.policies))

    def _clamp_expiry(self, workspace: str, wish: date | None) -> date | None:
        if workspace not in self.policies:
            return wish
        latest = self.sandbox.today() + timedelta(days=self.policies[workspace])
        return min(wish or latest, latest)

    def cut_page(self, entries: list[Any], query: Mapping[str, str]) -> list[Any]:
        start = int(query.get("offset", 0))
        return entries[start : start + min(int(query.get("limit", LARGEST_PAGE)), LARGEST_PAGE)]
