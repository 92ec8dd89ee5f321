"""The faults of a sandbox: each makes it respond, or fail to respond, in one of the known ways.

The bodies are those that the API is known to send; where none is known, the body is empty.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

HTML = b"<!doctype html><html><body><h1>Welcome to the network</h1></body></html>"
ME = "/v1/users/me"
_DRIP = 0.2  # seconds between bytes


class Exchange(Protocol):
    """What a fault can do with a request: the interface of the sandbox's handler."""

    path: str

    @property
    def redirect_url(self) -> str: ...
    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None: ...
    def serve(self) -> None:
        """Respond as if there were no fault."""

    def write(self, data: bytes) -> None: ...
    def hang_up(self) -> None: ...
    def pause(self, seconds: float) -> bool:
        """Wait; True when the sandbox stops meanwhile."""

    def presented_key(self) -> str:
        """The key that the request presented."""

    def is_first_request(self) -> bool:
        """Whether this is the first request since the fault was switched on."""


class Fault(NamedTuple):
    """``does`` describes it in a line, ``act`` does it; ``only`` limits it to one path."""

    does: str
    act: Callable[[Exchange], None]
    only: str = ""


def _json(status: int, body: object, **headers: str) -> Callable[[Exchange], None]:
    return _bytes(status, json.dumps(body).encode(), **headers)


def _bytes(status: int, body: bytes, **headers: str) -> Callable[[Exchange], None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.answer(status, body, named)


def _html(status: int) -> Callable[[Exchange], None]:
    return _bytes(status, HTML, Content_Type="text/html")


def _error(message: str, kind: str, code: str, **more: Any) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code, **more}


_INACTIVE = {"message": "Inactive subscription or usage limit reached"}
_LIMITED = _error("Rate limit exceeded", "rate_limited", "1300", raw_status_code=429)
_TIER = _error("This model is not available in your subscription tier", "tier_not_allowed", "1910", raw_status_code=403)
_UNPROCESSABLE = {"detail": [{"type": "missing", "loc": ["query", "id"], "msg": "Field required", "input": None}]}


def _silent(exchange: Exchange) -> None:
    while not exchange.pause(1):
        pass


def _drip_headers(exchange: Exchange) -> None:
    exchange.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while not exchange.pause(_DRIP):
        exchange.write(b"x")


def _drip_body(exchange: Exchange) -> None:
    exchange.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{")
    while not exchange.pause(_DRIP):
        exchange.write(b" ")


def _endless_body(exchange: Exchange) -> None:
    exchange.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[")
    while not exchange.pause(0):
        exchange.write(b"0," * 32_000)


def _hang_up_once(exchange: Exchange) -> None:
    exchange.hang_up() if exchange.is_first_request() else exchange.serve()


def _redirect_elsewhere(exchange: Exchange) -> None:
    exchange.answer(307, b"", {"Location": exchange.redirect_url + exchange.path})


def _redirect_here(exchange: Exchange) -> None:
    if "moved" in exchange.path:
        exchange.serve()
    else:
        exchange.answer(307, b"", {"Location": f"{exchange.path}?moved=1"})


def _redirect_loop(exchange: Exchange) -> None:
    exchange.answer(307, b"", {"Location": exchange.path})


def _echo(exchange: Exchange) -> None:
    shown = exchange.presented_key()
    body = json.dumps({"detail": f"No payment for {shown}", "id": shown}).encode()
    exchange.answer(402, body, {"X-Echo": shown, "mistral-correlation-id": f"id-{shown}"})


FAULTS: Mapping[str, Fault] = {
    "401 unauthorized": Fault("detail: Unauthorized", _json(401, {"detail": "Unauthorized"})),
    "401 gateway": Fault("message: Unauthorized", _json(401, {"message": "Unauthorized", "request_id": "0" * 32})),
    "401 invalid key": Fault("detail: Invalid API Key", _json(401, {"detail": "Invalid API Key"})),
    "401 empty": Fault("401 without a body", _bytes(401, b"")),
    "401 inactive": Fault("401, payments not activated", _json(401, _INACTIVE)),
    "401 html": Fault("a login page of the network", _html(401)),
    "402": Fault("no credit left", _bytes(402, b"")),
    "403 tier": Fault("the plan does not cover it", _json(403, _TIER)),
    "403 inactive": Fault("403, payments not activated", _json(403, _INACTIVE)),
    "429": Fault("too many requests", _json(429, _LIMITED)),
    "429 retry after": Fault("too many requests, wait 17 s", _json(429, _LIMITED, Retry_After="17")),
    "429 no allowance": Fault(
        "no requests allowed at all",
        _json(429, _LIMITED, x_ratelimit_limit_req_minute="0", x_ratelimit_remaining_req_minute="0"),
    ),
    "400": Fault("invalid model", _json(400, _error("Invalid model: X", "invalid_model", "1500"))),
    "422": Fault("detail as a list", _json(422, _UNPROCESSABLE)),
    "407": Fault("a proxy that wants a password", _bytes(407, b"")),
    "500": Fault("500 without a body", _bytes(500, b"")),
    "502 html": Fault("502 with HTML", _html(502)),
    "503": Fault("503 without a body", _bytes(503, b"")),
    "silent": Fault("accepts and says nothing", _silent),
    "drip headers": Fault("a byte of a header at a time, without end", _drip_headers),
    "drip body": Fault("a byte of the body at a time", _drip_body),
    "endless body": Fault("a body without end, fast", _endless_body),
    "hang up": Fault("closes without an answer", lambda exchange: exchange.hang_up()),
    "hang up once": Fault("closes without an answer, the first time", _hang_up_once),
    "html": Fault("200 with HTML", _html(200)),
    "empty": Fault("200 with an empty body", _bytes(200, b"")),
    "not the api": Fault("200 with some other JSON", _json(200, {"status": "ok"})),
    "redirect elsewhere": Fault("redirects to `elsewhere`", _redirect_elsewhere),
    "redirect here": Fault("redirects to itself, once", _redirect_here),
    "redirect loop": Fault("redirects to itself, for ever", _redirect_loop),
    "echo": Fault("repeats the key in a 402's body and headers", _echo),
    "slow users/me": Fault("knows the key, is silent about whose it is", _silent, only=ME),
    "users/me missing": Fault("404 for whose key it is", _bytes(404, b""), only=ME),
    "users/me forbidden": Fault("403 for whose key it is", _json(403, _TIER), only=ME),
}
