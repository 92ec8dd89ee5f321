"""Work that may never end is waited for no longer than its limit."""

import signal
import threading

import pytest

from mistral_nb.errors import StoreError, StoreLocked
from mistral_nb.storage.timeouts import DeadlineExceeded, run_here_with_timeout, run_with_timeout


class Clock:
    """Each look at it is so many seconds later."""

    def __init__(self, step: float) -> None:
        self.now, self.step = -step, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_what_the_work_returns_comes_back():
    assert run_with_timeout(lambda: 7, 1) == 7
    assert run_with_timeout(lambda: None, 1) is None


def test_a_returned_error_is_raised():
    with pytest.raises(StoreLocked):
        run_with_timeout(lambda: StoreLocked("Locked.", "Unlock."), 1)


def test_a_foreign_exception_is_replaced_by_its_name():
    def fail():
        raise ValueError("with a secret in it")

    with pytest.raises(StoreError) as caught:
        run_with_timeout(fail, 1)
    assert "ValueError" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_work_that_does_not_end_is_abandoned_at_the_limit():
    never, clock = threading.Event(), Clock(0.1)
    with pytest.raises(DeadlineExceeded):
        run_with_timeout(never.wait, 0.35, clock=clock)
    assert clock.now == pytest.approx(0.4)
    never.set()


def test_a_delay_is_reported_once_after_three_seconds():
    never, said, clock = threading.Event(), [], Clock(0.25)
    with pytest.raises(DeadlineExceeded):
        run_with_timeout(never.wait, 4.0, lambda: said.append(clock.now), clock)
    never.set()
    assert len(said) == 1
    assert 3 <= said[0] < 3.3


def test_where_no_thread_starts_the_work_is_not_done(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(DeadlineExceeded):
        run_with_timeout(lambda: 7, 1)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
@pytest.mark.parametrize("in_thread", [False, True])
def test_in_the_main_thread_the_work_itself_is_ended(in_thread: bool) -> None:
    ended: list[bool] = []

    def wait() -> None:
        try:
            threading.Event().wait(60)
        finally:
            ended.append(True)

    def run() -> None:
        with pytest.raises(DeadlineExceeded):
            run_here_with_timeout(wait, 0.05)

    before = signal.getsignal(signal.SIGALRM), bool(signal.getitimer(signal.ITIMER_REAL)[0])
    if in_thread:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    else:
        run()
    assert ended == ([] if in_thread else [True])
    assert (signal.getsignal(signal.SIGALRM), bool(signal.getitimer(signal.ITIMER_REAL)[0])) == before
    assert run_here_with_timeout(lambda: 7, 60) == 7
