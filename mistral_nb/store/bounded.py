"""Waiting for something that may never come, no longer than a limit and with Ctrl-C at work."""

import time
from collections.abc import Callable
from typing import TypeVar

from mistral_nb.errors import StoreError

_Result = TypeVar("_Result")
_SLICE = 0.1  # seconds: on Windows a join can't be interrupted
_LATE = 3.0


class TookTooLong(Exception):
    """The work went on past its limit; its thread is left behind."""


def bounded(
    work: Callable[[], _Result | StoreError], seconds: float, late: Callable[[], None] | None = None
) -> _Result:
    """What ``work`` returns, from a daemon thread; a returned `StoreError` is raised here.

    ``late`` is called once, after three seconds. Raises `TookTooLong`, and a `StoreError` for an exception
    in ``work``, without it: a foreign exception's frames may hold a secret.
    """
    import threading

    outcome: list[_Result | StoreError] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001, nothing may leave the thread
            outcome.append(StoreError(f"The store failed ({type(error).__name__}).", "Try again."))

    thread = threading.Thread(target=run, daemon=True, name="mistral-nb-store")
    thread.start()
    start, told = time.monotonic(), False
    while thread.is_alive():
        elapsed = time.monotonic() - start
        if elapsed >= seconds:
            raise TookTooLong
        if late and not told and elapsed >= _LATE:
            late()
            told = True
        thread.join(min(_SLICE, seconds - elapsed))
    if isinstance(outcome[0], StoreError):
        raise outcome[0]
    return outcome[0]
