"""The operating system's keyring: approved backends only, every call bounded in time.

Reads run in a thread that is left behind at the limit, writes in a child process that is killed at
it: a write that outlives its limit could undo a later one.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from mistral_nb.config import KEY_VARIABLES, PASSPHRASE_VARIABLE
from mistral_nb.errors import NotAKey, StoreError, StoreLocked, StoreTimedOut, StoreUnavailable
from mistral_nb.files import locks_for_children
from mistral_nb.key import Key
from mistral_nb.store import PATIENCE
from mistral_nb.store.backends import SECRET_SERVICE, approved, ways_out
from mistral_nb.store.base import KEYRING
from mistral_nb.store.bounded import TookTooLong, bounded

Say = Callable[[str], None]
Late = Callable[[], None]
Runner = Callable[[Callable[[], bytes], float, Late | None], dict[str, Any]]

_DIAGNOSIS = 0.5  # seconds of a limit that are kept for finding out why it was reached
_WAITING = "Waiting for the keyring: is a dialog open?"
_CHILD = [sys.executable, "-P", "-m", "mistral_nb.store.keyring_child"]


class KeyringStore:
    """Items of service ``mistral-nb:WORKSPACE``, user name ``current`` or ``next``.

    ``seconds`` bounds every call: 3 where nobody can answer a dialog, 60 in an interactive process,
    where ``say`` is told after 3 that one may be open. ``run`` makes the child that writes.
    """

    name = KEYRING

    def __init__(
        self,
        seconds: float = PATIENCE,
        say: Say | None = None,
        environ: Mapping[str, str] | None = None,
        run: Runner | None = None,
    ) -> None:
        self.seconds = seconds
        self._say = say
        self._environ: Mapping[str, str] = os.environ if environ is None else environ
        self._run: Runner = run or self._run_child

    def why_not(self) -> StoreError | None:
        """None when it can be used, a dialog on the way included; takes a second at most."""
        found = self._probe(1.0)
        return None if found and self._dialog_helps(found) else found

    def get(self, workspace: str, slot: str) -> Key | None:
        return self.read_item(f"mistral-nb:{workspace}", slot)

    def put(self, workspace: str, slot: str, key: Key) -> None:
        service = f"mistral-nb:{workspace}"
        self._write(lambda: _request("put", service, slot, key))
        if self.get(workspace, slot) != key:
            raise StoreError(
                "The keyring took the key and did not give it back.",
                ways_out(),
            )

    def delete(self, workspace: str, slot: str) -> None:
        service = f"mistral-nb:{workspace}"
        self._write(lambda: _request("delete", service, slot, None))

    def read_item(self, service: str, user: str) -> Key | None:
        """The key in any item; None when there is none, or no key in it."""
        try:
            return bounded(lambda: self._get_password(service, user), self._limit, self._telling())
        except TookTooLong:
            raise self._why_late() from None

    def _get_password(self, service: str, user: str) -> Key | StoreError | None:
        failure: str
        try:
            text = approved(self._environ).get_password(service, user)
            return Key(text) if text else None
        except StoreError as error:
            return error
        except NotAKey:
            return StoreError("What the keyring holds is not a key.", "Add the key again.")
        except Exception as error:  # noqa: BLE001, a backend raises what its system raises
            failure = type(error).__name__
        return self._explain(failure, self.seconds)  # `bounded` is around this

    def _write(self, request: Callable[[], bytes]) -> None:
        end = time.monotonic() + self.seconds
        try:
            answer = self._run(request, self._limit, self._telling())
        except TookTooLong:
            raise self._why_late() from None
        if answer.get("failed"):
            kind = {c.__name__: c for c in (StoreUnavailable, StoreLocked)}
            raise kind.get(answer.get("kind", ""), StoreError)(answer["failed"], answer.get("todo", ""))
        if not answer.get("ok"):
            raise self._explain(str(answer.get("error", "its helper process ended early")), end - time.monotonic())

    def _run_child(self, request: Callable[[], bytes], seconds: float, late: Late | None) -> dict[str, Any]:
        hidden = {*KEY_VARIABLES, PASSPHRASE_VARIABLE}
        process = subprocess.Popen(
            _CHILD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in self._environ.items() if name not in hidden},
            pass_fds=locks_for_children(),
        )
        assert process.stdin and process.stdout  # noqa: S101, for the type checker
        try:
            try:
                process.stdin.write(request())
                process.stdin.flush()  # stays open: its end tells the child that we are gone
            except OSError:
                return {}
            line = bounded(process.stdout.readline, seconds, late)
            return dict(json.loads(line)) if line else {}
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            _close_quietly(process.stdin)

    @property
    def _limit(self) -> float:
        return max(self.seconds - _DIAGNOSIS, self.seconds / 2)

    def _telling(self) -> Late | None:
        """Who is told, after `PATIENCE` seconds; nobody where the limit is no longer than that."""
        say = self._say
        return (lambda: say(_WAITING)) if say and self.seconds > PATIENCE else None

    def _why_late(self) -> StoreError:
        found = self._probe(_DIAGNOSIS)
        return _timed_out(self.seconds) if found is None or isinstance(found, StoreTimedOut) else found

    def _explain(self, failure: str, left: float) -> StoreError:
        """Why a call failed: what the probe finds in the time that is left, else the name of what was raised."""
        found = self._probe(max(left, _DIAGNOSIS))
        if isinstance(found, StoreTimedOut):
            return _timed_out(self.seconds)
        return found or StoreError(f"The keyring refused ({failure}).", ways_out("Try again"))

    def _probe(self, seconds: float) -> StoreError | None:
        """What is wrong with the keyring, found without opening a dialog; None for nothing."""
        try:
            return bounded(lambda: [_look(self._environ)], seconds)[0]
        except TookTooLong:
            return _timed_out(seconds)

    def _dialog_helps(self, found: StoreError) -> bool:
        display = any(self._environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
        return display and self.seconds > PATIENCE and isinstance(found, StoreLocked)


def _look(environ: Mapping[str, str]) -> StoreError | None:
    try:
        backend = approved(environ)
    except StoreError as error:
        return error
    if type(backend).__module__ not in SECRET_SERVICE:
        return None
    import secretstorage
    from secretstorage.exceptions import ItemNotFoundException

    try:
        with contextlib.closing(secretstorage.dbus_init()) as connection:
            locked = secretstorage.get_collection_by_alias(connection, "default").is_locked()
    except ItemNotFoundException:
        return StoreLocked(
            "This desktop has no keyring yet.",
            ways_out("Log in to the desktop once, which makes one"),
        )
    except Exception as error:  # noqa: BLE001, D-Bus raises what its parts raise
        return StoreUnavailable(f"The keyring could not be reached ({type(error).__name__}).", ways_out())
    if not locked:
        return None
    return StoreLocked("The keyring is locked.", ways_out("Unlock it and try again"))


def _timed_out(seconds: float) -> StoreTimedOut:
    return StoreTimedOut(
        f"The keyring did not answer within {seconds:g} second{'s' * (seconds != 1)}.",
        ways_out("Log out and in, and try again"),
    )


def _request(action: str, service: str, user: str, key: Key | None) -> bytes:
    value = key.reveal() if key else None
    return json.dumps({"action": action, "service": service, "user": user, "key": value}).encode() + b"\n"


def _close_quietly(pipe: Any) -> None:
    with contextlib.suppress(OSError):  # what was buffered for a child that is gone
        pipe.close()
