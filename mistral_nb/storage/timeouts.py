"""Waits with a time limit, and with Ctrl-C working."""

import signal
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from mistral_nb.errors import StoreError

_Result = TypeVar("_Result")
_SLICE = 0.1  # seconds: on Windows a join can't be interrupted
_SLOW_AFTER = 3.0


class DeadlineExceeded(Exception):
    """The work exceeded its limit; its thread is abandoned."""


def run_with_timeout(
    work: Callable[[], _Result | StoreError],
    seconds: float,
    late: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> _Result:
    """What ``work`` returns, from a daemon thread; a returned `StoreError` is raised here.

    ``late`` is called once, after three seconds. Raises `DeadlineExceeded`, also where no thread can be started (at the
    end of Python 3.12, or at a limit of the system), and a `StoreError` for an exception
    in ``work``, without it: a foreign exception's frames may hold a secret.
    """
    outcome: list[_Result | StoreError] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001, nothing may leave the thread
            outcome.append(StoreError(f"The store failed ({type(error).__name__}).", "Try again."))

    thread = threading.Thread(target=run, daemon=True, name="mistral-nb-store")
    try:
        thread.start()
    except RuntimeError:
        raise DeadlineExceeded from None
    start, told = clock(), False
    while thread.is_alive():
        elapsed = clock() - start
        if elapsed >= seconds:
            raise DeadlineExceeded
        if late and not told and elapsed >= _SLOW_AFTER:
            late()
            told = True
        thread.join(min(_SLICE, seconds - elapsed))
    if isinstance(outcome[0], StoreError):
        raise outcome[0]
    return outcome[0]


def run_here_with_timeout(work: Callable[[], _Result], seconds: float) -> _Result:
    """As `run_with_timeout`, but in this thread where that is possible, and with the exceptions of ``work``.

    Where ``work`` reads the kernel's answers, an abandoned thread would take those to later questions.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return run_with_timeout(work, seconds)
    start = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _raise_deadline)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)  # of a timer that runs already
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), 0.001), interval)


def _raise_deadline(*_: Any) -> None:
    raise DeadlineExceeded
