"""A fake Mistral API on 127.0.0.1: its endpoints, bodies, and its own keys.

    with Sandbox() as sandbox:
        key = sandbox.make_key(workspace="research")
        verify(key, sandbox.url)

It stores fingerprints, not keys.
"""

import random
import string
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any, Self

from mistral_nb.api_key import Key, fingerprint
from mistral_nb.errors import NotAKey
from mistral_nb.placeholders import is_mixed
from mistral_nb.sandbox.admin_api import SandboxAdminApi
from mistral_nb.sandbox.http_server import RecordedRequest, SandboxHandler, SandboxServer
from mistral_nb.sandbox.responses import IssuedKey

__all__ = ["IssuedKey", "RecordedRequest", "Sandbox"]

_ALPHABET = string.ascii_letters + string.digits


class Sandbox:
    """The server, from ``with`` to its end; ``url`` is its base. ``requests`` lists what was asked.

    ``today`` decides when a key has expired; keys come from ``rng``. A subclass may respond otherwise,
    by a handler and an Admin API of its own.
    """

    handler_class: type[SandboxHandler] = SandboxHandler
    admin_class: type[SandboxAdminApi] = SandboxAdminApi

    def __init__(self, *, today: Callable[[], date] = date.today, rng: random.Random | None = None) -> None:
        self.requests: list[RecordedRequest] = []
        self.today = today
        self._rng = rng or random.SystemRandom()
        self.workspaces: set[str] = set()
        self._issued: dict[str, IssuedKey] = {}
        self._waiting: set[str] = set()
        self._refusals: dict[str, int] = {}  # how often a young key is still refused
        self.admin = self.admin_class(self)
        self._server = SandboxServer(self, self.handler_class)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="mistral-nb-sandbox", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def make_key(
        self,
        workspace: str = "research",
        organisation: str = "Acme",
        name: str = "laptop",
        expires: date | None = None,
        *,
        waiting: bool = False,
        refusals: int = 0,
        like: Key | None = None,
        **more: Any,
    ) -> Key:
        """A new key, as the console makes it; accepted through the day ``expires``.

        A ``waiting`` one is refused until `accept`, as Mistral does for a few minutes; one with
        ``refusals``, so many times. It ends as ``like`` does. ``more``: fields of `IssuedKey`.
        """
        key = _new_key(self._rng, like.tail if like else "")
        self._refusals[key.fingerprint] = refusals
        if waiting:
            self._waiting.add(key.fingerprint)
        self.workspaces.add(workspace)
        hidden = f"{key.reveal()[:4]}...{key.tail}"
        self._issued[key.fingerprint] = IssuedKey(
            str(uuid.uuid4()), name, workspace, organisation, expires, hidden, self.today(), **more
        )
        return key

    def accept(self, key: Key) -> None:
        """Accept a waiting key from now on."""
        self._waiting.discard(key.fingerprint)

    def revoke(self, key: Key) -> None:
        """Delete the key, as the console does; a missing one is not an error."""
        self.delete_key(key.fingerprint)

    def delete_key(self, fingerprint: str) -> None:
        """As `revoke`, by the key's fingerprint."""
        self._issued.pop(fingerprint, None)

    def issued_keys(self) -> dict[str, IssuedKey]:
        """The keys there are, by fingerprint."""
        return dict(self._issued)

    def find_key(self, shown: str) -> IssuedKey | None:
        """The accepted key that a request presented."""
        issued = self._issued.get(fingerprint(shown))
        if fingerprint(shown) in self._waiting:
            return None
        if self._refusals.get(fingerprint(shown), 0) > 0:
            self._refusals[fingerprint(shown)] -= 1
            return None
        expired = issued and issued.expires and issued.expires < self.today()
        return None if expired else issued


def _new_key(rng: random.Random, tail: str = "") -> Key:
    """32 random alphanumerics with upper case, lower case and a digit, and no placeholder's word."""
    while True:
        with suppress(NotAKey):
            key = Key("".join(rng.choices(_ALPHABET, k=32 - len(tail))) + tail)
            if is_mixed(key.reveal()):
                return key
