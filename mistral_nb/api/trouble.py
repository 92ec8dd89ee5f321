"""What a failed connection means: a sentence for each way in which the API was not reached.

The exceptions of an HTTP library may hold headers and the proxy's password: they are read for their
kind alone, and never repeated.
"""

import re
import socket
import ssl
from collections.abc import Iterator

from mistral_nb.api.verdict import KEEP, Verdict, proxy_wants_a_password

AGAIN = "Check the connection and try again."


def too_slow(doing: str, seconds: float) -> Verdict:
    """The deadline came first; ``doing`` says what was going on then."""
    return _unreachable(f"No answer within {seconds:g} seconds: still {doing}.", AGAIN)


def not_reached(error: Exception, host: str, contacted: str) -> Verdict:
    """Why the API at ``host`` was not reached; ``contacted`` is the host dialled, maybe a proxy."""
    status = _status_of_proxy(error)
    if status == 407:
        return Verdict("unreachable", proxy_wants_a_password())
    if status:
        return _unreachable(
            f"The proxy in use did not let the connection to {host} through (HTTP {status}).",
            "Check HTTPS_PROXY, or ask who runs the network.",
        )
    place = host if contacted in ("", host) else f"the proxy {contacted}"
    for cause in _causes(error):
        verdict = _by_cause(cause, place)
        if verdict:
            return verdict
    return _unreachable(f"The connection to {place} broke before an answer came.", AGAIN)


def unusable_proxy(error: Exception) -> Verdict:
    """The proxy's address is none, or (ImportError) it is a SOCKS proxy and socksio is missing."""
    way = "install httpx[socks], or " if isinstance(error, ImportError) else ""
    return _unreachable(
        "The proxy that the environment names cannot be used.",
        f"To go on, {way}correct or unset HTTPS_PROXY, HTTP_PROXY or ALL_PROXY.",
    )


def unusable_certificates() -> Verdict:
    return _unreachable(
        "The TLS certificates that the environment names cannot be read.",
        "Correct SSL_CERT_FILE or SSL_CERT_DIR, or unset it.",
    )


def is_worth_a_retry(error: Exception) -> bool:
    """Whether a second try could go better: not after a wrong certificate or a proxy's no."""
    return not _status_of_proxy(error) and not any(
        isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)
    )


def _by_cause(cause: BaseException, place: str) -> Verdict | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _unreachable(
            f"The TLS certificate of {place} is not to be trusted: the key was not sent.",
            "If your organisation inspects TLS, set SSL_CERT_FILE to its certificates; also check the clock.",
        )
    if isinstance(cause, ssl.SSLError):
        return _unreachable(
            f"No TLS connection to {place} came about: the key was not sent.",
            "Check MISTRAL_NB_API and HTTPS_PROXY: the port may not speak TLS.",
        )
    if isinstance(cause, socket.gaierror):
        return _unreachable(
            f"The name {place.removeprefix('the proxy ')} was not found (DNS).",
            "Check the connection, and MISTRAL_NB_API and HTTPS_PROXY.",
        )
    if isinstance(cause, ConnectionRefusedError):
        return _unreachable(
            f"The connection to {place} was refused: nothing listens there.",
            "Check MISTRAL_NB_API and HTTPS_PROXY.",
        )
    return None


def _unreachable(failed: str, todo: str) -> Verdict:
    return Verdict("unreachable", f"{failed} {KEEP} {todo}")


def _status_of_proxy(error: Exception) -> int | None:
    """The status with which a proxy answered a CONNECT: httpx tells it in the text only."""
    from httpx import ProxyError

    match = re.match(r"(\d{3})\b", str(error)) if isinstance(error, ProxyError) else None
    return int(match[1]) if match else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
