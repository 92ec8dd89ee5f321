"""Pages of Mistral's console and documentation that messages point to."""

from mistral_nb.storage.index import ADMIN

OWN_KEYS_URL = "https://console.mistral.ai/home?profile_dialog=api-keys"
ADMIN_DOCS_URL = (
    "https://docs.mistral.ai/admin/admin-api/authentication"  # says where it is; organisations have their own
)
LIMITS_URL = "https://admin.mistral.ai/plateforme/limits"
BILLING_URL = "https://admin.mistral.ai/organization/billing"
STATUS_URL = "https://status.mistral.ai"
ORGANISATION_KEYS = "https://admin.mistral.ai/plateforme/api-keys"


def key_page_url(kind: str) -> str:
    """The page for a workspace's kind: an Admin key belongs to no person and is not in a person's list of keys."""
    return f"the Backoffice, {ADMIN_DOCS_URL}" if kind == ADMIN else OWN_KEYS_URL
