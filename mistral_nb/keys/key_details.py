"""The details of a key that the index keeps, as fields of `Workspace`."""

from mistral_nb.api.verdict import Verdict
from mistral_nb.keys.expiry import Expiry


def reported_details(verdict: Verdict) -> dict[str, str]:
    """What Mistral reported of a key; without what it did not report."""
    identity = verdict.identity
    if identity is None:
        return {}
    fields = {
        "name": identity.key_name,
        "organisation": identity.organisation,
        "mistral_workspace": identity.workspace,
        "key_id": identity.key_id,
    }
    return {name: value for name, value in fields.items() if value}


def expiry_details(expiry: Expiry | None) -> dict[str, str | bool | None]:
    expiry = expiry or Expiry()
    return {"expires": expiry.on, "expiry_known": expiry.known}
