"""Strict mode, while the index can't be read: everything shaped like a key counts as a remembered one.

The watchlist says whether it is on. With a label of another vendor, too, a key-shaped run is then suspected.
"""

from mistral_nb.redaction.findings import REMEMBERED, SUSPECTED

WARNING = "Until then, everything shaped like a key is redacted."


def applies_to(tiers: frozenset[str]) -> bool:
    """Whether a search for these tiers is stricter in it."""
    return bool(tiers & {REMEMBERED, SUSPECTED})


def add_suspected(tiers: frozenset[str]) -> frozenset[str]:
    """The tiers to rewrite in it, where only certain ones are otherwise."""
    return tiers | {SUSPECTED}
