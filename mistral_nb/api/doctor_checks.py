"""Environment checks for ``doctor``: which API, which proxy, what takes precedence over the key. No network."""

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from mistral_nb.api.hosts import classify_host, host_name
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Row

_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")  # in the order in which httpx reads them
_OUTRANKING_VARIABLE = "MISTRAL_SA_TOKEN_PATH"


def checks(base: str, environ: Mapping[str, str] | None = None) -> Iterator[Row]:
    """Rows on the API's host, the proxy and what takes precedence over the key, for a process with ``environ``."""
    env = os.environ if environ is None else environ
    yield _check_host(base)
    yield _check_proxy(env)
    if env.get(_OUTRANKING_VARIABLE):
        repair = f"Unset {_OUTRANKING_VARIABLE} to use the key."
        words = "set: Mistral's SDK takes its token, and silently ignores MISTRAL_API_KEY"
        yield Row(_OUTRANKING_VARIABLE, words, "warn", repair)


def _check_host(base: str) -> Row:
    try:
        whose, host = classify_host(base), host_name(base)
    except WrongUsage as error:
        return Row("API", error.failed, "bad", error.todo)
    if whose == "mistral":
        return Row("API", f"keys are verified at {host}, which is Mistral's own", "ok")
    if whose == "loopback":
        return Row("API", f"keys are verified at {host}, on this machine", "ok")
    if whose == "other":
        return Row(
            "API",
            f"{host} is not a Mistral host: keys are sent there only after confirmation",
            "warn",
            "If you do not know this host, unset MISTRAL_NB_API.",
        )
    return Row(
        "API",
        f"{host} is used over plain http: anyone on the network path could read the key",
        "bad",
        "Set MISTRAL_NB_API to an https:// address, or unset it.",
    )


def _check_proxy(environ: Mapping[str, str]) -> Row:
    names = (name for name in _PROXIES if environ.get(name))
    name = next(names, None)
    if name is None:
        return Row("proxy", "none: Mistral is reached directly", "ok")
    host = _proxy_host(environ[name])
    if host is None:
        return Row("proxy", f"{name} is not a valid address", "bad", f"Correct {name}, or unset it.")
    return Row("proxy", f"through {host}, from {name}", "ok")


def _proxy_host(value: str) -> str | None:
    """Host and port of a proxy's address, which may hold a password."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    misread = "@" in value and "@" not in parts.netloc  # a password with a / or # in it
    if not host or not host.isprintable() or misread:
        return None
    return f"{host}:{port}" if port else host
