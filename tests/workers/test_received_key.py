"""What a process's environment holds after a shared key came and went."""

import os

import pytest

from mistral_nb import environment
from mistral_nb.api_key import Key
from mistral_nb.workers.received_key import ORIGIN, ReceivedKey
from support.keys import make_key

OWN, FIRST, SECOND, LATER = "own", "first", "second", "later"


@pytest.fixture
def keys() -> dict[str, Key]:
    return {name: make_key() for name in (OWN, FIRST, SECOND, LATER)}


def held(keys: dict[str, Key]) -> str:
    text = os.environ.get("MISTRAL_API_KEY")
    return next((name for name, key in keys.items() if key.reveal() == text), "")


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize(
    ("before", "received", "after"),
    [
        ("", (FIRST,), ""),
        ("", (FIRST, SECOND), ""),
        (OWN, (FIRST, SECOND), OWN),
        (FIRST, (FIRST, SECOND), ""),  # a child inherits it from the client that shares it
        (FIRST, (SECOND,), FIRST),
    ],
)
def test_what_was_there_before_returns(keys: dict[str, Key], before: str, received, after: str, replace: bool) -> None:
    if before:
        environment.activate(keys[before], None, "a test")
    received_key = ReceivedKey()
    for name in received:
        received_key.receive(keys[name], "dev", replace=replace)
    kept = before if before and not replace else ""
    assert held(keys) == (kept or received[-1])
    received_key.withdraw()
    assert held(keys) == (kept or after)


def test_it_is_marked_as_shared(keys: dict[str, Key]) -> None:
    ReceivedKey().receive(keys[FIRST], "dev")
    active = environment.active_key()
    assert active is not None
    assert (active.workspace, active.origin, active.is_ours) == ("dev", ORIGIN, True)


def test_a_key_that_was_set_since_stays(keys: dict[str, Key]) -> None:
    received = ReceivedKey()
    received.receive(keys[FIRST], None)
    environment.activate(keys[LATER], None, "a test")
    received.withdraw()
    assert held(keys) == LATER
    received.withdraw()  # a second time changes nothing
    assert held(keys) == LATER
