"""A backup of the encrypted file: its keys with what the index notes on them, sealed in one file.

The envelope is the vault's; inside is JSON: {"version": 1, "workspaces": {name: {"key", …}}, "seen": [Seen]}.
"""

import json
import os
from typing import Any, NamedTuple

from mistral_nb.errors import NotAKey, StoreError, VaultDamaged, WrongPassphrase
from mistral_nb.files import write_atomically
from mistral_nb.key import Key, Secret
from mistral_nb.store.envelope import NONCE_SIZE, SALT_SIZE, Kdf, Sealed, header, pack, unpack
from mistral_nb.store.index import Seen, Workspace
from mistral_nb.store.passphrase import derive

VERSION = 1
_REPAIR = "Use another backup."


class Kept(NamedTuple):
    key: Key
    entry: Workspace


class Backup(NamedTuple):
    workspaces: dict[str, Kept]
    seen: tuple[Seen, ...]


def write(path: str, backup: Backup, passphrase: Secret, kdf: Kdf | None = None) -> None:
    """Seal ``backup`` at ``path``, private, in one step. Raises `StoreError`."""
    kdf, salt, nonce = kdf or Kdf(), os.urandom(SALT_SIZE), os.urandom(NONCE_SIZE)
    ciphertext = _aead(salt, kdf, passphrase).encrypt(nonce, _plain(backup), header(kdf, salt))
    try:
        write_atomically(path, pack(Sealed(kdf, salt, nonce, ciphertext)))
    except OSError as error:
        raise StoreError(
            f"The backup {path} could not be written: {error.strerror or type(error).__name__}.",
            "Choose another place.",
        ) from None


def read(path: str, passphrase: Secret) -> Backup:
    """What is in a backup. Raises `WrongPassphrase`, `VaultTruncated`, `VaultDamaged`, `StoreError`."""
    from cryptography.exceptions import InvalidTag

    sealed = unpack(_bytes(path), path, _REPAIR)
    aead = _aead(sealed.salt, sealed.kdf, passphrase)
    try:
        return _parse(aead.decrypt(sealed.nonce, sealed.ciphertext, sealed.header), path)
    except InvalidTag:
        pass
    raise WrongPassphrase(
        f"This passphrase does not open the backup {path}.", "Try the one that the encrypted file had at that time."
    )


def check(path: str) -> None:
    """Raises what `read` raises of a file that no passphrase opens."""
    unpack(_bytes(path), path, _REPAIR)


def is_backup(path: str) -> bool:
    """Whether a file is one of ours, whatever its passphrase."""
    try:
        check(path)
    except StoreError:
        return False
    return True


def _aead(salt: bytes, kdf: Kdf, passphrase: Secret) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(bytes.fromhex(derive(salt, kdf, passphrase)))


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreError(f"The backup {path} could not be read: {reason}.", "Check its name.") from None


def _plain(backup: Backup) -> bytes:
    workspaces = {name: {**kept.entry._asdict(), "key": kept.key.reveal()} for name, kept in backup.workspaces.items()}
    document = {"version": VERSION, "workspaces": workspaces, "seen": [entry._asdict() for entry in backup.seen]}
    return json.dumps(document).encode()


def _parse(plain: bytes, path: str) -> Backup:
    try:
        document = json.loads(plain)
        if document["version"] > VERSION:
            raise StoreError(f"The backup {path} was written by a newer mistral_nb.", "Update mistral_nb here.")
        kept = {
            name: Kept(Key(entry["key"]), _make(Workspace, entry)) for name, entry in document["workspaces"].items()
        }
        return Backup(kept, tuple(_make(Seen, entry) for entry in document["seen"]))
    except (ValueError, KeyError, AttributeError, TypeError, NotAKey):
        pass  # not chained: a JSONDecodeError holds the text
    raise VaultDamaged(f"The file {path} opens, and is no backup.", "Is it the encrypted file itself?")


def _make(kind: Any, entry: dict[str, Any]) -> Any:
    return kind(**{name: entry[name] for name in kind._fields if name in entry})
