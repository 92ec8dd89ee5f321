"""The secrets of this process: those in its variables now, and every one it ever had."""

import os
import sys
from collections.abc import Callable, Mapping

from mistral_nb import environment
from mistral_nb.api_key import Key, Secret
from mistral_nb.child_environment import without_secrets
from mistral_nb.config import KEY_FILE_VARIABLE, KEY_VARIABLES, PASSPHRASE_FILE_VARIABLE, PASSPHRASE_VARIABLE
from mistral_nb.guard.text_matcher import TextMatcher
from mistral_nb.guard.watched_environ import list_environs, watch_environ
from mistral_nb.key_variables import names_a_key
from mistral_nb.printable import one_line
from mistral_nb.watchlist import secrets_in

_PICKLED = (
    "mistral_nb: os.environ was pickled without {}, so that no key leaves this machine that way. "
    "To give workers a key: mistral_nb.share(client), or mistral_nb.worker."
)
_VARIABLE_NAMES = (*KEY_VARIABLES, KEY_FILE_VARIABLE, PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE)


class ProcessSecrets:
    """Grows only: a key that left the environment may still be printed, so it stays until the end."""

    def __init__(self) -> None:
        self._secrets: list[Secret] = []
        self._values: tuple[object, ...] = ()
        self._cached_matcher = (0, TextMatcher())
        self._told_pickled = False

    def add(self, secret: Secret) -> None:
        if secret not in self._secrets:
            self._secrets.append(secret)

    def subscribe(self) -> Callable[[], None]:
        """Learn every key that enters or has entered this process; call the returned function to stop."""
        endings = [
            environment.on_secret_event(lambda change: self.add(change.secret)),
            *(watch_environ(environ, self._learn_from, self._select_for_pickle) for environ in list_environs()),
        ]
        for key in environment.known_secrets():
            self.add(key)

        def end() -> None:
            for ending in endings:
                ending()

        return end

    def _learn_from(self, environ: Mapping[str, str]) -> None:
        """Guard what these variables hold, and let the machine remember the keys: once, and without waiting for it."""
        for secret in secrets_in(environ):
            self.add(secret)
            if isinstance(secret, Key):
                environment.register_key_in_background(secret)

    def _select_for_pickle(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What may go to another process, by way of schedulers and files: no variable that a child process of this
        package would not be given, and no value with a secret in it, whatever its name. Says so, once."""
        matcher = self.matcher()
        kept = {name: value for name, value in without_secrets(environ).items() if matcher.redact(value) is value}
        left_out = sorted(environ.keys() - kept.keys())
        if left_out and not self._told_pickled:
            self._told_pickled = True
            print(_PICKLED.format(one_line(", ".join(left_out))), file=sys.stderr)  # noqa: T201, in whichever thread
        return kept

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
