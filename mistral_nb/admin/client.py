"""Mistral's Admin API: the organisation's keys, workspaces and costs.

A preview for enterprises, https://docs.mistral.ai/admin/admin-api: written from that documentation, and
never tested with the real one. It needs an Admin key, created in the Backoffice.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from mistral_nb.admin import errors, responses
from mistral_nb.admin.errors import UNTRIED_NOTE
from mistral_nb.admin.responses import ApiKeyInfo, CreatedKey, Usage
from mistral_nb.api import connection_errors
from mistral_nb.api.client import ApiResponse, VerifyRequest, classify_host, host_name, run_in_thread, tls_settings
from mistral_nb.api.console_pages import ORGANISATION_KEYS
from mistral_nb.api.verdict import Verdict, VerdictKind, parse_json
from mistral_nb.api_key import Key
from mistral_nb.errors import AdminFailed

__all__ = [
    "ORGANISATION_KEYS",
    "UNTRIED_NOTE",
    "AdminClient",
    "AdminRequest",
    "CreateKeyRequest",
    "may_have_succeeded",
    "verify_admin_key",
]

TIMEOUT_SECONDS = 15.0  # a request
PAGE_SIZE, MAX_ENTRIES = 100, 100_000
_KINDS: tuple[VerdictKind, ...] = ("refused", "not permitted", "no payment", "rate limited", "server error")
_MAYBE_DONE = ("unreachable", "server error", "not understood")


class CreateKeyRequest(NamedTuple):
    """A key to create; ``expires`` is an ISO date, or None for the longest allowed."""

    name: str
    user_id: str
    workspace_id: str
    expires: str | None


class AdminRequest(NamedTuple):
    """A request: its purpose (completes "Mistral's Admin API did not …"), method, path, and parameters."""

    purpose: str
    method: str
    path: str
    query: Mapping[str, str | int] = {}
    body: Mapping[str, str] | None = None


class AdminClient:
    """The Admin API at ``base``, asked with ``key``. Every method raises `AdminFailed`."""

    def __init__(self, key: Key, base: str, *, seconds: float = TIMEOUT_SECONDS) -> None:
        classify_host(base)
        self.key, self.base, self.seconds = key, base.rstrip("/"), seconds
        self._bearer = False  # the guide says x-api-key, the reference Bearer

    def __repr__(self) -> str:
        return f"<Admin …{self.key.tail}>"

    def list_keys(self, name: str = "") -> list[ApiKeyInfo]:
        """The organisation's keys, of all pages; with ``name`` those with that in it, or as their tail."""
        entries = self._list_entries("list the keys", "/api-keys", name)
        return [key for entry in entries if (key := responses.parse_key_info(entry))]

    def find_keys(self, text: str, is_one: Callable[[ApiKeyInfo], bool]) -> list[ApiKeyInfo]:
        """The keys that ``is_one`` takes: of those the API finds by ``text``, and if none is there, of all.

        What exactly the API's search looks at is not documented.
        """
        return [key for key in self.list_keys(text) if is_one(key)] or [key for key in self.list_keys() if is_one(key)]

    def create_key(self, wish: CreateKeyRequest) -> CreatedKey:
        """Create a key. After a failure that `may_have_succeeded`, look for it by its name."""
        body = {"user_id": wish.user_id, "workspace_uuid": wish.workspace_id, "name": wish.name}
        body |= {"expiration": wish.expires} if wish.expires else {}
        made = responses.parse_created_key(self._ask(AdminRequest("create a key", "POST", "/api-keys", body=body)))
        if made is None:
            raise errors.not_understood_error("create a key", "its response has no key_id")
        return made

    def delete_key(self, key_id: str) -> bool:
        """Delete a key; False if it was already deleted."""
        try:
            self._ask(AdminRequest("delete a key", "DELETE", f"/api-keys/{quote(key_id, safe='')}"), any_answer=True)
        except AdminFailed as error:
            if error.kind != "missing":
                raise
            return False
        return True

    def list_workspaces(self) -> list[tuple[str, str]]:
        """Id and name of each workspace."""
        entries = self._list_entries("list the workspaces", "/workspaces")
        return [found for entry in entries if (found := responses.parse_workspace(entry))]

    def read_usage(self, month: int, year: int, workspace_id: str | None = None) -> Usage:
        query: dict[str, str | int] = {"month": month, "year": year}
        query |= {"workspace_id": workspace_id} if workspace_id else {}
        told = responses.parse_usage(self._ask(AdminRequest("report the costs", "GET", "/usage", query)))
        if told is None:
            raise errors.not_understood_error("report the costs", "its response has no costs")
        return told

    def _list_entries(self, what: str, path: str, name: str = "") -> Iterator[Any]:
        """All pages. A page may be shorter than asked for, and what comes in between shifts the others:
        the end is a page that brings nothing new."""
        known: set[str] = set()
        offset = 0
        while True:
            query: dict[str, str | int] = {"limit": PAGE_SIZE, "offset": offset, **({"name": name} if name else {})}
            entries = responses.parse_page(self._ask(AdminRequest(what, "GET", path, query)))
            if entries is None:
                raise errors.not_understood_error(what, "its response has no list")
            before = len(known)
            for entry in entries:
                if (mark := _entry_id(entry)) not in known:
                    known.add(mark)
                    yield entry
            if len(known) == before:
                return
            offset += len(entries)
            if offset > MAX_ENTRIES:
                raise errors.not_understood_error(what, "its list does not end")

    def _ask(self, ask: AdminRequest, *, any_answer: bool = False) -> Any:
        answer = self._send_request(ask)
        if answer.status in (401, 403):
            other = self._send_request(ask, other_way=True)
            if other.status not in (401, 403):
                self._bearer = not self._bearer
                answer = other
            elif answer.status == 401:  # 403 tells more
                answer = other
        if not 200 <= answer.status < 300:
            raise errors.refusal_error(ask.purpose, answer.status, answer.body, self.key, host_name(self.base))
        data = parse_json(answer.body)
        if data is None and not any_answer:
            other_server = f"something else answered at {host_name(self.base)} (HTTP {answer.status})"
            raise errors.not_understood_error(ask.purpose, other_server)
        return data

    def _send_request(self, ask: AdminRequest, *, other_way: bool = False) -> ApiResponse:
        attempt = _AdminCall(self.key, self.base, self.seconds)
        attempt.ask, attempt.bearer = ask, self._bearer != other_way
        with run_in_thread(attempt):
            if attempt.answer is not None:
                return attempt.answer
            verdict = attempt.verdict or connection_errors.timeout_verdict(attempt.doing, self.seconds)
        failed = f"Mistral's Admin API could not be asked to {ask.purpose}. {errors.connection_failure_text(verdict)}"
        raise AdminFailed(failed, UNTRIED_NOTE, "unreachable")


def may_have_succeeded(error: AdminFailed) -> bool:
    """Whether the request may have been carried out although no response confirmed it."""
    return error.kind in _MAYBE_DONE


def verify_admin_key(key: Key, base: str) -> Verdict:
    """Whether the Admin API accepts an Admin key: as `client.verify`."""
    try:
        AdminClient(key, base, seconds=5)._ask(
            AdminRequest("list the keys", "GET", "/api-keys", {"limit": 1, "offset": 0})
        )
    except AdminFailed as error:
        sentence = f"{error.failed} {error.todo}".strip()
        return Verdict(next((kind for kind in _KINDS if kind == error.kind), "unreachable"), sentence)
    return Verdict("accepted", f"Mistral's Admin API accepts the key. {UNTRIED_NOTE}")


class _AdminCall(VerifyRequest):
    """One request of the Admin API, in a thread of its own."""

    ask: AdminRequest
    bearer = False
    answer: ApiResponse | None = None

    def _authorise(self, request: Any) -> Any:
        if self.bearer:
            return super()._authorise(request)
        request.headers["x-api-key"] = self.key.reveal()
        return request

    def _ask(self) -> None:
        import httpx

        try:
            secure = self.base.startswith("https:")
            context = tls_settings() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        except OSError:
            return self._conclude(connection_errors.unusable_certificates_verdict())
        try:
            client = self._client(context)
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            return self._conclude(connection_errors.unusable_proxy_verdict(error))
        with client:
            try:
                self.answer = self._send(client)
            except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if (
                    self.ask.method != "GET"
                    or self._stopped
                    or self.seconds_left() <= 1
                    or not connection_errors.is_worth_a_retry(error)
                ):
                    raise
                time.sleep(0.2)
                self.answer = self._send(client)

    def _send(self, client: Any) -> ApiResponse:
        with client.stream(
            self.ask.method,
            self.base + self.ask.path,
            params=dict(self.ask.query) or None,
            json=self.ask.body,
            timeout=max(self.seconds_left(), 0.01),
            extensions={"trace": self._trace},
        ) as response:
            return ApiResponse(response.status_code, dict(response.headers), self._read_body(response))


def _entry_id(entry: Any) -> str:
    """What identifies an entry of a list."""
    names = ("key_id", "id", "uuid") if isinstance(entry, dict) else ()
    return next((str(entry[name]) for name in names if entry.get(name)), repr(entry))
