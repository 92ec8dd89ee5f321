"""Whose host a base URL points to: a key goes to Mistral and this machine, elsewhere only if confirmed."""

import ipaddress
import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from mistral_nb.config import DEFAULT_HOST
from mistral_nb.errors import WrongUsage

HostKind = Literal["mistral", "loopback", "other", "insecure"]

# Reject what urlsplit and httpx parse differently or drop silently.
_PLAIN = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.?")


def classify_host(base: str) -> HostKind:
    """Whose host an API's base URL names.

    ``mistral``: https to mistral.ai or a name under it. ``loopback``: this machine. ``other``: anyone
    else, by https. ``insecure``: anyone else, by plain http. Raises `WrongUsage` for what is not an
    http(s) address; its sentences never repeat the address, which may contain a password.
    """
    parts = _split_url(base)
    host = host_name(base)
    if _is_loopback(host):
        return "loopback"
    if parts.scheme != "https":
        return "insecure"
    return "mistral" if host == "mistral.ai" or host.endswith(".mistral.ai") else "other"


def host_name(base: str) -> str:
    """The host's name in lower case, without port, brackets and a dot at its end.

    Raises `WrongUsage` as `classify_host` does.
    """
    return (_split_url(base).hostname or "").lower().removesuffix(".")


def api_name(base: str) -> str:
    """The API as sentences name it: its host, and ``api.mistral.ai`` for a stand-in on this machine."""
    return DEFAULT_HOST if classify_host(base) == "loopback" else host_name(base)


def _split_url(base: str) -> SplitResult:
    if not _PLAIN.fullmatch(base):
        raise _invalid_url_error(
            "contains characters that are not valid in an address; an international name is written as xn--…"
        )
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError:
        raise _invalid_url_error("is not a valid address") from None
    if parts.scheme not in ("http", "https"):
        raise _invalid_url_error("does not begin with https://")
    if "@" in parts.netloc:
        raise _invalid_url_error("contains a user name or password")
    if "?" in base or "#" in base:
        raise _invalid_url_error("has a ? or # in it")
    if port == 0 or not _is_host(parts):
        raise _invalid_url_error("has no host")
    return parts


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if "[" not in parts.netloc:
        return bool(_NAME.fullmatch(host))
    try:
        return "%" not in host and bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _invalid_url_error(what: str) -> WrongUsage:
    return WrongUsage(
        f"The API's address {what}.", "Set MISTRAL_NB_API to one like https://api.mistral.ai, or unset it."
    )
