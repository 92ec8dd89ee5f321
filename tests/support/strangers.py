"""A server that no key is for, and clients that find it under a name of its own, as by a hosts file."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self


class Stranger(ThreadingHTTPServer):
    """``received`` holds the headers of what it was asked; it answers ``status`` to everything."""

    daemon_threads = True

    def __init__(self, status: int = 200) -> None:
        self.received: list[bytes] = []
        self.status = status
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://stranger.example:{self.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        super().__exit__(*error)


class _Handler(BaseHTTPRequestHandler):
    server: Stranger

    def do_GET(self) -> None:
        self.server.received.append(bytes(self.headers))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"hi")

    do_POST = do_GET  # noqa: N815, http.server's name

    def log_message(self, *_: object) -> None:
        pass


def transport_by_number(library: Any) -> Any:
    """A transport of httpx or httpx2 that finds every name on this machine."""

    class Transport(library.HTTPTransport):
        def handle_request(self, request: Any) -> Any:
            request.url = request.url.copy_with(host="127.0.0.1")
            return super().handle_request(request)

    return Transport()
