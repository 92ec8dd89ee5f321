"""Keys that Mistral may refuse only because they are new: for some minutes a refusal says nothing."""

from datetime import UTC, datetime

from mistral_nb.actions.context import Context

_YOUNG = 600  # seconds


def is_young(context: Context, fingerprint: str) -> bool:
    """Whether a key that was set aside was first seen only minutes ago, and has never been accepted."""
    if any(aside.verified for aside in context.keeper.asides() if aside.fingerprint == fingerprint):
        return False
    noted = context.contents().seen.get(fingerprint)
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(noted.since) if noted else None
    except ValueError:
        return False
    return age is not None and 0 <= age.total_seconds() < _YOUNG
