"""The encrypted file: every workspace's key under one passphrase, with Argon2id and AES-256-GCM."""

import json
import os
from collections.abc import Callable
from typing import Any

from mistral_nb.errors import (
    NotAKey,
    PassphraseNeeded,
    StoreError,
    StoreTimedOut,
    StoreUnavailable,
    VaultDamaged,
    WrongPassphrase,
)
from mistral_nb.files import locked, make_private_folder, sweep, write_atomically
from mistral_nb.key import Key, Secret
from mistral_nb.store.base import FILE
from mistral_nb.store.envelope import NONCE_SIZE, SALT_SIZE, Kdf, Sealed, header, pack, unpack
from mistral_nb.store.passphrase import check_argon2, derive, read_passphrase

FILE_NAME, PREVIOUS_NAME = "vault", "vault.previous"
SUCCESSOR = ".new"  # beside a passphrase file while the passphrase is changed
_LOCK_SECONDS = 5.0
Entries = dict[str, dict[str, Key]]  # workspace → slot → key


class Vault:
    """The file ``vault`` in the folder ``home``; ``vault.previous`` is its last generation.

    ``passphrase`` or ``passphrase_file`` opens it, or `unlock` later. ``kdf`` is what a file written
    from here costs to open. A file that can't be understood is never written over.
    """

    name = FILE

    def __init__(
        self,
        home: str,
        passphrase: Secret | None = None,
        kdf: Kdf | None = None,
        passphrase_file: str | None = None,
    ) -> None:
        self.home = home
        self.path = os.path.join(home, FILE_NAME)
        self.previous = os.path.join(home, PREVIOUS_NAME)
        self._passphrase = passphrase
        self._passphrase_file = passphrase_file
        self._kdf = kdf or Kdf()
        self._derived: dict[tuple[bytes, Kdf, Secret], Secret] = {}

    @property
    def exists(self) -> bool:
        """Whether the file is there (else the first `put` makes it)."""
        return os.path.lexists(self.path)

    @property
    def hidden(self) -> bool:
        """Whether its folder can't be looked into, so that `exists` says nothing."""
        return os.path.isdir(self.home) and not os.access(self.home, os.X_OK)

    @property
    def can_open(self) -> bool:
        """Whether there is a passphrase to try."""
        return bool(self._passphrase or self._passphrase_file)

    def unlock(self, passphrase: Secret) -> None:
        """Open the file with it, or note it for a file to be made. Raises as `get`."""
        sealed = self._read()
        if sealed:
            self._open(sealed, passphrase)
        self._passphrase = passphrase

    def check(self) -> None:
        """Whether the file is whole, as far as can be told without opening it. Raises as `get`."""
        self._read()

    def why_not(self) -> StoreError | None:
        """Runs no KDF: a wrong passphrase is not found out here."""
        try:
            self.check()
            self.passphrase()
            check_argon2()
        except StoreError as error:
            return error
        return None

    def get(self, workspace: str, slot: str) -> Key | None:
        """Raises `PassphraseNeeded`, `WrongPassphrase`, `VaultTruncated`, `VaultDamaged`."""
        sealed = self._read()
        return self._open(sealed).get(workspace, {}).get(slot) if sealed else None

    def put(self, workspace: str, slot: str, key: Key) -> None:
        def change(entries: Entries) -> None:
            entries.setdefault(workspace, {})[slot] = key

        self._edit(change)
        if self.get(workspace, slot) != key:
            raise StoreError(f"The encrypted file {self.path} did not keep the key.", "Check the disk it is on.")

    def delete(self, workspace: str, slot: str) -> None:
        """The deleted key is in the previous generation neither."""
        if not self.exists:
            return

        def change(entries: Entries) -> None:
            entries.get(workspace, {}).pop(slot, None)
            if not entries.get(workspace, True):
                del entries[workspace]

        self._edit(change, keep_previous=False)

    def change_passphrase(self, new: Secret) -> None:
        """Seal the file, and its last generation, with another passphrase. Raises as `get`."""
        if not self.exists:
            raise StoreUnavailable(f"There is no encrypted file {self.path}.", "Nothing was changed.")
        self._edit(lambda _: None, keep_previous=False, passphrase=new)
        self._passphrase = new

    def everything(self) -> Entries:
        """All its keys, by workspace and slot; none without a file. Raises as `get`."""
        sealed = self._read()
        return self._open(sealed) if sealed else {}

    def _edit(
        self, change: Callable[[Entries], None], keep_previous: bool = True, passphrase: Secret | None = None
    ) -> None:
        try:
            make_private_folder(self.home)
            with locked(f"{self.path}.lock", _LOCK_SECONDS):
                sweep(self.path)
                sweep(self.previous)
                before = self._bytes()
                sealed = unpack(before, self.path, self._repair()) if before is not None else None
                entries = self._open(sealed) if sealed else {}
                change(entries)
                after = self._seal(entries, sealed, passphrase)
                if keep_previous and before is not None:
                    write_atomically(self.previous, before)
                write_atomically(self.path, after)
                if not keep_previous:
                    write_atomically(self.previous, after)
        except TimeoutError:
            raise StoreTimedOut(
                f"Another process holds the encrypted file {self.path}.",
                "Wait for it to finish, and try again.",
            ) from None
        except OSError as error:
            raise StoreError(
                f"The encrypted file {self.path} could not be written: {_reason(error)}.",
                "Make room or set MISTRAL_NB_HOME to a folder that can be written, and try again.",
            ) from None

    def _read(self) -> Sealed | None:
        data = self._bytes()
        return None if data is None else unpack(data, self.path, self._repair())

    def _bytes(self) -> bytes | None:
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"The encrypted file {self.path} could not be read: {_reason(error)}.",
                "Make it readable for you alone: chmod 600.",
            ) from None

    def _open(self, sealed: Sealed, passphrase: Secret | None = None) -> Entries:
        try:
            return self._open_with(sealed, passphrase or self.passphrase())
        except WrongPassphrase:
            if passphrase or self._passphrase or not self._passphrase_file:
                raise
            return self._open_after_a_crash(sealed, self._passphrase_file)

    def _open_after_a_crash(self, sealed: Sealed, file: str) -> Entries:
        """A change of the passphrase may have ended between the two files: finish it."""
        successor = file + SUCCESSOR
        if not os.path.exists(successor):
            raise self._wrong()
        entries = self._open_with(sealed, read_passphrase(successor))
        try:
            os.replace(successor, file)
        except OSError as error:
            raise StoreError(
                f"The passphrase file {file} could not be brought up to date: {_reason(error)}.",
                f"Put {successor} in its place.",
            ) from None
        return entries

    def _wrong(self) -> WrongPassphrase:
        return WrongPassphrase(
            f"This passphrase does not open the encrypted file {self.path}.", "Try the one it was made with."
        )

    def _open_with(self, sealed: Sealed, passphrase: Secret) -> Entries:
        from cryptography.exceptions import InvalidTag

        aead = self._aead(sealed.salt, sealed.kdf, passphrase)
        try:
            return _parse(aead.decrypt(sealed.nonce, sealed.ciphertext, sealed.header), self.path, self._repair())
        except InvalidTag:
            pass
        raise self._wrong()

    def _seal(self, entries: Entries, before: Sealed | None, passphrase: Secret | None = None) -> bytes:
        """The new file. The salt stays, so that a process derives its key once; the nonce never does."""
        stays = before is not None and before.kdf == self._kdf and passphrase is None
        salt = before.salt if before and stays else os.urandom(SALT_SIZE)
        nonce = os.urandom(NONCE_SIZE)
        aead = self._aead(salt, self._kdf, passphrase or self.passphrase())
        return pack(Sealed(self._kdf, salt, nonce, aead.encrypt(nonce, _plain(entries), header(self._kdf, salt))))

    def _aead(self, salt: bytes, kdf: Kdf, passphrase: Secret) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        name = (salt, kdf, passphrase)
        if name not in self._derived:
            self._derived[name] = Secret(derive(salt, kdf, passphrase))
        return AESGCM(bytes.fromhex(self._derived[name].reveal()))

    def passphrase(self) -> Secret:
        """What opens it, right or not. Raises `PassphraseNeeded`."""
        if self._passphrase:
            return self._passphrase
        if self._passphrase_file:  # read each time: it may be put right while we run
            return read_passphrase(self._passphrase_file)
        raise PassphraseNeeded(
            f"The encrypted file {self.path} needs its passphrase."
            if self.exists
            else "The encrypted file needs a passphrase to be made with.",
            "Go where it can be typed, or set MISTRAL_NB_PASSPHRASE_FILE.",
        )

    def _repair(self) -> str:
        if os.path.exists(self.previous):
            return f"Move it aside and put its last generation, {self.previous}, in its place."
        return "Restore it from a backup, or move it aside and add each key again."


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _plain(entries: Entries) -> bytes:
    """One entry a workspace, as JSON, filled up so that the length of the file does not tell the keys'."""
    text = json.dumps({name: {s: k.reveal() for s, k in slots.items()} for name, slots in entries.items()})
    return text.encode().ljust(-(-len(text) // 256) * 256)


def _parse(plain: bytes, path: str, repair: str) -> Entries:
    try:
        return {name: {s: Key(k) for s, k in slots.items()} for name, slots in json.loads(plain).items()}
    except (ValueError, AttributeError, TypeError, NotAKey):
        pass  # not chained: a JSONDecodeError holds the text
    raise VaultDamaged(f"The encrypted file {path} opens, and holds something else than keys.", repair)
