"""The key of an encrypted file, derived from its passphrase with Argon2id."""

from mistral_nb.api_key import Secret
from mistral_nb.errors import StoreUnavailable
from mistral_nb.storage.vault_format import SALT_SIZE, KdfParameters


def derive_key(salt: bytes, kdf: KdfParameters, passphrase: Secret) -> str:
    """32 bytes for AES-256, in hex. Raises `StoreUnavailable` as `check_argon2`."""
    check_argon2()
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    work = Argon2id(salt=salt, length=32, iterations=kdf.iterations, lanes=kdf.lanes, memory_cost=kdf.memory)
    return work.derive(_normalize(passphrase)).hex()


def check_argon2() -> None:
    """Raises `StoreUnavailable` where cryptography brings no Argon2id."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        Argon2id(salt=bytes(SALT_SIZE), length=32, iterations=1, lanes=1, memory_cost=8)
    except (ImportError, UnsupportedAlgorithm):
        raise StoreUnavailable(
            "The encrypted file needs Argon2id, which this build of cryptography does not have.",
            "Install a current one from PyPI: pip install -U cryptography.",
        ) from None


def _normalize(passphrase: Secret) -> bytes:
    """Its bytes; an accent typed as one character or as two is the same."""
    import unicodedata

    return unicodedata.normalize("NFC", passphrase.reveal()).encode()
