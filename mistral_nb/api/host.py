"""Whose API a base URL names: a key goes to Mistral and to this machine, elsewhere only after a yes."""

import ipaddress
import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from mistral_nb.errors import WrongUsage

Whose = Literal["mistral", "loopback", "other", "insecure"]

# What urlsplit and httpx read differently, or drop without a word, is no part of an address.
_PLAIN = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.?")


def check_host(base: str) -> Whose:
    """Whose host an API's base URL names.

    ``mistral``: https to mistral.ai or a name under it. ``loopback``: this machine. ``other``: anybody
    else, by https. ``insecure``: anybody else, by plain http. Raises `WrongUsage` for what is no
    http(s) address; its sentences never repeat the address, which may hold a password.
    """
    parts = _split(base)
    host = host_of(base)
    if _is_loopback(host):
        return "loopback"
    if parts.scheme != "https":
        return "insecure"
    return "mistral" if host == "mistral.ai" or host.endswith(".mistral.ai") else "other"


def host_of(base: str) -> str:
    """The host's name in lower case, without port, brackets and a dot at its end.

    Raises `WrongUsage` as `check_host` does.
    """
    return (_split(base).hostname or "").lower().removesuffix(".")


def _split(base: str) -> SplitResult:
    if not _PLAIN.fullmatch(base):
        raise _wrong("holds characters that no address has; an international name is written as xn--…")
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError:
        raise _wrong("is no address") from None
    if parts.scheme not in ("http", "https"):
        raise _wrong("does not begin with https://")
    if "@" in parts.netloc:
        raise _wrong("holds a user name or password")
    if "?" in base or "#" in base:
        raise _wrong("has a ? or # in it")
    if port == 0 or not _is_host(parts):
        raise _wrong("names no host")
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


def _wrong(what: str) -> WrongUsage:
    return WrongUsage(
        f"The API's address {what}.", "Set MISTRAL_NB_API to one like https://api.mistral.ai, or unset it."
    )
