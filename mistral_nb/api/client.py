"""Checks a key with Mistral's API: one request, at most five seconds of wall time."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mistral_nb.api import connection_errors
from mistral_nb.api.hosts import HostKind, classify_host, host_name
from mistral_nb.api.verdict import Verdict, judge, parse_identity
from mistral_nb.api_key import Key
from mistral_nb.file_io import stamp_of

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["HostKind", "classify_host", "host_name", "verify"]

TIMEOUT_SECONDS = 5.0
_MAX_BODY_BYTES = 4_000_000  # bytes; the list of models is some hundred thousand
_MAX_REDIRECTS = 3
_RETRY_PAUSE = 0.2  # seconds before the second try
_SLICE = 0.1  # seconds; on Windows a longer wait would hold up Ctrl-C
_THREAD = "mistral-nb-verify"

# What is going on, by the end of the name of httpcore's trace event
# (https://www.encode.io/httpcore/extensions/#trace).
_PHASES = {
    "connect_tcp.started": "looking up {} and connecting to it",
    "start_tls.started": "negotiating TLS with {}",
    "send_request_headers.started": "sending the request to {}",
    "receive_response_headers.started": "waiting for a response from {}",
    "receive_response_body.started": "reading the response from {}",
}


def verify(key: Key, base: str, *, seconds: float = TIMEOUT_SECONDS) -> Verdict:
    """Ask the API at ``base`` whether it accepts ``key``, and whose it is.

    Returns within ``seconds``, whatever the network does: a slow or broken one is a verdict too.
    Raises `WrongUsage` if ``base`` is not an http(s) address. Whether the key may go to that host is
    the caller's question (`classify_host`).
    """
    import httpx  # noqa: F401 - here, so that a broken installation is said where a person sees it

    classify_host(base)
    attempt = VerifyRequest(key, base.rstrip("/"), seconds)
    with run_in_thread(attempt):
        # Before closing: the thread would report a broken connection.
        return attempt.verdict or connection_errors.timeout_verdict(attempt.doing, seconds)


@contextmanager
def run_in_thread(attempt: "VerifyRequest") -> Iterator[None]:
    """Run it in its thread until it is done or out of time; its connection is cut when the block ends."""
    worker = threading.Thread(target=attempt.run, name=_THREAD, daemon=True)
    worker.start()
    try:
        while attempt.seconds_left() > 0 and not attempt.done.wait(min(_SLICE, max(attempt.seconds_left(), 0))):
            pass
        yield
    finally:
        attempt.stop()


class ApiResponse(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class VerifyRequest:
    """One verification, run in its own thread; the caller may read ``verdict`` at any time."""

    def __init__(self, key: Key, base: str, seconds: float) -> None:
        self.key = key
        self.base = base
        self.host = host_name(base)
        self.contacted = ""
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds
        self.doing = f"preparing the request to {self.host}"
        self.done = threading.Event()
        self.verdict: Verdict | None = None
        self._connection: Any = None  # the last one's httpcore.NetworkStream
        self._stopped = False

    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    def run(self) -> None:
        """The thread's work. No exception leaves it: its frames contain the header with the key."""
        import httpx

        try:
            _silence_logging()
            self._ask()
        except httpx.TimeoutException:
            self._conclude(connection_errors.timeout_verdict(self.doing, self.seconds))
        except Exception as error:  # noqa: BLE001 - whatever it is, it says nothing about the key
            self._conclude(connection_errors.unreachable_verdict(error, self.host, self.contacted))
        finally:
            self.done.set()

    def stop(self) -> None:
        """Cut the connection, so that a dripping server does not keep the thread."""
        self._stopped = True
        if self._connection is not None:
            _close_connection(self._connection)

    def _conclude(self, verdict: Verdict) -> None:
        """Keep the verdict, unless an earlier request had a more specific one."""
        self.verdict = self.verdict or verdict

    def _ask(self) -> None:
        import httpx

        try:
            context = tls_settings()
        except OSError:
            self._conclude(connection_errors.unusable_certificates_verdict())
            return
        try:
            client = self._client(context)
        except (httpx.InvalidURL, ValueError, ImportError) as error:
            self._conclude(connection_errors.unusable_proxy_verdict(error))
            return
        with client:
            verdict = judge(*self._get_with_retry(client, "/v1/models"), key=self.key, host=self.host)
            self.verdict = verdict
            if verdict.kind == "accepted":
                status, _, body = self._get(client, "/v1/users/me")
                identity = parse_identity(body, self.key) if status == 200 else None
                self.verdict = replace(verdict, identity=identity)

    def _client(self, context: "ssl.SSLContext") -> "httpx.Client":
        import httpx

        return httpx.Client(
            auth=self._authorise,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            trust_env=classify_host(self.base) != "loopback",  # no proxy reaches this machine's loopback
            verify=context,
            follow_redirects=False,
        )

    def _authorise(self, request: "httpx.Request") -> "httpx.Request":
        request.headers["Authorization"] = f"Bearer {self.key.reveal()}"
        return request

    def _get_with_retry(self, client: "httpx.Client", path: str) -> ApiResponse:
        import httpx

        try:
            return self._get(client, path)
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            if self._stopped or self.seconds_left() <= _RETRY_PAUSE or not connection_errors.is_worth_a_retry(error):
                raise
        time.sleep(_RETRY_PAUSE)
        return self._get(client, path)

    def _get(self, client: "httpx.Client", path: str) -> ApiResponse:
        """The answer to a GET, redirects within the same scheme, host and port followed."""
        import httpx

        url = httpx.URL(self.base + path)
        for _ in range(_MAX_REDIRECTS + 1):
            timeout, trace = max(self.seconds_left(), 0.01), {"trace": self._trace}
            with client.stream("GET", url, timeout=timeout, extensions=trace) as response:
                answer = ApiResponse(response.status_code, dict(response.headers), self._read_body(response))
            next_url = _same_origin_redirect(url, answer)
            if next_url is None:
                break
            url = next_url
        return answer

    def _read_body(self, response: "httpx.Response") -> bytes:
        """The body, cut at 4 MB: what is longer is no answer of the API, and will not parse."""
        import httpx

        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if self.seconds_left() <= 0:
                raise httpx.ReadTimeout("the body drips")
            if len(body) > _MAX_BODY_BYTES:
                break
        return bytes(body)

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        name = event.partition(".")[2]
        if name == "connect_tcp.started":
            host = info.get("host", b"")
            self.contacted = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
        if name in _PHASES:
            self.doing = _PHASES[name].format(self.contacted or self.host)
        if name in ("connect_tcp.complete", "start_tls.complete"):
            self._connection = info.get("return_value")
            if self._stopped:
                _close_connection(self._connection)


def tls_settings() -> "ssl.SSLContext":
    """What httpx uses by default, with SSL_CERT_FILE and SSL_CERT_DIR honoured for loopback too. Raises OSError."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    return _read_tls_settings(file, folder, stamp_of(os.stat(file)) if file else None)


@lru_cache(maxsize=1)  # reading the certificates takes 40 ms
def _read_tls_settings(*_variables: object) -> "ssl.SSLContext":
    import httpx

    return httpx.create_ssl_context()


def _same_origin_redirect(url: "httpx.URL", answer: ApiResponse) -> "httpx.URL | None":
    """The target of a redirect, if it has the same scheme, host and port."""
    location = answer.headers.get("location")
    if not 300 <= answer.status < 400 or not location:
        return None
    target = url.join(location)
    same = (target.scheme, target.host, _port(target)) == (url.scheme, url.host, _port(url))
    return target if same and not target.userinfo else None


def _port(url: "httpx.URL") -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _close_connection(connection: Any) -> None:
    import socket

    with suppress(OSError, AttributeError):
        connection.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class _VerifyLogFilter(logging.Filter):
    """Drops what httpx logs in the verifying thread: the response's headers, which may repeat the key."""

    def filter(self, record: logging.LogRecord) -> bool:
        return threading.current_thread().name != _THREAD


_log_filter = _VerifyLogFilter()


def _silence_logging() -> None:
    for part in ("connection", "http11", "http2", "proxy", "socks"):
        logging.getLogger(f"httpcore.{part}").addFilter(_log_filter)  # adding it again does nothing
    logging.getLogger("httpx").addFilter(_log_filter)
