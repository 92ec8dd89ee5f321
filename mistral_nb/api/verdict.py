"""What the API's response means for a key: a value, with its sentences.

Statuses and bodies: https://docs.mistral.ai; bodies are read tolerantly, since they come in three
shapes (``detail``, ``message``, ``error.message``) and may be empty.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mistral_nb import exit_codes
from mistral_nb.api.console_pages import BILLING_URL, LIMITS_URL, OWN_KEYS_URL, STATUS_URL
from mistral_nb.api_key import MARKER, Key
from mistral_nb.bounded_json import load_json
from mistral_nb.config import DEFAULT_HOST
from mistral_nb.printable import without_unprintable

VerdictKind = Literal[
    "accepted",
    "refused",
    "no payment",
    "not permitted",
    "rate limited",
    "unreachable",
    "server error",
]


KEEP_THE_KEY = "This says nothing about the key: keep it."
_LONGEST_ECHO, _LONGEST_READ = 120, 10_000


@dataclass(frozen=True)
class Identity:
    """Whose key it is, from ``GET /v1/users/me``; None where it does not say."""

    workspace: str | None = None
    workspace_id: str | None = None
    organisation: str | None = None
    key_name: str | None = None
    key_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True)
class Verdict:
    """The API's verdict on a key. ``sentence``: what it means, then what to do next."""

    kind: VerdictKind
    sentence: str
    identity: Identity | None = None

    @property
    def accepts_key(self) -> bool | None:
        """Whether the API accepts the key; None if the response says nothing about it."""
        if self.kind in ("unreachable", "server error"):
            return None
        return self.kind != "refused"

    @property
    def exit_code(self) -> int:
        """0 fine, 1 the API does not accept the key, 3 it could not be asked."""
        if self.accepts_key is None:
            return exit_codes.INCOMPLETE
        return exit_codes.OK if self.kind in ("accepted", "rate limited") else exit_codes.FINDING


def judge(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: Key | None = None,
    host: str = DEFAULT_HOST,
) -> Verdict:
    """What the answer to ``GET /v1/models`` means for the key it was asked with.

    ``key`` is removed from anything repeated from the response; ``host`` is named in the sentences.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    kind, sentence = _judge(status, lowered, body, key, host)
    return Verdict(kind, sentence)


def _judge(status: int, headers: Mapping[str, str], body: bytes, key: Key | None, host: str) -> tuple[VerdictKind, str]:
    if status >= 500:
        return "server error", f"{host} has a server error (HTTP {status}). {KEEP_THE_KEY} See {STATUS_URL}."
    if status == 407:
        return "unreachable", proxy_password_text()
    location = headers.get("location")
    if 300 <= status < 400 and location:
        return "unreachable", _redirect_text(host, location, key)
    return _judge_by_body(status, headers, body, key) or ("unreachable", _not_the_api_text(host, status))


def _judge_by_body(
    status: int, headers: Mapping[str, str], body: bytes, key: Key | None
) -> tuple[VerdictKind, str] | None:
    parsed = parse_json(body)
    told = find_message(parsed)
    said = f' It said: "{clean_text(told, key)}".' if told else ""
    if status in _WITH_ANY_JSON and (isinstance(parsed, dict) or not body.strip()):
        return _refusal(status, told, said, headers)
    if status in (400, 422) and isinstance(parsed, dict):
        return "accepted", f"The API accepts the key, though not this request (HTTP {status}).{said}"
    if status == 200 and _is_model_list(parsed):
        return "accepted", "The API accepts the key."
    return None


_WITH_ANY_JSON = (401, 402, 403, 429)


def _refusal(status: int, told: str, said: str, headers: Mapping[str, str]) -> tuple[VerdictKind, str]:
    if status == 402:
        return "no payment", (
            "The API accepts the key, but the organisation has no credit left, reached its spending limit "
            f"or has an unpaid invoice.{said} See {BILLING_URL}."
        )
    if status in (401, 403) and re.search(r"inactive subscription|usage limit reached", told, re.I):
        return "no payment", (
            "The API accepts the key, but payments are not activated or the usage limit is reached. "
            f"Activate a plan at {BILLING_URL}, or see the limits at {LIMITS_URL}."
        )
    if status == 401:
        return "refused", (
            "The API does not accept the key: it is mistyped, revoked, expired, only minutes old or another product's; "
            f"compare it with those at {OWN_KEYS_URL}."
        )
    if status == 403:
        return "not permitted", (
            f"The API accepts the key, but its plan or permissions do not cover this.{said} See {LIMITS_URL}."
        )
    return "rate limited", _retry_after_text(headers)


def _retry_after_text(headers: Mapping[str, str]) -> str:
    if headers.get("x-ratelimit-limit-req-minute", "").strip() == "0":
        return (
            "The API accepts the key, but this workspace has no quota for this. "
            f"Do not retry: request a quota, or choose another model, at {LIMITS_URL}."
        )
    wait = clean_text(headers.get("retry-after"))
    when = f"in {wait} seconds" if wait.isdigit() else f"after {wait}" if wait else "in a minute"
    return (
        f"The API accepts the key, but too many requests were sent. Try again {when}; the limits are at {LIMITS_URL}."
    )


def proxy_password_text() -> str:
    return (
        "A proxy requires a user name and password (HTTP 407): the API was not reached. "
        f"{KEEP_THE_KEY} Set them in HTTPS_PROXY, or ask who runs the network."
    )


def _redirect_text(host: str, location: str, key: Key | None) -> str:
    match = re.match(r"(?:[a-z]+:)?//([^/?#]*@)?([^/?#]+)", location, re.I)
    target = clean_text(match[2], key) if match else "another of its pages"
    return (
        f"{host} answered with a redirect to {target}, which was not followed: the key went nowhere "
        f"else. {KEEP_THE_KEY} Sign in to the network if it has a login page, and check MISTRAL_NB_API."
    )


def _not_the_api_text(host: str, status: int) -> str:
    return (
        f"Something other than Mistral's API answered at {host} (HTTP {status}): a login page of the "
        f"network, a proxy, or another server. {KEEP_THE_KEY} Open a web page to sign in to the network, and "
        "check MISTRAL_NB_API and HTTPS_PROXY."
    )


def parse_identity(body: bytes, key: Key | None = None) -> Identity | None:
    """Whose key it is, from the body of ``GET /v1/users/me``; None if it does not say."""
    data = parse_json(body)
    if not isinstance(data, dict):
        return None

    def text(part: str, name: str) -> str | None:
        holder = data.get(part) if part else data
        value = holder.get(name) if isinstance(holder, dict) else None
        return (clean_text(value, key) or None) if isinstance(value, str) else None

    identity = Identity(
        workspace=text("workspace", "name"),
        workspace_id=text("workspace", "id"),
        organisation=text("organization", "name"),
        key_name=text("api_key", "name"),
        key_id=text("api_key", "id"),
        user_id=text("", "id"),
    )
    return identity if identity != Identity() else None


def clean_text(text: str | None, key: Key | None = None) -> str:
    """A server's text, safe to repeat: one line of at most 120 characters, without the key."""
    line = without_unprintable((text or "")[:_LONGEST_READ])
    if key is not None:
        line = line.replace(key.reveal(), MARKER)
        line = re.sub(r"[\w-]{8,}", lambda run: "…" if run[0] in key.reveal() else run[0], line)
    return line if len(line) <= _LONGEST_ECHO else line[: _LONGEST_ECHO - 1] + "…"


def parse_json(body: bytes) -> Any:
    """The body as JSON; None for anything else."""
    try:
        return load_json(body)
    except ValueError:
        return None


def find_message(data: Any) -> str:
    """The message in an error body of any of the three shapes; empty without one."""
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return "; ".join(filter(None, map(find_message, data[:3])))
    if isinstance(data, dict):
        parts = (data.get(name) for name in ("detail", "message", "msg", "error"))
        return next(filter(None, map(find_message, parts)), "")
    return ""


def _is_model_list(data: Any) -> bool:
    if not isinstance(data, dict) or not isinstance(data.get("data"), list):
        return False
    models = data["data"]
    if not all(isinstance(model, dict) and "id" in model for model in models):
        return False
    return bool(models) or data.get("object") == "list"
