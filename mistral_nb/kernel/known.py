"""The secrets of this process: what its variables hold now, and every one that was ever here."""

import os

from mistral_nb.config import KEY_VARIABLES, PASSPHRASE_VARIABLE
from mistral_nb.kernel.needles import Needles
from mistral_nb.key import Secret
from mistral_nb.session import Change
from mistral_nb.watch import secrets_in

_NAMES = (*KEY_VARIABLES, PASSPHRASE_VARIABLE)


class Known:
    """Grows only: a key that left the environment may still be printed, so it stays until the end."""

    def __init__(self) -> None:
        self._secrets: list[Secret] = []
        self._values: tuple[object, ...] = ()
        self._needles = (0, Needles())

    def add(self, secret: Secret) -> None:
        if secret not in self._secrets:
            self._secrets.append(secret)

    def follow(self, change: Change) -> None:
        """To be called at every change of `mistral_nb.session`."""
        self.add(change.key)

    def has(self, secret: Secret) -> bool:
        return secret in self._secrets

    def secrets(self) -> tuple[Secret, ...]:
        return tuple(self._secrets)

    def needles(self) -> Needles:
        """What to look for now. Reads the variables again: ``load_dotenv()`` tells nobody."""
        values = _values()
        if values != self._values:
            for secret in secrets_in(os.environ):
                self.add(secret)
            self._values = values
        count, needles = self._needles
        if count != len(self._secrets):  # without a lock: a fork would copy it locked
            secrets = tuple(self._secrets)
            needles = Needles(secrets)
            self._needles = (len(secrets), needles)
        return needles


def _values() -> tuple[object, ...]:
    """The variables' values, undecoded where that can be had: this runs at every message."""
    environ = os.environ
    data = getattr(environ, "_data", None)
    if isinstance(data, dict):
        return tuple([data.get(name) for name in _ENCODED])
    return tuple([environ.get(name) for name in _NAMES])


_encode = getattr(os.environ, "encodekey", str)
_ENCODED = tuple(_encode(name) for name in _NAMES)
KNOWN = Known()
