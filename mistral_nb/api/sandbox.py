"""A stand-in for Mistral's API on 127.0.0.1: its endpoints, its bodies, keys it made itself, its failures.

    with Sandbox() as sandbox:
        key = sandbox.make_key(workspace="research")
        verify(key, sandbox.url)

It keeps fingerprints, no keys. The failures to switch on are in `FAULTS`.
"""

import secrets
import string
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any, Self

from mistral_nb.api import sandbox_admin
from mistral_nb.api.sandbox_bodies import Issued
from mistral_nb.api.sandbox_faults import FAULTS, Fault
from mistral_nb.api.sandbox_server import Request, Server
from mistral_nb.errors import NotAKey
from mistral_nb.key import Key, fingerprint

__all__ = ["FAULTS", "Fault", "Issued", "Request", "Sandbox"]

_ALPHABET = string.ascii_letters + string.digits


class Sandbox:
    """The server, from ``with`` to its end; ``url`` is its base. ``requests`` lists what was asked.

    ``today`` decides when a key has expired.
    """

    def __init__(self, *, today: Callable[[], date] = date.today) -> None:
        self.requests: list[Request] = []
        self.today = today
        self.fault: Fault | None = None
        self.elsewhere = ""
        self.stopping = threading.Event()
        self._fresh = False  # no request yet since the fault was switched on
        self.workspaces: set[str] = set()
        self._issued: dict[str, Issued] = {}
        self._waiting: set[str] = set()
        self._refusals: dict[str, int] = {}  # how often a young key is still refused
        self.admin = sandbox_admin.AdminSide(self)
        self._server = Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="mistral-nb-sandbox", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
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

        A ``waiting`` one is refused until `accept`, as Mistral does for some minutes; one with
        ``refusals``, so many times. It ends as ``like`` does. ``more``: fields of `Issued`.
        """
        key = _new_key(like.tail if like else "")
        self._refusals[key.fingerprint] = refusals
        if waiting:
            self._waiting.add(key.fingerprint)
        self.workspaces.add(workspace)
        hidden = f"{key.reveal()[:4]}...{key.tail}"
        self._issued[key.fingerprint] = Issued(
            str(uuid.uuid4()), name, workspace, organisation, expires, hidden, self.today(), **more
        )
        return key

    def accept(self, key: Key) -> None:
        """The first minutes of a waiting key are over."""
        self._waiting.discard(key.fingerprint)

    def revoke(self, key: Key) -> None:
        """Delete the key, as the console does; one that is not there is no error."""
        self.drop(key.fingerprint)

    def drop(self, fingerprint: str) -> None:
        """As `revoke`, by the key's fingerprint."""
        self._issued.pop(fingerprint, None)

    def fail(self, fault: str | None, *, elsewhere: str = "https://elsewhere.invalid") -> None:
        """Switch on one of `FAULTS`, by name, for every key; None ends it."""
        self.elsewhere = elsewhere
        self.fault = FAULTS[fault] if fault else None
        self._fresh = True

    def first_time(self) -> bool:
        fresh, self._fresh = self._fresh, False
        return fresh

    def issued(self) -> dict[str, Issued]:
        """The keys there are, by fingerprint."""
        return dict(self._issued)

    def find(self, shown: str) -> Issued | None:
        """The accepted key behind what a request showed."""
        issued = self._issued.get(fingerprint(shown))
        if fingerprint(shown) in self._waiting:
            return None
        if self._refusals.get(fingerprint(shown), 0) > 0:
            self._refusals[fingerprint(shown)] -= 1
            return None
        expired = issued and issued.expires and issued.expires < self.today()
        return None if expired else issued


def _new_key(tail: str = "") -> Key:
    """32 random alphanumerics with upper case, lower case and a digit, and no placeholder's word."""
    while True:
        with suppress(NotAKey):
            key = Key("".join(secrets.choice(_ALPHABET) for _ in range(32 - len(tail))) + tail)
            if _is_a_mix(key):
                return key


def _is_a_mix(key: Key) -> bool:
    tests = (str.isupper, str.islower, str.isdigit)
    return all(any(map(test, key.reveal())) for test in tests)
