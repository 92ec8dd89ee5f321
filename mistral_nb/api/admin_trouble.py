"""What a refusal or a failure of the Admin API means, and what to do about it."""

from collections.abc import Mapping

from mistral_nb.api.verdict import BACKOFFICE, BILLING, STATUS, Verdict, clean, message_in, parsed_json
from mistral_nb.errors import AdminFailed
from mistral_nb.key import Key

UNTRIED = "Mistral's Admin API is a preview: this follows its documentation and was never tried with the real one."
ORGANISATION_KEYS = "https://admin.mistral.ai/plateforme/api-keys"

_SAYS: Mapping[int, tuple[str, str, str]] = {
    401: (
        "refused",
        "it does not accept the key …{tail}",
        f"An Admin key is made in the Backoffice; an ordinary key never is one ({BACKOFFICE}).",
    ),
    402: ("no payment", "the organisation has no credit left or an unpaid invoice", f"See {BILLING}."),
    403: (
        "not permitted",
        "the Admin key …{tail} has no right to that",
        "Give it that right in the Backoffice, or do it by hand: " + ORGANISATION_KEYS,
    ),
    404: ("missing", "it knows nothing of that kind (HTTP 404)", "The Admin API is for enterprises; see " + BACKOFFICE),
    429: ("rate limited", "too many requests were sent", "Try again in a minute."),
}


def refused(what: str, status: int, body: bytes, key: Key, host: str) -> AdminFailed:
    """What a refusal means. What the answer says is repeated without the key."""
    told = clean(message_in(parsed_json(body)), key)
    said = f' It said: "{told}".' if told else ""
    if status in _SAYS:
        kind, why, todo = _SAYS[status]
    elif status >= 500:
        kind, why, todo = "server error", f"{host} has a problem of its own (HTTP {status})", f"See {STATUS}."
    elif 300 <= status < 400:
        why = f"{host} answered with a redirect, which was not followed"
        kind, todo = "unreachable", "Check MISTRAL_NB_API."
    else:
        kind, why, todo = "rejected", f"it rejects the request (HTTP {status})", "Do it by hand: " + ORGANISATION_KEYS
    failed = f"Mistral's Admin API did not {what}: {why.format(tail=key.tail)}.{said}"
    return AdminFailed(failed, f"{todo} {UNTRIED}", kind)


def not_understood(what: str, why: str) -> AdminFailed:
    failed = f"Mistral's Admin API was asked to {what}, but {why}."
    return AdminFailed(failed, f"Check MISTRAL_NB_API, or look here: {ORGANISATION_KEYS} {UNTRIED}", "not understood")


def about(verdict: Verdict) -> str:
    """The sentence of a connection that failed, without what it says of an ordinary key."""
    return verdict.sentence.replace("This says nothing about the key: keep it. ", "")
