"""The secrets of this process: what its variables hold now, and every one that was ever here."""

import os
from collections.abc import Callable
from typing import Any

from mistral_nb import session
from mistral_nb.config import KEY_VARIABLES, PASSPHRASE_VARIABLE
from mistral_nb.kernel.needles import Needles
from mistral_nb.key import Secret
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

    def follow(self) -> Callable[[], None]:
        """Learn every key that comes into this process, or came; the function returned ends that."""
        endings = [session.on_change(lambda change: self.add(change.key)), *map(self._watch, _environments())]
        for key in session.came():
            self.add(key)

        def end() -> None:
            for ending in endings:
                ending()

        return end

    def _watch(self, environ: Any) -> Callable[[], None]:
        """Learn what is set in ``environ`` at once: it may be gone before a message is sent.

        The object itself must stay, as everybody holds it; so it changes its class.
        """
        usual: Any = type(environ)

        def set_and_learn(this: Any, name: Any, value: Any) -> None:
            usual.__setitem__(this, name, value)
            if this.encodekey(name) in _ENCODED:
                for secret in secrets_in({os.fsdecode(name): os.fsdecode(value)}):
                    self.add(secret)

        def reduce_as_usual(this: Any, _protocol: Any) -> Any:  # a copy goes elsewhere, perhaps to a worker
            made, (_, *given), *state = usual.__reduce_ex__(this, 1)  # later ones refuse another class than ours
            return made, (usual, *given), *state

        watched = type(usual.__name__, (usual,), {"__setitem__": set_and_learn, "__reduce_ex__": reduce_as_usual})
        environ.__class__ = watched

        def end() -> None:
            if type(environ) is watched:
                environ.__class__ = usual

        return end

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
            needles = Needles(secrets[count:], needles)
            self._needles = (len(secrets), needles)
        return needles


def _environments() -> list[Any]:
    """The environment as text, and where there is one, as bytes; not a dict that somebody put in their place."""
    there = [os.environ, os.environb] if os.supports_bytes_environ else [os.environ]
    return [environ for environ in there if hasattr(environ, "encodekey")]


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
