"""A message with secrets in it, for one process only, decrypted there once.

Both sides make an ephemeral key on P-256; ECDH, then HKDF-SHA-256 (salt: both public points, the recipient's first),
then AES-256-GCM with a purpose as associated data: the widget's id, or a share with workers. What travels is
``{to, public, iv, sealed}``, all base64. `Seal` is the recipient's side; `seal` is the sender's, which in a browser is
``prompts/widget/sealing.js``.

It protects the secrets from anyone reading frames, logs or saved state. It does not protect from anyone who can offer
a public key of their own: a malicious server or page, or a process in a worker's place.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any

from mistral_nb.api_key import Secret
from mistral_nb.bounded_json import load_json
from mistral_nb.errors import SealRefused

INFO = b"mistral-nb sealed prompt 1"
_POINT, _NONCE = 65, 12  # bytes: an uncompressed point, an IV
LARGEST_PART = 65_536  # characters of a message's part
_ALTERED = "The answer is not what the widget encrypted."
_TYPE_AGAIN = "Enter it again; if this happens again, use %mistral_key without --widget."


def seal(fields: Mapping[str, Secret], public: str, purpose: str) -> dict[str, str]:
    """Encrypt ``fields`` for the `Seal` with that ``public`` point and purpose, and for no other.

    Raises ValueError for what is no public point.
    """
    return seal_bytes(json.dumps({name: value.reveal() for name, value in fields.items()}).encode(), public, purpose)


def seal_bytes(plain: bytes, public: str, purpose: str) -> dict[str, str]:
    """As `seal`, of what `seal` makes of its fields."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    private, theirs, nonce = ec.generate_private_key(ec.SECP256R1()), _decode_base64(public), os.urandom(_NONCE)
    own = _encode_point(private.public_key())
    sealed = AESGCM(_derive_key(private, theirs, salt=theirs + own)).encrypt(nonce, plain, purpose.encode())
    parts = {"public": own, "iv": nonce, "sealed": sealed}
    return {"to": public, **{name: base64.b64encode(part).decode() for name, part in parts.items()}}


class Seal:
    """The recipient's half of one exchange. ``public`` goes to the sender; the private key never leaves the process."""

    def __init__(self, purpose: str) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._purpose = purpose
        self._private: ec.EllipticCurvePrivateKey | None = ec.generate_private_key(ec.SECP256R1())
        self._point = _encode_point(self._private.public_key())
        self.public = base64.b64encode(self._point).decode()

    def open(self, message: Mapping[str, Any]) -> dict[str, Secret]:
        """Decrypt the sender's fields. The private key is used up, whatever the result.

        Raises `SealRefused` for a message that was altered, comes again, or was not for this seal.
        """
        if message.get("to") != self.public or self._private is None:
            raise SealRefused(
                "This answer was encrypted for an earlier question; each can be opened only once.", _TYPE_AGAIN
            )
        private, self._private = self._private, None
        fields = _parse_fields(_decrypt(private, self._point, self._purpose, message))
        if fields is None:
            raise SealRefused(_ALTERED, _TYPE_AGAIN)
        return fields

    def close(self) -> None:
        """Nothing can be decrypted any more."""
        self._private = None


def _decrypt(private: Any, point: bytes, purpose: str, message: Mapping[str, Any]) -> bytes | None:
    """The plain bytes; None for anything that was not sealed for this key and purpose."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    theirs, nonce, sealed = (_decode_base64(message.get(name)) for name in ("public", "iv", "sealed"))
    if len(theirs) != _POINT or len(nonce) != _NONCE:
        return None
    try:
        cipher = AESGCM(_derive_key(private, theirs, salt=point + theirs))
        return cipher.decrypt(nonce, sealed, purpose.encode())
    except (InvalidTag, ValueError):  # ValueError: not a point on the curve
        return None


def _derive_key(private: Any, theirs: bytes, salt: bytes) -> bytes:
    """The AES key that both sides come to."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
    return HKDF(SHA256(), length=32, salt=salt, info=INFO).derive(private.exchange(ec.ECDH(), public))


def _parse_fields(plain: bytes | None) -> dict[str, Secret] | None:
    """The JSON object of texts that was sealed; None for anything else. No exception leaves with it."""
    try:
        found = load_json(plain or b"")
    except ValueError:
        return None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return None
    return {name: Secret(value) for name, value in found.items()}


def _encode_point(public: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    point: bytes = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return point


def _decode_base64(text: object) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) and len(text) <= LARGEST_PART else b""
    except (binascii.Error, ValueError):
        return b""
