"""What a refusal or a failure of the Admin API means, and what to do about it."""

from collections.abc import Mapping

from mistral_nb.api.console_pages import ADMIN_DOCS_URL, BILLING_URL, ORGANISATION_KEYS, STATUS_URL
from mistral_nb.api.verdict import Verdict, clean_text, find_message, parse_json
from mistral_nb.api_key import Key
from mistral_nb.errors import AdminFailed

UNTRIED_NOTE = (
    "Mistral's Admin API is a preview: this follows its documentation and was never tested with the real one."
)

_REFUSALS: Mapping[int, tuple[str, str, str]] = {
    401: (
        "refused",
        "it does not accept the key …{tail}",
        f"Admin keys are created in the Backoffice; an ordinary key does not work here ({ADMIN_DOCS_URL}).",
    ),
    402: ("no payment", "the organisation has no credit left or an unpaid invoice", f"See {BILLING_URL}."),
    403: (
        "not permitted",
        "the Admin key …{tail} has no permission for that",
        "Grant it that permission in the Backoffice, or do it manually: " + ORGANISATION_KEYS,
    ),
    404: (
        "missing",
        "it was not found (HTTP 404)",
        "The Admin API is for enterprises; see " + ADMIN_DOCS_URL,
    ),
    429: ("rate limited", "too many requests were sent", "Try again in a minute."),
}


def refusal_error(what: str, status: int, body: bytes, key: Key, host: str) -> AdminFailed:
    """What a refusal means. The response's message is repeated without the key."""
    told = clean_text(find_message(parse_json(body)), key)
    said = f' It said: "{told}".' if told else ""
    if status in _REFUSALS:
        kind, why, todo = _REFUSALS[status]
    elif status >= 500:
        kind, why, todo = "server error", f"{host} has a server error (HTTP {status})", f"See {STATUS_URL}."
    elif 300 <= status < 400:
        why = f"{host} answered with a redirect, which was not followed"
        kind, todo = "unreachable", "Check MISTRAL_NB_API."
    else:
        kind, why, todo = "rejected", f"it rejects the request (HTTP {status})", "Do it manually: " + ORGANISATION_KEYS
    failed = f"Mistral's Admin API did not {what}: {why.format(tail=key.tail)}.{said}"
    return AdminFailed(failed, f"{todo} {UNTRIED_NOTE}", kind)


def not_understood_error(what: str, why: str) -> AdminFailed:
    failed = f"Mistral's Admin API was asked to {what}, but {why}."
    return AdminFailed(
        failed, f"Check MISTRAL_NB_API, or look here: {ORGANISATION_KEYS} {UNTRIED_NOTE}", "not understood"
    )


def connection_failure_text(verdict: Verdict) -> str:
    """The sentence for a failed connection, without the part about an ordinary key."""
    return verdict.sentence.replace("This says nothing about the key: keep it. ", "")
