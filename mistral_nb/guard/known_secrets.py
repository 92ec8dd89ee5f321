"""The secrets of this process: those in its variables now, and every one it ever had."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from mistral_nb import environment
from mistral_nb.api_key import Key, Secret
from mistral_nb.config import KEY_FILE_VARIABLE, KEY_VARIABLES, PASSPHRASE_FILE_VARIABLE, PASSPHRASE_VARIABLE
from mistral_nb.guard.text_matcher import TextMatcher
from mistral_nb.key_variables import names_a_key
from mistral_nb.watchlist import secrets_in

_VARIABLE_NAMES = (*KEY_VARIABLES, KEY_FILE_VARIABLE, PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE)


class ProcessSecrets:
    """Grows only: a key that left the environment may still be printed, so it stays until the end."""

    def __init__(self) -> None:
        self._secrets: list[Secret] = []
        self._values: tuple[object, ...] = ()
        self._cached_matcher = (0, TextMatcher())

    def add(self, secret: Secret) -> None:
        if secret not in self._secrets:
            self._secrets.append(secret)

    def subscribe(self) -> Callable[[], None]:
        """Learn every key that enters or has entered this process; call the returned function to stop."""
        endings = [
            environment.on_secret_event(lambda change: self.add(change.secret)),
            *map(self._watch_environ, _list_environs()),
        ]
        for key in environment.known_secrets():
            self.add(key)

        def end() -> None:
            for ending in endings:
                ending()

        return end

    def _watch_environ(self, environ: Any) -> Callable[[], None]:
        """Learn values as they are set in ``environ``: they may be gone before the next message is sent.

        Everyone holds references to ``os.environ``, so the object has to stay; and Python looks for ``__setitem__``
        on its class, not on it. So it gets a class of its own, made from the one it has, until the returned function
        is called. A copy that is pickled, perhaps for another process, gets the usual class.
        """
        usual: Any = type(environ)

        def set_and_learn(this: Any, name: Any, value: Any) -> None:
            usual.__setitem__(this, name, value)
            if this.encodekey(name) in _ENCODED_NAMES or names_a_key(os.fsdecode(name)):
                self._learn_from({os.fsdecode(name): os.fsdecode(value)})

        def reduce_as_usual(this: Any, _protocol: Any) -> Any:
            made, (_, *given), *state = usual.__reduce_ex__(this, 1)  # later ones refuse another class than ours
            return made, (usual, *given), *state

        watched = type(usual.__name__, (usual,), {"__setitem__": set_and_learn, "__reduce_ex__": reduce_as_usual})
        environ.__class__ = watched

        def end() -> None:
            if type(environ) is watched:
                environ.__class__ = usual

        return end

    def _learn_from(self, environ: Mapping[str, str]) -> None:
        """Guard what these variables hold, and let the machine remember the keys: once, and without waiting for it."""
        for secret in secrets_in(environ):
            self.add(secret)
            if isinstance(secret, Key):
                environment.register_key_in_background(secret)

    def secrets(self) -> tuple[Secret, ...]:
        return tuple(self._secrets)

    def matcher(self) -> TextMatcher:
        """What to look for now. Reads the variables again: ``load_dotenv()`` sends no event."""
        values = _read_values()
        if values != self._values:
            self._learn_from(os.environ)
            self._values = values
        count, matcher = self._cached_matcher
        if count != len(self._secrets):  # without a lock: a fork would copy it locked
            secrets = tuple(self._secrets)
            matcher = TextMatcher(secrets[count:], matcher)
            self._cached_matcher = (len(secrets), matcher)
        return matcher


def _list_environs() -> list[Any]:
    """The environment as text and, if there is one, as bytes; not a dict that replaced them."""
    there = [os.environ, os.environb] if os.supports_bytes_environ else [os.environ]
    return [environ for environ in there if hasattr(environ, "encodekey")]


def _read_values() -> tuple[object, ...]:
    """The variables' values, undecoded where that can be had: this runs at every message."""
    environ = os.environ
    data = getattr(environ, "_data", None)
    if isinstance(data, dict):
        return tuple([data.get(name) for name in _ENCODED_NAMES])
    return tuple([environ.get(name) for name in (*_VARIABLE_NAMES, *filter(names_a_key, environ))])


_encode = getattr(os.environ, "encodekey", str)
_ENCODED_NAMES = tuple(_encode(name) for name in _VARIABLE_NAMES)
PROCESS_SECRETS = ProcessSecrets()
