"""What a failed connection means: a sentence for each way the API could not be reached.

The exceptions of an HTTP library may contain headers and the proxy's password: only their
kind is read, and they are never repeated.
"""

import re
import socket
import ssl
from collections.abc import Iterator

from mistral_nb.api.verdict import KEEP_THE_KEY, Verdict, proxy_password_text

TRY_AGAIN = "Check the connection and try again."


def timeout_verdict(doing: str, seconds: float) -> Verdict:
    """The deadline passed; ``doing`` says what was in progress."""
    return _make_unreachable(f"No answer within {seconds:g} seconds: still {doing}.", TRY_AGAIN)


def unreachable_verdict(error: Exception, host: str, contacted: str) -> Verdict:
    """Why the API at ``host`` was not reached; ``contacted`` is the host dialled, maybe a proxy."""
    status = _proxy_status(error)
    if status == 407:
        return Verdict("unreachable", proxy_password_text())
    if status:
        return _make_unreachable(
            f"The proxy rejected the connection to {host} (HTTP {status}).",
            "Check HTTPS_PROXY, or ask who runs the network.",
        )
    place = host if contacted in ("", host) else f"the proxy {contacted}"
    for cause in _causes(error):
        verdict = _verdict_by_cause(cause, place)
        if verdict:
            return verdict
    return _make_unreachable(f"The connection to {place} was closed before a response arrived.", TRY_AGAIN)


def unusable_proxy_verdict(error: Exception) -> Verdict:
    """The proxy's address is invalid, or (ImportError) it is a SOCKS proxy and socksio is missing."""
    way = "install httpx[socks], or " if isinstance(error, ImportError) else ""
    return _make_unreachable(
        "The proxy set in the environment cannot be used.",
        f"To go on, {way}correct or unset HTTPS_PROXY, HTTP_PROXY or ALL_PROXY.",
    )


def unusable_certificates_verdict() -> Verdict:
    return _make_unreachable(
        "The TLS certificates set in the environment cannot be read.",
        "Correct SSL_CERT_FILE or SSL_CERT_DIR, or unset it.",
    )


def is_worth_a_retry(error: Exception) -> bool:
    """Whether a retry could succeed: not after a wrong certificate or a proxy's refusal."""
    return not _proxy_status(error) and not any(
        isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)
    )


def _verdict_by_cause(cause: BaseException, place: str) -> Verdict | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _make_unreachable(
            f"The TLS certificate of {place} is not trusted; the key was not sent.",
            "If your organisation inspects TLS, set SSL_CERT_FILE to its certificates; also check the clock.",
        )
    if isinstance(cause, ssl.SSLError):
        return _make_unreachable(
            f"The TLS handshake with {place} failed; the key was not sent.",
            "Check MISTRAL_NB_API and HTTPS_PROXY: the port may not speak TLS.",
        )
    if isinstance(cause, socket.gaierror):
        return _make_unreachable(
            f"The name {place.removeprefix('the proxy ')} was not found (DNS).",
            "Check the connection, and MISTRAL_NB_API and HTTPS_PROXY.",
        )
    if isinstance(cause, ConnectionRefusedError):
        return _make_unreachable(
            f"The connection to {place} was refused: nothing listens there.",
            "Check MISTRAL_NB_API and HTTPS_PROXY.",
        )
    return None


def _make_unreachable(failed: str, todo: str) -> Verdict:
    return Verdict("unreachable", f"{failed} {KEEP_THE_KEY} {todo}")


def _proxy_status(error: Exception) -> int | None:
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
