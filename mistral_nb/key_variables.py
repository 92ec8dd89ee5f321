"""Which variables hold a key of Mistral, by the words of their names: also those that nothing reads.

Names alone, and no imports at the top: hooks ask this once a file.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from collections.abc import Iterable

# Programs look for the keys of these. A key under any other name was probably meant for the first.
API_KEY_VARIABLE = "MISTRAL_API_KEY"
ADMIN_VARIABLE = "MISTRAL_ADMIN_API_KEY"

_MISTRAL = frozenset({"MISTRAL", "MISTRALAI", "CODESTRAL"})
_SECRET = frozenset({"KEY", "APIKEY", "TOKEN", "SECRET"})
_PARTS = (
    "MISTRALAI",
    "MISTRAL",
    "CODESTRAL",
    "AZURE",
    "APIKEY",
    "API",
    "KEY",
    "TOKEN",
    "SECRET",
    "AI",
)  # of two that begin alike, the longer first
_ABOUT_A_KEY = frozenset(
    {
        *("FILE", "PATH", "DIR", "FOLDER", "NAME", "ID", "URL", "URI", "HOST", "ENDPOINT", "REF", "ARN", "VAULT"),
        *("COMMAND", "CMD", "VAR", "VARIABLE", "HEADER", "PREFIX", "HASH", "DIGEST", "FINGERPRINT", "SHA256", "LENGTH"),
        *("LIMIT", "COUNT", "TYPE", "VERSION", "EXPIRY", "EXPIRES", "TTL", "WEBHOOK", "SIGNING", "SESSION"),
    }
)
_FORMER = frozenset({"OLD", "FORMER", "PREVIOUS", "REVOKED", "EXPIRED", "LEAKED"})
_OTHER_HOSTS = {  # word of a name → who serves Mistral's models there, with keys of its own
    "AZURE": "Azure",
    "AZUREAI": "Azure",
    "FOUNDRY": "Azure",
    "AWS": "AWS",
    "BEDROCK": "AWS",
    "SAGEMAKER": "AWS",
    "GCP": "Google Cloud",
    "GOOGLE": "Google Cloud",
    "VERTEX": "Google Cloud",
    "VERTEXAI": "Google Cloud",
    "SNOWFLAKE": "Snowflake",
    "WATSONX": "IBM",
    "IBM": "IBM",
    "NVIDIA": "NVIDIA",
    "OPENROUTER": "OpenRouter",
}


def names_a_key(name: str) -> bool:
    """Whether a variable of this name holds a key: a word for Mistral, and one for a key.

    ``MISTRAL_API_KEY`` and ``mistralai-token`` do, ``MISTRAL_API_KEY_FILE`` and our own settings do not.
    """
    upper = name.upper()
    if ("MISTRAL" not in upper and "CODESTRAL" not in upper) or upper.startswith("MISTRAL_NB_"):
        return False
    words = _words(name)
    return not _MISTRAL.isdisjoint(words) and not _SECRET.isdisjoint(words) and _ABOUT_A_KEY.isdisjoint(words)


def intended_variable(name: str) -> str:
    """The variable that somebody who chose this name for a key meant; empty if it is right, or of a former key."""
    if name in (API_KEY_VARIABLE, ADMIN_VARIABLE) or not names_a_key(name):
        return ""
    words = _words(name)
    if not _FORMER.isdisjoint(words):
        return ""
    return ADMIN_VARIABLE if "ADMIN" in words else API_KEY_VARIABLE


def other_host(name: str) -> str:
    """Who serves the key of a variable with this name, if not Mistral: ``Azure``; else empty."""
    return next((_OTHER_HOSTS[word] for word in _words(name) if word in _OTHER_HOSTS), "")


def is_about_mistral(name: str) -> bool:
    """Whether a variable speaks of a model of Mistral's, wherever it is served: also ``AZUREAI_ENDPOINT``."""
    words = _words(name)
    return not _MISTRAL.isdisjoint(words) or "AZUREAI" in words  # which Mistral's documentation names


def names_codestral(name: str) -> bool:
    """Whether the name speaks of Codestral, whose own host, codestral.mistral.ai, has keys of its own."""
    return "CODESTRAL" in _words(name)


def _words(name: str) -> list[str]:
    """A name's words as they are separated, and those split at changes of case and into their parts."""
    import re  # most processes have no such variable

    apart = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)
    whole = [word.upper() for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    return [*whole, *(part for word in apart for part in _split_glued(word.upper()))]


def _split_glued(word: str) -> Iterable[str]:
    """``MISTRALAPIKEY`` in its parts; a word that has any other part in it, such as ``TOKENIZER``, as it is."""
    parts, rest = [], word
    while rest:
        part = next((part for part in _PARTS if rest.startswith(part)), "")
        if not part:
            return [word]
        parts.append(part)
        rest = rest[len(part) :]
    return parts
