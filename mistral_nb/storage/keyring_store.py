"""The operating system's keyring: approved backends only, every call bounded in time.

Reads run in a thread that is abandoned at the limit, writes in a child process that is killed at
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

from mistral_nb.api_key import Key
from mistral_nb.child_environment import KEYRING as KEYRING_CHILD
from mistral_nb.child_environment import child_environment
from mistral_nb.errors import NotAKey, StoreError, StoreLocked, StoreTimedOut, StoreUnavailable
from mistral_nb.file_io import locks_for_children
from mistral_nb.storage.keyring_backends import QUIET_BACKENDS, SECRET_SERVICE, find_approved_backend, no_keyring_hint
from mistral_nb.storage.store_protocol import CURRENT, KEYRING, NEXT
from mistral_nb.storage.timeouts import DeadlineExceeded, run_with_timeout

Notify = Callable[[str], None]
OnSlow = Callable[[], None]
ChildRunner = Callable[[Callable[[], bytes], float, OnSlow | None], dict[str, Any]]

SECONDS, INTERACTIVE_SECONDS = 3.0, 60.0  # that a keyring may take; the second where a person may answer its dialog
PROBE_SECONDS = 1.0  # that an answer to whether it can be used may take
_DIAGNOSIS_SECONDS = 0.5  # seconds of a limit that are kept for finding out why it was reached
_WAITING_TEXT = "Waiting for the keyring: is a dialog open?"
_CHILD = [sys.executable, "-P", "-m", "mistral_nb.storage.keyring_writer"]


_ACCOUNTS = {CURRENT: "Mistral API key", NEXT: "Mistral API key 2"}  # as the keyring's own window shows them


class KeyringStore:
    """Items of service ``mistral-nb:WORKSPACE``; a slot is an account: ``Mistral API key``, ``Mistral API key 2``.

    ``seconds`` bounds every call: 3 if no one can answer a dialog, 60 in an interactive process,
    where ``say`` is called after 3 if one may be open. ``run`` starts the child that writes.
    """

    name = KEYRING

    def __init__(
        self,
        seconds: float = SECONDS,
        say: Notify | None = None,
        environ: Mapping[str, str] | None = None,
        run: ChildRunner | None = None,
    ) -> None:
        self.seconds = seconds
        self._say = say
        self._environ: Mapping[str, str] = os.environ if environ is None else environ
        self._run: ChildRunner = run or self._run_child

    def unavailable_reason(self) -> StoreError | None:
        """None when it can be used, a dialog on the way included; takes a second at most."""
        found = self._probe(PROBE_SECONDS)
        return None if found and self._can_dialog_help(found) else found

    def quiet_problem(self) -> StoreError | None:
        """None when it can be used without a dialog, else why not."""
        return self._probe(self.seconds, quiet=True)

    def get(self, workspace: str, slot: str) -> Key | None:
        return self.read_item(f"mistral-nb:{workspace}", _ACCOUNTS[slot])

    def put(self, workspace: str, slot: str, key: Key) -> None:
        service = f"mistral-nb:{workspace}"
        self._write(lambda: _encode_request("put", service, _ACCOUNTS[slot], key))
        if self.get(workspace, slot) != key:
            raise StoreError(
                "The keyring accepted the key but did not return it.",
                no_keyring_hint(),
            )

    def delete(self, workspace: str, slot: str) -> None:
        service = f"mistral-nb:{workspace}"
        self._write(lambda: _encode_request("delete", service, _ACCOUNTS[slot], None))

    def read_item(self, service: str, user: str) -> Key | None:
        """The key in any item; None when there is none, or no key in it."""
        try:
            return run_with_timeout(lambda: self._get_password(service, user), self._timeout, self._slow_callback())
        except DeadlineExceeded:
            raise self._timeout_error() from None

    def _get_password(self, service: str, user: str) -> Key | StoreError | None:
        failure: str
        try:
            text = find_approved_backend(self._environ).get_password(service, user)
            return Key(text) if text else None
        except StoreError as error:
            return error
        except NotAKey:
            return StoreError("The keyring item is not a key.", "Add the key again.")
        except Exception as error:  # noqa: BLE001, a backend raises what its system raises
            failure = type(error).__name__
        return self._explain_failure(failure, self.seconds)  # `run_with_timeout` is around this

    def _write(self, request: Callable[[], bytes]) -> None:
        end = time.monotonic() + self.seconds
        try:
            answer = self._run(request, self._timeout, self._slow_callback())
        except DeadlineExceeded:
            raise self._timeout_error() from None
        if answer.get("failed"):
            kind = {c.__name__: c for c in (StoreUnavailable, StoreLocked)}
            raise kind.get(answer.get("kind", ""), StoreError)(answer["failed"], answer.get("todo", ""))
        if not answer.get("ok"):
            raise self._explain_failure(
                str(answer.get("error", "its helper process ended early")), end - time.monotonic()
            )

    def _run_child(self, request: Callable[[], bytes], seconds: float, late: OnSlow | None) -> dict[str, Any]:
        process = subprocess.Popen(
            _CHILD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(KEYRING_CHILD, self._environ),
            pass_fds=locks_for_children(),
        )
        assert process.stdin and process.stdout  # noqa: S101, for the type checker
        try:
            try:
                process.stdin.write(request())
                process.stdin.flush()  # stays open: its end tells the child that we are gone
            except OSError:
                return {}
            line = run_with_timeout(process.stdout.readline, seconds, late)
            return dict(json.loads(line)) if line else {}
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            _close_quietly(process.stdin)

    @property
    def _timeout(self) -> float:
        return max(self.seconds - _DIAGNOSIS_SECONDS, self.seconds / 2)

    def _slow_callback(self) -> OnSlow | None:
        """The callback for `PATIENCE` seconds; None if the limit is not longer than that."""
        say = self._say
        return (lambda: say(_WAITING_TEXT)) if say and self.seconds > SECONDS else None

    def _timeout_error(self) -> StoreError:
        found = self._probe(_DIAGNOSIS_SECONDS)
        return _timed_out_error(self.seconds) if found is None or isinstance(found, StoreTimedOut) else found

    def _explain_failure(self, failure: str, left: float) -> StoreError:
        """Why a call failed: what the probe finds in the remaining time, else the exception's name."""
        found = self._probe(max(left, _DIAGNOSIS_SECONDS))
        if isinstance(found, StoreTimedOut):
            return _timed_out_error(self.seconds)
        return found or StoreError(f"The keyring refused ({failure}).", no_keyring_hint("Try again"))

    def _probe(self, seconds: float, *, quiet: bool = False) -> StoreError | None:
        """What is wrong with the keyring, found without opening a dialog; None for nothing."""
        try:
            return run_with_timeout(lambda: [_probe_backend(self._environ, quiet=quiet)], seconds)[0]
        except DeadlineExceeded:
            return _timed_out_error(seconds)

    def _can_dialog_help(self, found: StoreError) -> bool:
        display = any(self._environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
        return display and self.seconds > SECONDS and isinstance(found, StoreLocked)


def _probe_backend(environ: Mapping[str, str], *, quiet: bool = False) -> StoreError | None:
    """``quiet``: one that may open a dialog although it is unlocked is refused."""
    try:
        backend = find_approved_backend(environ)
    except StoreError as error:
        return error
    kind = type(backend).__module__
    if kind not in SECRET_SERVICE:
        asks = quiet and kind not in QUIET_BACKENDS
        return StoreUnavailable("The keyring here may ask when it is written.", no_keyring_hint()) if asks else None
    return _probe_secret_service()


def _probe_secret_service() -> StoreError | None:
    import secretstorage
    from secretstorage.exceptions import ItemNotFoundException

    try:
        with contextlib.closing(secretstorage.dbus_init()) as connection:
            locked = secretstorage.get_collection_by_alias(connection, "default").is_locked()
    except ItemNotFoundException:
        return StoreLocked(
            "This desktop has no keyring yet.",
            no_keyring_hint("Log in to the desktop once, which makes one"),
        )
    except Exception as error:  # noqa: BLE001, D-Bus raises what its parts raise
        return StoreUnavailable(f"The keyring could not be reached ({type(error).__name__}).", no_keyring_hint())
    if not locked:
        return None
    return StoreLocked("The keyring is locked.", no_keyring_hint("Unlock it and try again"))


def _timed_out_error(seconds: float) -> StoreTimedOut:
    return StoreTimedOut(
        f"The keyring did not answer within {seconds:g} second{'s' * (seconds != 1)}.",
        no_keyring_hint("Log out and in, and try again"),
    )


def _encode_request(action: str, service: str, user: str, key: Key | None) -> bytes:
    value = key.reveal() if key else None
    return json.dumps({"action": action, "service": service, "user": user, "key": value}).encode() + b"\n"


def _close_quietly(pipe: Any) -> None:
    with contextlib.suppress(OSError):  # what was buffered for a child that is gone
        pipe.close()
