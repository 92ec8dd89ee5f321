"""The passphrase of an encrypted file: where it may be written, and the key that is made from it by Argon2id."""

from mistral_nb.errors import PassphraseNeeded, StoreUnavailable
from mistral_nb.key import Secret
from mistral_nb.store.envelope import SALT_SIZE, Kdf


def read_passphrase(path: str) -> Secret:
    """The passphrase in a file: its first bytes up to one newline at the end. Raises `PassphraseNeeded`."""
    todo = "Put the passphrase there, or correct MISTRAL_NB_PASSPHRASE_FILE."
    failure = "it is empty or no text"
    try:
        with open(path, encoding="utf-8", newline="") as file:
            passphrase = Secret(file.read().removesuffix("\n").removesuffix("\r"))
        if passphrase.reveal():
            return passphrase
    except OSError as error:
        failure = error.strerror or type(error).__name__
    except UnicodeDecodeError:  # it holds the file's bytes: not to be chained
        pass
    raise PassphraseNeeded(f"The passphrase file {path} could not be used: {failure}.", todo)


def derive(salt: bytes, kdf: Kdf, passphrase: Secret) -> str:
    """32 bytes for AES-256, in hex. Raises `StoreUnavailable` as `check_argon2`."""
    check_argon2()
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    work = Argon2id(salt=salt, length=32, iterations=kdf.iterations, lanes=kdf.lanes, memory_cost=kdf.memory)
    return work.derive(_normal(passphrase)).hex()


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


def _normal(passphrase: Secret) -> bytes:
    """Its bytes; an accent typed as one character or as two is the same."""
    import unicodedata

    return unicodedata.normalize("NFC", passphrase.reveal()).encode()
