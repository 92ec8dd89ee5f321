"""The format of a vault file, and the checks before any key is derived.

    head  8  magic                         body  4  KDF memory, KiB
          2  version                             4  KDF iterations
          8  length of the whole file            4  KDF lanes
         32  SHA-256 of the body                16  KDF salt
          8  check: BLAKE2b of the 50 above     12  AES-GCM nonce
                                                 …  ciphertext and tag

Whole numbers are big-endian. The head has a check of its own, so that a changed length is not taken
for a missing end. It is the same in every version; the body may change with the version.
"""

import hashlib
import struct
from typing import NamedTuple

from mistral_nb.errors import StoreError, VaultDamaged, VaultTruncated

MAGIC = b"MNBVAULT"
VERSION = 1
SALT_SIZE, NONCE_SIZE, _TAG_SIZE = 16, 12, 16
_HEAD = struct.Struct(">8sHQ32s")
_CHECK_SIZE = 8
_BODY = struct.Struct(f">III{SALT_SIZE}s{NONCE_SIZE}s")
_START = _HEAD.size + _CHECK_SIZE

MEMORY_LIMITS = (8, 1 << 20)  # KiB: 8 KiB is Argon2's own least, 1 GiB
ITERATION_LIMITS = (1, 32)
LANE_LIMITS = (1, 16)


class KdfParameters(NamedTuple):
    """What Argon2id costs; the default is the second choice of RFC 9106, section 4."""

    memory: int = 1 << 16  # KiB
    iterations: int = 3
    lanes: int = 4

    @property
    def is_bounded(self) -> bool:
        """Whether it can be run: a file made by someone else may ask for 100 GB."""
        limits = zip(self, (MEMORY_LIMITS, ITERATION_LIMITS, LANE_LIMITS), strict=True)
        return all(low <= value <= high for value, (low, high) in limits) and self.memory >= 8 * self.lanes


class SealedVault(NamedTuple):
    kdf: KdfParameters
    salt: bytes
    nonce: bytes
    ciphertext: bytes

    @property
    def header(self) -> bytes:
        """What the encryption also vouches for: everything but the ciphertext and its sums."""
        return make_header(self.kdf, self.salt)


def make_header(kdf: KdfParameters, salt: bytes) -> bytes:
    return MAGIC + struct.pack(">HIII", VERSION, *kdf) + salt


def pack(sealed: SealedVault) -> bytes:
    body = _BODY.pack(*sealed.kdf, sealed.salt, sealed.nonce) + sealed.ciphertext
    head = _HEAD.pack(MAGIC, VERSION, _START + len(body), hashlib.sha256(body).digest())
    return head + _checksum(head) + body


def unpack(data: bytes, path: str, repair: str) -> SealedVault:
    """The parts of a vault's bytes. ``path`` and ``repair`` are for the sentences of the errors.

    Raises `VaultTruncated`, `VaultDamaged`, or `StoreError` for a newer version.
    """
    if len(data) < _START:
        raise _truncated_error(path, repair)
    head = data[: _HEAD.size]
    magic, version, length, digest = _HEAD.unpack(head)
    if data[_HEAD.size : _START] != _checksum(head) or magic != MAGIC:
        raise _damaged_error(path, repair)
    if len(data) < length:
        raise _truncated_error(path, repair)
    body = data[_START:]
    if len(data) > length or hashlib.sha256(body).digest() != digest:
        raise _damaged_error(path, repair)
    if version > VERSION:
        raise StoreError(
            f"The encrypted file {path} was written by a newer mistral_nb.",
            "Update mistral_nb here: pip install -U mistral_nb.",
        )
    if len(body) < _BODY.size + _TAG_SIZE:
        raise _damaged_error(path, repair)
    memory, iterations, lanes, salt, nonce = _BODY.unpack_from(body)
    kdf = KdfParameters(memory, iterations, lanes)
    if not kdf.is_bounded:
        raise VaultDamaged(
            f"The encrypted file {path} requests key-derivation parameters outside the allowed range.", repair
        )
    return SealedVault(kdf, salt, nonce, body[_BODY.size :])


def _checksum(head: bytes) -> bytes:
    return hashlib.blake2b(head, digest_size=_CHECK_SIZE).digest()


def _truncated_error(path: str, repair: str) -> VaultTruncated:
    return VaultTruncated(f"The encrypted file {path} is truncated.", repair)


def _damaged_error(path: str, repair: str) -> VaultDamaged:
    return VaultDamaged(f"The encrypted file {path} is corrupted.", repair)
