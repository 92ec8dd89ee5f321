"""The sandbox's HTTP server: it reads a request, asks the sandbox, and responds."""

import json
import socket
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from mistral_nb.sandbox import admin_api, responses
from mistral_nb.sandbox.responses import IssuedKey


class RecordedRequest(NamedTuple):
    """What is recorded of a request: never more than the key's last four characters."""

    method: str
    path: str
    tail: str


class RequestAnswerer(Protocol):
    """What the server needs of the sandbox."""

    requests: list[RecordedRequest]
    admin: admin_api.SandboxAdminApi

    def find_key(self, shown: str) -> IssuedKey | None: ...


class SandboxServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, sandbox: RequestAnswerer, handler: type["SandboxHandler"]) -> None:
        self.sandbox = sandbox
        self._open: set[Any] = set()
        super().__init__(("127.0.0.1", 0), handler)

    def server_bind(self) -> None:
        """Skip HTTPServer's host name lookup, which may hang."""
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
        """A client that disconnected is not reported; no traceback shows a request's headers."""


class SandboxHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: SandboxServer

    def handle_one_request(self) -> None:
        with suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nothing goes to standard error."""

    def presented_key(self) -> str:
        scheme, _, key = self.headers.get("Authorization", "").partition(" ")
        return key if scheme == "Bearer" else self.headers.get("x-api-key", "") if self._is_admin() else ""

    def _is_admin(self) -> bool:
        return urlsplit(self.path).path.startswith(admin_api.BASE_PATH)

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.payload = self.rfile.read(length)
        request = RecordedRequest(self.command, urlsplit(self.path).path, self.presented_key()[-4:])
        self.server.sandbox.requests.append(request)
        self.respond()

    def respond(self) -> None:
        if self._is_admin():
            return self.server.sandbox.admin.serve_request(self)
        route = _ROUTES.get((self.command, urlsplit(self.path).path))
        if route is None:
            return self.answer(404, b"")
        issued = self.server.sandbox.find_key(self.presented_key())
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


_ROUTES: Mapping[tuple[str, str], Callable[[IssuedKey], dict[str, Any]]] = {
    ("GET", "/v1/models"): responses.models_body,
    ("GET", "/v1/users/me"): responses.me_body,
    ("GET", "/v1/whoami"): responses.whoami_body,
}
