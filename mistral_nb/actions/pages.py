"""Where Mistral shows a key, and deletes it."""

from mistral_nb.api.verdict import BACKOFFICE, OWN_KEYS
from mistral_nb.store.index import ADMIN


def page_of(kind: str) -> str:
    """The page for a workspace's kind: an Admin key is no person's, and on no list of a person's keys."""
    return f"the Backoffice, {BACKOFFICE}" if kind == ADMIN else OWN_KEYS
