"""The sandbox's HTTP side: it reads a request, asks the sandbox, and answers or fails as it is told."""

import json
import socket
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from mistral_nb.api import sandbox_admin, sandbox_bodies
from mistral_nb.api.sandbox_bodies import Issued

if TYPE_CHECKING:
    from mistral_nb.api.sandbox import Sandbox


class Request(NamedTuple):
    """What is kept of a request: never more than the key's last four characters."""

    method: str
    path: str
    tail: str


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, sandbox: "Sandbox") -> None:
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
    server: Server

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
        route = _ROUTES.get((self.command, urlsplit(self.path).path))
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


_ROUTES: Mapping[tuple[str, str], Callable[[Issued], dict[str, Any]]] = {
    ("GET", "/v1/models"): sandbox_bodies.models,
    ("GET", "/v1/users/me"): sandbox_bodies.me,
    ("GET", "/v1/whoami"): sandbox_bodies.whoami,
}
