"""The encrypted file: every workspace's key under one passphrase, with Argon2id and AES-256-GCM."""

import json
import os
from collections.abc import Callable
from typing import Any

from mistral_nb.api_key import Key, Secret
from mistral_nb.bounded_read import MAX_OWN_FILE, read_file
from mistral_nb.errors import (
    NotAKey,
    PassphraseNeeded,
    StoreError,
    StoreTimedOut,
    StoreUnavailable,
    VaultDamaged,
    WrongPassphrase,
    reason,
    writable_hint,
)
from mistral_nb.file_io import LOCK_SECONDS, hold_lock, make_private_folder, remove_stale_temp_files, write_atomically
from mistral_nb.paths import NO_FOLDER, NO_HOME_TEXT
from mistral_nb.storage.passphrase_kdf import check_argon2, derive_key
from mistral_nb.storage.store_protocol import FILE
from mistral_nb.storage.vault_format import NONCE_SIZE, SALT_SIZE, KdfParameters, SealedVault, make_header, pack, unpack
from mistral_nb.storage.vault_passphrase import check_new_passphrase, read_passphrase

FILE_NAME, PREVIOUS_NAME = "vault", "vault.previous"
NEW_PASSPHRASE_SUFFIX = ".new"  # noqa: S105, a file's suffix: beside a passphrase file while the passphrase is changed
VaultEntries = dict[str, dict[str, Key]]  # workspace → slot → key


class Vault:
    """The file ``vault`` in the folder ``home``; ``vault.previous`` is its last generation.

    ``passphrase`` or ``passphrase_file`` opens it, or `unlock` later. ``kdf`` is what a file written
    from here costs to open. A file that can't be parsed is never overwritten. ``on_opened`` is called with each
    passphrase that opens the file.
    """

    name = FILE

    def __init__(
        self,
        home: str,
        passphrase: Secret | None = None,
        kdf: KdfParameters | None = None,
        passphrase_file: str | None = None,
        on_opened: Callable[[Secret], None] = lambda _: None,
    ) -> None:
        self.home = home
        self.lock_seconds = LOCK_SECONDS
        self.path = os.path.join(home, FILE_NAME)
        self.previous = os.path.join(home, PREVIOUS_NAME)
        self._passphrase = passphrase
        self._passphrase_file = passphrase_file
        self._on_opened = on_opened
        self._kdf = kdf or KdfParameters()
        self._derived: dict[tuple[bytes, KdfParameters, Secret], Secret] = {}

    @property
    def exists(self) -> bool:
        """Whether the file is there (else the first `put` makes it)."""
        return os.path.lexists(self.path)

    @property
    def is_hidden(self) -> bool:
        """Whether its folder can't be looked into, so that `exists` says nothing."""
        return os.path.isdir(self.home) and not os.access(self.home, os.X_OK)

    @property
    def can_open(self) -> bool:
        """Whether a passphrase is available."""
        return bool(self._passphrase or self._passphrase_file)

    def unlock(self, passphrase: Secret) -> None:
        """Unlock the file with it, or keep it for a file to be created. Raises as `get`, and `PassphraseTooShort`."""
        sealed = self._read()
        if sealed:
            self._decrypt(sealed, passphrase)
        else:
            check_new_passphrase(passphrase)
        self._passphrase = passphrase

    def check_intact(self) -> None:
        """Whether the file is intact, as far as can be checked without opening it. Raises as `get`."""
        self._read()

    def unavailable_reason(self) -> StoreError | None:
        """Runs no KDF: a wrong passphrase is not detected here."""
        try:
            self.check_intact()
            self.get_passphrase()
            check_argon2()
        except StoreError as error:
            return error
        return None

    def get(self, workspace: str, slot: str) -> Key | None:
        """Raises `PassphraseNeeded`, `WrongPassphrase`, `VaultTruncated`, `VaultDamaged`."""
        sealed = self._read()
        return self._decrypt(sealed).get(workspace, {}).get(slot) if sealed else None

    def put(self, workspace: str, slot: str, key: Key) -> None:
        """Raises as `get`, and `PassphraseTooShort` where the file is still to be made."""

        def change(entries: VaultEntries) -> None:
            entries.setdefault(workspace, {})[slot] = key

        self._edit(change)
        if self.get(workspace, slot) != key:
            raise StoreError(f"The encrypted file {self.path} failed to store the key.", "Check the disk it is on.")

    def delete(self, workspace: str, slot: str) -> None:
        """The deleted key is not in the previous generation either."""
        if not self.exists:
            return

        def change(entries: VaultEntries) -> None:
            entries.get(workspace, {}).pop(slot, None)
            if not entries.get(workspace, True):
                del entries[workspace]

        self._edit(change, keep_previous=False)

    def change_passphrase(self, new: Secret) -> None:
        """Seal the file, and its last generation, with another passphrase. Raises as `unlock`."""
        check_new_passphrase(new)
        if not self.exists:
            raise StoreUnavailable(f"There is no encrypted file {self.path}.", "Nothing was changed.")
        self._edit(lambda _: None, keep_previous=False, passphrase=new)
        self._passphrase = new
        self._on_opened(new)

    def read_all(self) -> VaultEntries:
        """All its keys, by workspace and slot; none without a file. Raises as `get`."""
        sealed = self._read()
        return self._decrypt(sealed) if sealed else {}

    def _edit(
        self, change: Callable[[VaultEntries], None], keep_previous: bool = True, passphrase: Secret | None = None
    ) -> None:
        try:
            make_private_folder(self.home)
            with hold_lock(f"{self.path}.lock", self.lock_seconds):
                remove_stale_temp_files(self.path)
                remove_stale_temp_files(self.previous)
                before = self._read_bytes()
                sealed = unpack(before, self.path, self._repair_hint()) if before is not None else None
                if sealed is None:
                    check_new_passphrase(self.get_passphrase())
                entries = self._decrypt(sealed) if sealed else {}
                change(entries)
                after = self._encrypt(entries, sealed, passphrase)
                if keep_previous and before is not None:
                    write_atomically(self.previous, before)
                write_atomically(self.path, after)
                if not keep_previous:
                    write_atomically(self.previous, after)
        except TimeoutError:
            raise StoreTimedOut(
                f"The encrypted file {self.path} is locked by another process.",
                "Wait for it to finish, and try again.",
            ) from None
        except OSError as error:
            if self.home == NO_FOLDER:
                raise StoreError(NO_HOME_TEXT) from None
            raise StoreError(
                f"The encrypted file {self.path} could not be written: {reason(error)}.",
                writable_hint(error),
            ) from None

    def _read(self) -> SealedVault | None:
        data = self._read_bytes()
        return None if data is None else unpack(data, self.path, self._repair_hint())

    def _read_bytes(self) -> bytes | None:
        if self.home == NO_FOLDER:
            return None
        try:
            return read_file(self.path, MAX_OWN_FILE)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"The encrypted file {self.path} could not be read: {reason(error)}.",
                "Make it readable for you alone: chmod 600.",
            ) from None

    def _decrypt(self, sealed: SealedVault, passphrase: Secret | None = None) -> VaultEntries:
        try:
            return self._decrypt_with(sealed, passphrase or self.get_passphrase())
        except WrongPassphrase:
            if passphrase or self._passphrase or not self._passphrase_file:
                raise
            return self._recover_passphrase_change(sealed, self._passphrase_file)

    def _recover_passphrase_change(self, sealed: SealedVault, file: str) -> VaultEntries:
        """A passphrase change may have been interrupted between the two files: finish it."""
        successor = file + NEW_PASSPHRASE_SUFFIX
        if not os.path.exists(successor):
            raise self._wrong_passphrase_error()
        entries = self._decrypt_with(sealed, read_passphrase(successor))
        try:
            os.replace(successor, file)
        except OSError as error:
            raise StoreError(
                f"The passphrase file {file} could not be brought up to date: {reason(error)}.",
                f"Put {successor} in its place.",
            ) from None
        return entries

    def _wrong_passphrase_error(self) -> WrongPassphrase:
        return WrongPassphrase(
            f"Wrong passphrase for the encrypted file {self.path}.", "Use the passphrase it was created with."
        )

    def _decrypt_with(self, sealed: SealedVault, passphrase: Secret) -> VaultEntries:
        from cryptography.exceptions import InvalidTag

        aead = self._make_cipher(sealed.salt, sealed.kdf, passphrase)
        try:
            plain = aead.decrypt(sealed.nonce, sealed.ciphertext, sealed.header)
        except InvalidTag:
            plain = None
        if plain is None:
            raise self._wrong_passphrase_error()
        self._on_opened(passphrase)
        return _parse(plain, self.path, self._repair_hint())

    def _encrypt(self, entries: VaultEntries, before: SealedVault | None, passphrase: Secret | None = None) -> bytes:
        """The new file. The salt stays, so that a process derives its key once; the nonce never does."""
        stays = before is not None and before.kdf == self._kdf and passphrase is None
        salt = before.salt if before and stays else os.urandom(SALT_SIZE)
        nonce = os.urandom(NONCE_SIZE)
        aead = self._make_cipher(salt, self._kdf, passphrase or self.get_passphrase())
        return pack(
            SealedVault(self._kdf, salt, nonce, aead.encrypt(nonce, _serialize(entries), make_header(self._kdf, salt)))
        )

    def _make_cipher(self, salt: bytes, kdf: KdfParameters, passphrase: Secret) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        name = (salt, kdf, passphrase)
        if name not in self._derived:
            self._derived[name] = Secret(derive_key(salt, kdf, passphrase))
        return AESGCM(bytes.fromhex(self._derived[name].reveal()))

    def get_passphrase(self) -> Secret:
        """The passphrase, right or wrong. Raises `PassphraseNeeded`."""
        if self._passphrase:
            return self._passphrase
        if self._passphrase_file:  # read each time: it may be corrected while we run
            return read_passphrase(self._passphrase_file)
        raise PassphraseNeeded(
            f"The encrypted file {self.path} needs its passphrase."
            if self.exists
            else "The encrypted file needs a passphrase to be made with.",
            "Run this where it can be entered, or set MISTRAL_NB_PASSPHRASE_FILE.",
        )

    def _repair_hint(self) -> str:
        if os.path.exists(self.previous):
            return f"Move it aside and put its last generation, {self.previous}, in its place."
        return "Restore a copy of it, or rename it and log in with each key again."


def _serialize(entries: VaultEntries) -> bytes:
    """One entry per workspace, as JSON, padded so that the file's length does not reveal the keys'."""
    text = json.dumps({name: {s: k.reveal() for s, k in slots.items()} for name, slots in entries.items()})
    return text.encode().ljust(-(-len(text) // 256) * 256)


def _parse(plain: bytes, path: str, repair: str) -> VaultEntries:
    try:
        return {name: {s: Key(k) for s, k in slots.items()} for name, slots in json.loads(plain).items()}
    except (ValueError, AttributeError, TypeError, NotAKey):
        pass  # not chained: a JSONDecodeError holds the text
    raise VaultDamaged(f"The encrypted file {path} was decrypted but does not contain keys.", repair)
