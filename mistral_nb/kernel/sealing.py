"""The sealed message: what a browser encrypts for this kernel alone, opened here, once.

The browser's side is in ``card.js``. Both sides make an ephemeral key on P-256; ECDH, then
HKDF-SHA-256 (salt: both public points, the kernel's first), then AES-256-GCM with the widget's id as
associated data. What travels is ``{to, public, iv, sealed}``, all base64.

It keeps the key from whoever reads along: frames, logs, saved state. It does not protect from a
server or a page that lies, since that could offer a public key of its own.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any

from mistral_nb.errors import SealRefused
from mistral_nb.key import Secret

INFO = b"mistral-nb sealed prompt 1"
_POINT, _NONCE, _LARGEST = 65, 12, 65_536  # bytes: an uncompressed point, an IV, a message
_ALTERED = "What arrived is not what the card had sealed."
_AGAIN = "Type it again into the card; if this happens again, use %mistral_key without --widget."


class Seal:
    """The kernel's half of one exchange. ``public`` goes to the browser; the private key never leaves."""

    def __init__(self, widget: str) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._widget = widget
        self._private: ec.EllipticCurvePrivateKey | None = ec.generate_private_key(ec.SECP256R1())
        self._point = _point(self._private.public_key())
        self.public = base64.b64encode(self._point).decode()

    def open(self, message: Mapping[str, Any]) -> dict[str, Secret]:
        """The fields that the browser sealed. The private key is spent, whatever comes of it.

        Raises `SealRefused` for a message that was altered, comes again, or was not for this seal.
        """
        if message.get("to") != self.public or self._private is None:
            raise SealRefused("This answer was sealed for an earlier question, and each is opened once.", _AGAIN)
        private, self._private = self._private, None
        fields = _fields(_opened(private, self._point, self._widget, message))
        if fields is None:
            raise SealRefused(_ALTERED, _AGAIN)
        return fields

    def close(self) -> None:
        """Nothing can be opened any more."""
        self._private = None


def seal(fields: Mapping[str, Secret], to: str, widget: str) -> dict[str, str]:
    """What ``card.js`` does, in Python: for tests, and for reading beside it."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    private, point, nonce = ec.generate_private_key(ec.SECP256R1()), base64.b64decode(to), os.urandom(_NONCE)
    own = _point(private.public_key())
    cipher = AESGCM(_agreed(private, point, salt=point + own))
    sealed = cipher.encrypt(nonce, _packed(fields), widget.encode())
    parts = {"public": own, "iv": nonce, "sealed": sealed}
    return {"to": to, **{name: base64.b64encode(part).decode() for name, part in parts.items()}}


def _opened(private: Any, point: bytes, widget: str, message: Mapping[str, Any]) -> bytes | None:
    """The plain bytes; None for anything that was not sealed for this key and widget."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    theirs, nonce, sealed = (_bytes(message.get(name)) for name in ("public", "iv", "sealed"))
    if len(theirs) != _POINT or len(nonce) != _NONCE:
        return None
    try:
        cipher = AESGCM(_agreed(private, theirs, salt=point + theirs))
        return cipher.decrypt(nonce, sealed, widget.encode())
    except (InvalidTag, ValueError):  # ValueError: not a point on the curve
        return None


def _agreed(private: Any, theirs: bytes, salt: bytes) -> bytes:
    """The AES key that both sides come to."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
    return HKDF(SHA256(), length=32, salt=salt, info=INFO).derive(private.exchange(ec.ECDH(), public))


def _fields(plain: bytes | None) -> dict[str, Secret] | None:
    """The JSON object of texts that was sealed; None for anything else. No exception leaves with it."""
    try:
        found = json.loads(plain or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return None
    return {name: Secret(value) for name, value in found.items()}


def _packed(fields: Mapping[str, Secret]) -> bytes:
    return json.dumps({name: value.reveal() for name, value in fields.items()}).encode()


def _point(public: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    point: bytes = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return point


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) and len(text) <= _LARGEST else b""
    except (binascii.Error, ValueError):
        return b""
