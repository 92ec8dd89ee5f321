"""Work that may never end is waited for no longer than its limit."""

import threading
import time

import pytest

from mistral_nb.errors import StoreError, StoreLocked
from mistral_nb.store.bounded import TookTooLong, bounded


def test_what_the_work_returns_comes_back():
    assert bounded(lambda: 7, 1) == 7
    assert bounded(lambda: None, 1) is None


def test_a_returned_error_is_raised():
    with pytest.raises(StoreLocked):
        bounded(lambda: StoreLocked("Locked.", "Unlock."), 1)


def test_a_foreign_exception_is_replaced_by_its_name():
    def fail():
        raise ValueError("with a secret in it")

    with pytest.raises(StoreError) as caught:
        bounded(fail, 1)
    assert "ValueError" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_work_that_does_not_end_is_left_behind_at_the_limit():
    never, start = threading.Event(), time.monotonic()
    with pytest.raises(TookTooLong):
        bounded(lambda: never.wait(10), 0.3)
    assert 0.3 <= time.monotonic() - start < 0.6
    never.set()


def test_after_three_seconds_and_once_it_is_said_that_it_is_late():
    never, said, start = threading.Event(), [], time.monotonic()
    with pytest.raises(TookTooLong):
        bounded(lambda: never.wait(10), 3.5, lambda: said.append(time.monotonic() - start))
    never.set()
    assert len(said) == 1
    assert 3 <= said[0] < 3.3
