"""A key that this process was given by another one, until it is taken back: then what was there before returns.

The environment belongs to the whole process, so there is one of these in it, however many workers it runs.
"""

from mistral_nb import environment
from mistral_nb.api_key import Key, key_or_none

ORIGIN = "a Dask client that shares it"


class ReceivedKey:
    """What was given to this process. ``before``: what its variables held before the first key came."""

    def __init__(self) -> None:
        self._before: environment.EnvironmentSnapshot | None = None
        self._fingerprints: set[str] = set()

    def receive(self, key: Key, workspace: str | None, *, replace: bool = True) -> None:
        """Set the key in the environment. Unless ``replace``, a key stays that this process had by itself."""
        active = environment.active_key()
        if active and not replace and active.key.fingerprint not in self._fingerprints:
            return
        if self._before is None:
            self._before = environment.snapshot()
        self._fingerprints.add(key.fingerprint)
        environment.activate(key, workspace, ORIGIN)

    def withdraw(self) -> None:
        """Take the key out of the environment, unless the process has set another one since.

        What was there before returns, except for a key that was shared too: a child inherits it from its client.
        """
        before, self._before = self._before, None
        fingerprints, self._fingerprints = self._fingerprints, set()
        active = environment.active_key()
        if before is None or active is None or active.key.fingerprint not in fingerprints:
            return
        earlier = key_or_none(before.key)
        if earlier is None or earlier.fingerprint in fingerprints:
            environment.deactivate()
        else:
            environment.restore(before)


RECEIVED_KEY = ReceivedKey()
