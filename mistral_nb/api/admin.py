"""Mistral's Admin API: the organisation's keys, workspaces and costs.

A preview for enterprises, https://docs.mistral.ai/admin/admin-api: written from that documentation, and
never tried with the real one. It wants a key of its own kind, made in the Backoffice.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from mistral_nb.api import admin_bodies, admin_trouble, trouble
from mistral_nb.api.admin_bodies import Created, Listed, Usage
from mistral_nb.api.admin_trouble import ORGANISATION_KEYS, UNTRIED
from mistral_nb.api.client import Answer, Attempt, check_host, host_of, running, tls_settings
from mistral_nb.api.verdict import Kind, Verdict, parsed_json
from mistral_nb.errors import AdminFailed
from mistral_nb.key import Key

__all__ = ["ORGANISATION_KEYS", "UNTRIED", "Admin", "Ask", "Wish", "may_be_done", "verify"]

SECONDS = 15.0  # a request
PAGE = 100
_KINDS: tuple[Kind, ...] = ("refused", "not permitted", "no payment", "rate limited", "server error")
_MAYBE_DONE = ("unreachable", "server error", "not understood")


class Wish(NamedTuple):
    """A key to be made; ``expires`` is an ISO date, or None for the longest that is allowed."""

    name: str
    user_id: str
    workspace_id: str
    expires: str | None


class Ask(NamedTuple):
    """A request: what for (completes "Mistral's Admin API did not …"), method, path, and what goes along."""

    what: str
    method: str
    path: str
    query: Mapping[str, str | int] = {}
    body: Mapping[str, str] | None = None


class Admin:
    """The Admin API at ``base``, asked with ``key``. Every method raises `AdminFailed`."""

    def __init__(self, key: Key, base: str, *, seconds: float = SECONDS) -> None:
        check_host(base)
        self.key, self.base, self.seconds = key, base.rstrip("/"), seconds
        self._bearer = False  # the guide says x-api-key, the reference Bearer

    def __repr__(self) -> str:
        return f"<Admin …{self.key.tail}>"

    def keys(self, name: str = "") -> list[Listed]:
        """The organisation's keys, of all pages; with ``name`` those with that in it, or as their tail."""
        entries = self._entries("list the keys", "/api-keys", name)
        return [key for entry in entries if (key := admin_bodies.listed(entry))]

    def matching(self, text: str, is_one: Callable[[Listed], bool]) -> list[Listed]:
        """The keys that ``is_one`` takes: of those the API finds by ``text``, and if none is there, of all.

        What exactly the API's search looks at is not documented.
        """
        return [key for key in self.keys(text) if is_one(key)] or [key for key in self.keys() if is_one(key)]

    def create(self, wish: Wish) -> Created:
        """Make a key. After a failure that `may_be_done`, look for it by its name."""
        body = {"user_id": wish.user_id, "workspace_uuid": wish.workspace_id, "name": wish.name}
        body |= {"expiration": wish.expires} if wish.expires else {}
        made = admin_bodies.created(self._ask(Ask("make a key", "POST", "/api-keys", body=body)))
        if made is None:
            raise admin_trouble.not_understood("make a key", "its answer names no key_id")
        return made

    def delete(self, key_id: str) -> bool:
        """Delete a key; False where it was gone already."""
        try:
            self._ask(Ask("delete a key", "DELETE", f"/api-keys/{quote(key_id, safe='')}"), any_answer=True)
        except AdminFailed as error:
            if error.kind != "missing":
                raise
            return False
        return True

    def workspaces(self) -> list[tuple[str, str]]:
        """Id and name of each workspace."""
        entries = self._entries("list the workspaces", "/workspaces")
        return [found for entry in entries if (found := admin_bodies.workspace(entry))]

    def usage(self, month: int, year: int, workspace_id: str | None = None) -> Usage:
        query: dict[str, str | int] = {"month": month, "year": year}
        query |= {"workspace_id": workspace_id} if workspace_id else {}
        told = admin_bodies.usage(self._ask(Ask("tell the costs", "GET", "/usage", query)))
        if told is None:
            raise admin_trouble.not_understood("tell the costs", "its answer names no costs")
        return told

    def _entries(self, what: str, path: str, name: str = "") -> Iterator[Any]:
        """All pages. A page may be shorter than asked for, and what comes in between shifts the others:
        the end is a page that brings nothing new."""
        known: set[str] = set()
        offset = 0
        while True:
            query: dict[str, str | int] = {"limit": PAGE, "offset": offset, **({"name": name} if name else {})}
            entries = admin_bodies.page(self._ask(Ask(what, "GET", path, query)))
            if entries is None:
                raise admin_trouble.not_understood(what, "its answer holds no list")
            before = len(known)
            for entry in entries:
                if (mark := _mark(entry)) not in known:
                    known.add(mark)
                    yield entry
            if len(known) == before:
                return
            offset += len(entries)

    def _ask(self, ask: Ask, *, any_answer: bool = False) -> Any:
        answer = self._exchange(ask)
        if answer.status in (401, 403):
            other = self._exchange(ask, other_way=True)
            if other.status not in (401, 403):
                self._bearer = not self._bearer
                answer = other
            elif answer.status == 401:  # 403 tells more
                answer = other
        if not 200 <= answer.status < 300:
            raise admin_trouble.refused(ask.what, answer.status, answer.body, self.key, host_of(self.base))
        data = parsed_json(answer.body)
        if data is None and not any_answer:
            other_server = f"something else answered at {host_of(self.base)} (HTTP {answer.status})"
            raise admin_trouble.not_understood(ask.what, other_server)
        return data

    def _exchange(self, ask: Ask, *, other_way: bool = False) -> Answer:
        attempt = _Attempt(self.key, self.base, self.seconds)
        attempt.ask, attempt.bearer = ask, self._bearer != other_way
        with running(attempt):
            if attempt.answer is not None:
                return attempt.answer
            verdict = attempt.verdict or trouble.too_slow(attempt.doing, self.seconds)
        failed = f"Mistral's Admin API could not be asked to {ask.what}. {admin_trouble.about(verdict)}"
        raise AdminFailed(failed, UNTRIED, "unreachable")


def may_be_done(error: AdminFailed) -> bool:
    """Whether what was asked for may have been done, although no answer says so."""
    return error.kind in _MAYBE_DONE


def verify(key: Key, base: str) -> Verdict:
    """Whether the Admin API accepts an Admin key: as `client.verify`."""
    try:
        Admin(key, base, seconds=5)._ask(Ask("list the keys", "GET", "/api-keys", {"limit": 1, "offset": 0}))
    except AdminFailed as error:
        sentence = f"{error.failed} {error.todo}".strip()
        return Verdict(next((kind for kind in _KINDS if kind == error.kind), "unreachable"), sentence)
    return Verdict("accepted", f"Mistral's Admin API accepts the key. {UNTRIED}")


class _Attempt(Attempt):
    """One request of the Admin API, in a thread of its own."""

    ask: Ask
    bearer = False
    answer: Answer | None = None

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
            return self._conclude(trouble.unusable_certificates())
        try:
            client = self._client(context)
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            return self._conclude(trouble.unusable_proxy(error))
        with client:
            try:
                self.answer = self._send(client)
            except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if self.ask.method != "GET" or self._stopped or self.left() <= 1 or not trouble.is_worth_a_retry(error):
                    raise
                time.sleep(0.2)
                self.answer = self._send(client)

    def _send(self, client: Any) -> Answer:
        with client.stream(
            self.ask.method,
            self.base + self.ask.path,
            params=dict(self.ask.query) or None,
            json=self.ask.body,
            timeout=max(self.left(), 0.01),
            extensions={"trace": self._trace},
        ) as response:
            return Answer(response.status_code, dict(response.headers), self._body(response))


def _mark(entry: Any) -> str:
    """What tells an entry of a list from the others."""
    names = ("key_id", "id", "uuid") if isinstance(entry, dict) else ()
    return next((str(entry[name]) for name in names if entry.get(name)), repr(entry))
