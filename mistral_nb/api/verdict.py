"""What the API's answer means for a key: a value, with its sentences.

Statuses and bodies: https://docs.mistral.ai; bodies are read tolerantly, since they come in three
shapes (``detail``, ``message``, ``error.message``) and may be empty.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mistral_nb.key import MARKER, Key

Kind = Literal[
    "accepted",
    "refused",
    "no payment",
    "not permitted",
    "rate limited",
    "unreachable",
    "server error",
]

OWN_KEYS = "https://console.mistral.ai/home?profile_dialog=api-keys"
BACKOFFICE = "https://docs.mistral.ai/admin/admin-api/authentication"  # says where it is; organisations have their own
LIMITS = "https://admin.mistral.ai/plateforme/limits"
BILLING = "https://admin.mistral.ai/organization/billing"
STATUS = "https://status.mistral.ai"

KEEP = "This says nothing about the key: keep it."
_LONGEST_ECHO = 120
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True)
class Identity:
    """Whose key it is, as ``GET /v1/users/me`` tells; None where it does not."""

    workspace: str | None = None
    workspace_id: str | None = None
    organisation: str | None = None
    key_name: str | None = None
    key_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What the API says of a key. ``sentence``: what it means, then what to do next."""

    kind: Kind
    sentence: str
    identity: Identity | None = None

    @property
    def accepts_key(self) -> bool | None:
        """Whether the API takes the key; None where the answer says nothing about it."""
        if self.kind in ("unreachable", "server error"):
            return None
        return self.kind != "refused"

    @property
    def exit_code(self) -> int:
        """0 fine, 1 the API does not accept the key, 3 it could not be asked."""
        if self.accepts_key is None:
            return 3
        return 0 if self.kind in ("accepted", "rate limited") else 1


def judge(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: Key | None = None,
    host: str = "api.mistral.ai",
) -> Verdict:
    """What the answer to ``GET /v1/models`` means for the key it was asked with.

    ``key`` is taken out of whatever is repeated from the answer; ``host`` is named in the sentences.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    kind, sentence = _judge(status, lowered, body, key, host)
    return Verdict(kind, sentence)


def _judge(status: int, headers: Mapping[str, str], body: bytes, key: Key | None, host: str) -> tuple[Kind, str]:
    if status >= 500:
        return "server error", f"{host} has a problem of its own (HTTP {status}). {KEEP} See {STATUS}."
    if status == 407:
        return "unreachable", proxy_wants_a_password()
    location = headers.get("location")
    if 300 <= status < 400 and location:
        return "unreachable", _redirected(host, location, key)
    return _by_body(status, headers, body, key) or ("unreachable", _not_the_api(host, status))


def _by_body(status: int, headers: Mapping[str, str], body: bytes, key: Key | None) -> tuple[Kind, str] | None:
    parsed = parsed_json(body)
    told = message_in(parsed)
    said = f' It said: "{clean(told, key)}".' if told else ""
    if status in _WITH_ANY_JSON and (isinstance(parsed, dict) or not body.strip()):
        return _refusal(status, told, said, headers)
    if status in (400, 422) and isinstance(parsed, dict):
        return "accepted", f"The API accepts the key, though not this request (HTTP {status}).{said}"
    if status == 200 and _is_model_list(parsed):
        return "accepted", "The API accepts the key."
    return None


_WITH_ANY_JSON = (401, 402, 403, 429)


def _refusal(status: int, told: str, said: str, headers: Mapping[str, str]) -> tuple[Kind, str]:
    if status == 402:
        return "no payment", (
            "The API accepts the key, but the organisation has no credit left, reached its spending limit "
            f"or has an unpaid invoice.{said} See {BILLING}."
        )
    if status in (401, 403) and re.search(r"inactive subscription|usage limit reached", told, re.I):
        return "no payment", (
            "The API accepts the key, but payments are not activated or the usage limit is reached. "
            f"Activate a plan at {BILLING}, or see the limits at {LIMITS}."
        )
    if status == 401:
        return "refused", (
            "The API does not accept the key: it is mistyped, revoked, expired, of another product (Vibe, "
            "Mistral Code; a Vibe key also when its quota is spent), or only minutes old. Compare its last "
            f"four characters with the console's ({OWN_KEYS}), or, if it is new, try again in a few minutes."
        )
    if status == 403:
        return "not permitted", (
            f"The API accepts the key, but its plan or permissions do not cover this.{said} See {LIMITS}."
        )
    return "rate limited", _slow_down(headers)


def _slow_down(headers: Mapping[str, str]) -> str:
    if headers.get("x-ratelimit-limit-req-minute", "").strip() == "0":
        return (
            "The API accepts the key, but this workspace has no allowance at all for this. "
            f"Do not retry: ask for one, or choose another model, at {LIMITS}."
        )
    wait = clean(headers.get("retry-after"))
    when = f"in {wait} seconds" if wait.isdigit() else f"after {wait}" if wait else "in a minute"
    return f"The API accepts the key, but too many requests were sent. Try again {when}; the limits are at {LIMITS}."


def proxy_wants_a_password() -> str:
    return (
        "A proxy on the way asks for a user name and password (HTTP 407): the API was not reached. "
        f"{KEEP} Set them in HTTPS_PROXY, or ask who runs the network."
    )


def _redirected(host: str, location: str, key: Key | None) -> str:
    match = re.match(r"(?:[a-z]+:)?//([^/?#]*@)?([^/?#]+)", location, re.I)
    target = clean(match[2], key) if match else "another of its pages"
    return (
        f"{host} answered with a redirect to {target}, which was not followed: the key went nowhere "
        f"else. {KEEP} Sign in to the network if it has a login page, and check MISTRAL_NB_API."
    )


def _not_the_api(host: str, status: int) -> str:
    return (
        f"Something else than Mistral's API answered at {host} (HTTP {status}): a login page of the "
        f"network, a proxy, or another server. {KEEP} Open a web page to sign in to the network, and "
        "check MISTRAL_NB_API and HTTPS_PROXY."
    )


def identity_of(body: bytes, key: Key | None = None) -> Identity | None:
    """Whose key it is, from the body of ``GET /v1/users/me``; None if it does not tell."""
    data = parsed_json(body)
    if not isinstance(data, dict):
        return None

    def text(part: str, name: str) -> str | None:
        holder = data.get(part) if part else data
        value = holder.get(name) if isinstance(holder, dict) else None
        return (clean(value, key) or None) if isinstance(value, str) else None

    identity = Identity(
        workspace=text("workspace", "name"),
        workspace_id=text("workspace", "id"),
        organisation=text("organization", "name"),
        key_name=text("api_key", "name"),
        key_id=text("api_key", "id"),
        user_id=text("", "id"),
    )
    return identity if identity != Identity() else None


def clean(text: str | None, key: Key | None = None) -> str:
    """A server's text, fit to be repeated: one line of at most 120 characters, without the key."""
    line = " ".join(_UNPRINTABLE.sub(" ", text or "").split())
    if key is not None:
        line = line.replace(key.reveal(), MARKER)
        line = re.sub(r"[\w-]{8,}", lambda run: "…" if run[0] in key.reveal() else run[0], line)
    return line if len(line) <= _LONGEST_ECHO else line[: _LONGEST_ECHO - 1] + "…"


def parsed_json(body: bytes) -> Any:
    """The body as JSON; None for anything else."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def message_in(data: Any) -> str:
    """The message in an error body of any of the three shapes; empty without one."""
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return "; ".join(filter(None, map(message_in, data[:3])))
    if isinstance(data, dict):
        parts = (data.get(name) for name in ("detail", "message", "msg", "error"))
        return next(filter(None, map(message_in, parts)), "")
    return ""


def _is_model_list(data: Any) -> bool:
    if not isinstance(data, dict) or not isinstance(data.get("data"), list):
        return False
    models = data["data"]
    if not all(isinstance(model, dict) and "id" in model for model in models):
        return False
    return bool(models) or data.get("object") == "list"
