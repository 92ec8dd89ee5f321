"""The curl options allowed after ``mistral-nb curl``: those that neither show nor forward the header.

An allowlist, not a denylist: an option of a later curl is refused until it
was reviewed. https://curl.se/docs/manpage.html
"""

from collections.abc import Iterator
from typing import NamedTuple

from mistral_nb.api.hosts import classify_host
from mistral_nb.errors import WrongUsage

# Short options: alone, and with a value. Long ones likewise.
_ALONE = frozenset("sSfiINGgaJOR046#")
_VALUED = frozenset("dFHXoDwmAerTCyYzb")
# fmt: off
_LONG_ALONE = frozenset((
    "silent", "show-error", "fail", "fail-with-body", "fail-early", "include", "head", "no-buffer", "get",
    "globoff", "append", "remote-name", "remote-header-name", "remote-time", "ipv4", "ipv6", "compressed",
    "http1.0", "http1.1", "http2", "http2-prior-knowledge", "progress-bar", "no-progress-meter", "create-dirs",
    "path-as-is", "tlsv1.2", "tlsv1.3", "retry-all-errors", "retry-connrefused", "raw", "tcp-nodelay",
    "no-keepalive", "disallow-username-in-url", "remove-on-error", "no-clobber", "ssl-reqd", "styled-output"
))
_LONG_VALUED = frozenset((
    "data", "data-raw", "data-binary", "data-ascii", "data-urlencode", "json", "form", "form-string", "header",
    "request", "output", "output-dir", "dump-header", "write-out", "max-time", "connect-timeout", "retry",
    "retry-delay", "retry-max-time", "user-agent", "referer", "range", "upload-file", "limit-rate",
    "max-filesize", "continue-at", "cacert", "capath", "noproxy", "stderr", "url", "url-query", "time-cond",
    "rate", "cookie", "keepalive-time", "speed-limit", "speed-time", "expect100-timeout", "tls-max"
))
# fmt: on
_SHOWS = "it prints the request's headers, including the key"
_FORWARDS = "it may send the key to another host"
_REASONS = {
    "v": _SHOWS,
    "verbose": _SHOWS,
    "libcurl": _SHOWS,
    "L": _FORWARDS,
    "location": _FORWARDS,
    "location-trusted": _FORWARDS,
    "K": "a config file may contain any of these options",
    "config": "a config file may contain any of these options",
    "x": f"{_FORWARDS}; a proxy is set by HTTPS_PROXY",
    "proxy": f"{_FORWARDS}; a proxy is set by HTTPS_PROXY",
    "k": "it turns off the check that the server is Mistral",
    "insecure": "it turns off the check that the server is Mistral",
    "next": _FORWARDS,
    ":": _FORWARDS,
    "connect-to": _FORWARDS,
    "resolve": _FORWARDS,
    "unix-socket": _FORWARDS,
    "u": "the key is the only credential",
    "user": "the key is the only credential",
    "oauth2-bearer": "the key is the only credential",
    "netrc": "the key is the only credential",
    "n": "the key is the only credential",
}


class CurlArguments(NamedTuple):
    """curl's words, with whole addresses in place of paths."""

    words: list[str]
    addresses: list[str]


def check_arguments(words: list[str], base: str) -> CurlArguments:
    """The arguments for curl; paths are relative to ``base``. Raises `WrongUsage` with the reason."""
    taken: list[str] = []
    addresses: list[str] = []
    todo = list(words)
    while todo:
        word = todo.pop(0)
        if not word.startswith("-") or word == "-":
            addresses.append(resolve_address(word, base))
            taken.append(addresses[-1])
            continue
        for name, value in _split_options(word, todo):
            if name == "url":
                addresses.append(resolve_address(str(value), base))
                taken.append(addresses[-1])
                continue
            _refuse_a_header(name, value)
            taken += [f"--{name}" if len(name) > 1 else f"-{name}", *([] if value is None else [value])]
    if not addresses:
        raise WrongUsage("No path was given.", "Try: mistral-nb curl /v1/models")
    return CurlArguments(taken, addresses)


def resolve_address(word: str, base: str) -> str:
    """The full URL of a path, or of one of Mistral's hosts. Raises `WrongUsage` for any other."""
    refused = WrongUsage(
        "The address is not a Mistral host, so the key is not sent there.",
        "Give a path, such as /v1/models, or an https address of mistral.ai.",
    )
    if word.startswith("/") and not word.startswith("//"):
        return base + word
    scheme, separator, rest = word.partition("://")
    if not separator:
        raise refused
    authority = next((rest[:at] for at in range(len(rest)) if rest[at] in "/?#"), rest)
    try:
        whose = classify_host(f"{scheme.lower()}://{authority}")
    except WrongUsage:
        raise refused from None
    if whose not in ("mistral", "loopback"):
        raise refused
    return f"{scheme.lower()}://{authority}{rest[len(authority) :]}"


def _split_options(word: str, todo: list[str]) -> Iterator[tuple[str, str | None]]:
    """The options in one word, ``-sSd@-`` or ``--data``, with their values, which may be the next word."""
    if word.startswith("--"):
        name = word[2:]
        if name in _LONG_ALONE:
            yield name, None
        elif name in _LONG_VALUED:
            yield name, _take_value(word, todo)
        else:
            raise _refused_option_error(word, name)
        return
    for at, letter in enumerate(word[1:], start=1):
        if letter in _VALUED:
            yield letter, word[at + 1 :] or _take_value(f"-{letter}", todo)
            return
        if letter not in _ALONE:
            raise _refused_option_error(f"-{letter}", letter)
        yield letter, None


def _take_value(option: str, todo: list[str]) -> str:
    if not todo:
        raise WrongUsage(f"curl's option {option} needs a value.", "Try: mistral-nb curl /v1/models")
    return todo.pop(0)


def _refused_option_error(option: str, name: str) -> WrongUsage:
    reason = _REASONS.get(name) or (_SHOWS if name.startswith("trace") else "it is not known to be safe with the key")
    return WrongUsage(f"curl's option {option} is refused: {reason}.", "Leave it out.")


def _refuse_a_header(name: str, value: str | None) -> None:
    if name in ("H", "header") and (value or "").lstrip().lower().startswith("authorization"):
        raise WrongUsage("This command sets the Authorization header itself.", "Leave it out.")
