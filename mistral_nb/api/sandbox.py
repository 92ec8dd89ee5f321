"""A stand-in for Mistral's API on 127.0.0.1: its endpoints, its bodies, keys it made itself, its failures.

    with Sandbox() as sandbox:
        key = sandbox.make_key(workspace="research")
        verify(key, sandbox.url)

It keeps fingerprints, no keys. The failures to switch on are in `FAULTS`.
"""

import json
import secrets
import socket
import string
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from mistral_nb.api import sandbox_admin, sandbox_bodies
from mistral_nb.api.sandbox_bodies import Issued
from mistral_nb.api.sandbox_faults import FAULTS, Fault
from mistral_nb.errors import NotAKey
from mistral_nb.key import Key, fingerprint

__all__ = ["FAULTS", "Fault", "Issued", "Request", "Sandbox"]

_ALPHABET = string.ascii_letters + string.digits


class Request(NamedTuple):
    """What is kept of a request: never more than the key's last four characters."""

    method: str
    path: str
    tail: str


class Sandbox:
    """The server, from ``with`` to its end; ``url`` is its base. ``requests`` lists what was asked.

    ``today`` decides when a key has expired.
    """

    def __init__(self, *, today: Callable[[], date] = date.today) -> None:
        self.requests: list[Request] = []
        self.today = today
        self.fault: Fault | None = None
        self.elsewhere = ""
        self.stopping = threading.Event()
        self._fresh = False  # no request yet since the fault was switched on
        self.workspaces: set[str] = set()
        self._issued: dict[str, Issued] = {}
        self._waiting: set[str] = set()
        self._refusals: dict[str, int] = {}  # how often a young key is still refused
        self.admin = sandbox_admin.AdminSide(self)
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="mistral-nb-sandbox", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def make_key(
        self,
        workspace: str = "research",
        organisation: str = "Acme",
        name: str = "laptop",
        expires: date | None = None,
        *,
        waiting: bool = False,
        refusals: int = 0,
        like: Key | None = None,
        **more: Any,
    ) -> Key:
        """A new key, as the console makes it; accepted through the day ``expires``.

        A ``waiting`` one is refused until `accept`, as Mistral does for some minutes; one with
        ``refusals``, so many times. It ends as ``like`` does. ``more``: fields of `Issued`.
        """
        key = _new_key(like.tail if like else "")
        self._refusals[key.fingerprint] = refusals
        if waiting:
            self._waiting.add(key.fingerprint)
        self.workspaces.add(workspace)
        hidden = f"{key.reveal()[:4]}...{key.tail}"
        self._issued[key.fingerprint] = Issued(
            str(uuid.uuid4()), name, workspace, organisation, expires, hidden, self.today(), **more
        )
        return key

    def accept(self, key: Key) -> None:
        """The first minutes of a waiting key are over."""
        self._waiting.discard(key.fingerprint)

    def revoke(self, key: Key) -> None:
        """Delete the key, as the console does; one that is not there is no error."""
        self.drop(key.fingerprint)

    def drop(self, fingerprint: str) -> None:
        """As `revoke`, by the key's fingerprint."""
        self._issued.pop(fingerprint, None)

    def fail(self, fault: str | None, *, elsewhere: str = "https://elsewhere.invalid") -> None:
        """Switch on one of `FAULTS`, by name, for every key; None ends it."""
        self.elsewhere = elsewhere
        self.fault = FAULTS[fault] if fault else None
        self._fresh = True

    def first_time(self) -> bool:
        fresh, self._fresh = self._fresh, False
        return fresh

    def issued(self) -> dict[str, Issued]:
        """The keys there are, by fingerprint."""
        return dict(self._issued)

    def find(self, shown: str) -> Issued | None:
        """The accepted key behind what a request showed."""
        issued = self._issued.get(fingerprint(shown))
        if fingerprint(shown) in self._waiting:
            return None
        if self._refusals.get(fingerprint(shown), 0) > 0:
            self._refusals[fingerprint(shown)] -= 1
            return None
        expired = issued and issued.expires and issued.expires < self.today()
        return None if expired else issued


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._open: set[Any] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Without HTTPServer's look-up of the host's name, which may hang."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        for request in tuple(self._open):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report; no traceback shows a request's headers."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        with suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def do_GET(self) -> None:
        self._serve_or_fail()

    def do_POST(self) -> None:
        self._serve_or_fail()

    def do_DELETE(self) -> None:
        self._serve_or_fail()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nothing goes to standard error."""

    @property
    def elsewhere(self) -> str:
        return self.server.sandbox.elsewhere

    def first_time(self) -> bool:
        return self.server.sandbox.first_time()

    def shown_key(self) -> str:
        scheme, _, key = self.headers.get("Authorization", "").partition(" ")
        return key if scheme == "Bearer" else self.headers.get("x-api-key", "") if self._is_admin() else ""

    def _is_admin(self) -> bool:
        return urlsplit(self.path).path.startswith(sandbox_admin.BASE)

    def _serve_or_fail(self) -> None:
        sandbox, path = self.server.sandbox, urlsplit(self.path).path
        length = int(self.headers.get("Content-Length") or 0)
        self.payload = self.rfile.read(length)
        sandbox.requests.append(Request(self.command, path, self.shown_key()[-4:]))
        fault = sandbox.fault
        if fault and fault.only in ("", path):
            fault.act(self)
        else:
            self.serve()

    def serve(self) -> None:
        if self._is_admin():
            return self.server.sandbox.admin.serve(self)
        route = ROUTES.get((self.command, urlsplit(self.path).path))
        if route is None:
            return self.answer(404, b"")
        issued = self.server.sandbox.find(self.shown_key())
        if issued is None:
            return self.answer(401, json.dumps({"detail": "Unauthorized"}).encode())
        return self.answer(200, json.dumps(route(issued)).encode())

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Status, headers and body in one write."""
        usual = {
            "Content-Type": "application/json",
            "mistral-correlation-id": str(uuid.uuid4()),
            "x-kong-request-id": uuid.uuid4().hex,
            "x-ratelimit-limit-req-minute": "60",
            "x-ratelimit-remaining-req-minute": "59",
        }
        given = {name.lower() for name in headers or ()}
        kept = {name: value for name, value in usual.items() if name.lower() not in given}
        self.send_response(status)
        for name, value in {**kept, **(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self._headers_buffer.append(b"\r\n" + body)  # type: ignore[attr-defined] # with the body, one write
        self.flush_headers()

    def write(self, data: bytes) -> None:
        self.wfile.write(data)

    def hang_up(self) -> None:
        self.close_connection = True

    def pause(self, seconds: float) -> bool:
        return self.server.sandbox.stopping.wait(seconds)


ROUTES: Mapping[tuple[str, str], Callable[[Issued], dict[str, Any]]] = {
    ("GET", "/v1/models"): sandbox_bodies.models,
    ("GET", "/v1/users/me"): sandbox_bodies.me,
    ("GET", "/v1/whoami"): sandbox_bodies.whoami,
}


def _new_key(tail: str = "") -> Key:
    """32 random alphanumerics with upper case, lower case and a digit, and no placeholder's word."""
    while True:
        with suppress(NotAKey):
            key = Key("".join(secrets.choice(_ALPHABET) for _ in range(32 - len(tail))) + tail)
            if _is_a_mix(key):
                return key


def _is_a_mix(key: Key) -> bool:
    tests = (str.isupper, str.islower, str.isdigit)
    return all(any(map(test, key.reveal())) for test in tests)
