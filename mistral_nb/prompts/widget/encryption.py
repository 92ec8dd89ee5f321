"""The encrypted message from the browser, for this kernel only, decrypted here once.

The browser's side is in ``sealing.js``. Both sides make an ephemeral key on P-256; ECDH, then
HKDF-SHA-256 (salt: both public points, the kernel's first), then AES-256-GCM with the widget's id as
associated data. What travels is ``{to, public, iv, sealed}``, all base64.

It protects the key from anyone reading frames, logs or saved state. It does not protect from a
malicious server or page, which could offer its own public key.
"""

import base64
import binascii
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


class Seal:
    """The kernel's half of one exchange. ``public`` goes to the browser; the private key never leaves the kernel."""

    def __init__(self, widget: str) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._widget = widget
        self._private: ec.EllipticCurvePrivateKey | None = ec.generate_private_key(ec.SECP256R1())
        self._point = _encode_point(self._private.public_key())
        self.public = base64.b64encode(self._point).decode()

    def open(self, message: Mapping[str, Any]) -> dict[str, Secret]:
        """Decrypt the fields from the browser. The private key is used up, whatever the result.

        Raises `SealRefused` for a message that was altered, comes again, or was not for this seal.
        """
        if message.get("to") != self.public or self._private is None:
            raise SealRefused(
                "This answer was encrypted for an earlier question; each can be opened only once.", _TYPE_AGAIN
            )
        private, self._private = self._private, None
        fields = _parse_fields(_decrypt(private, self._point, self._widget, message))
        if fields is None:
            raise SealRefused(_ALTERED, _TYPE_AGAIN)
        return fields

    def close(self) -> None:
        """Nothing can be decrypted any more."""
        self._private = None


def _decrypt(private: Any, point: bytes, widget: str, message: Mapping[str, Any]) -> bytes | None:
    """The plain bytes; None for anything that was not sealed for this key and widget."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    theirs, nonce, sealed = (_decode_base64(message.get(name)) for name in ("public", "iv", "sealed"))
    if len(theirs) != _POINT or len(nonce) != _NONCE:
        return None
    try:
        cipher = AESGCM(_derive_key(private, theirs, salt=point + theirs))
        return cipher.decrypt(nonce, sealed, widget.encode())
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
