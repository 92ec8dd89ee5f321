"""`mistral_nb.key` and `mistral_nb.auth` in a process that was given a key and stores none."""

import httpx
import pytest

import mistral_nb
from mistral_nb.api_key import Key
from mistral_nb.config import API_KEY_VARIABLE
from mistral_nb.errors import WrongUsage
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import shown_by


@pytest.fixture
def given(environ: dict[str, str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Key:
    """The key of this process's environment."""
    key = sandbox.make_key()
    for name, value in (environ | {API_KEY_VARIABLE: key.reveal()}).items():
        monkeypatch.setenv(name, value)
    return key


def test_it_is_the_key_of_the_environment_as_it_is(
    given: Key, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = mistral_nb.key()
    assert live() == given.reveal()
    assert repr(live) == f"<mistral_nb.key …{given.tail}>"
    new = sandbox.make_key()
    monkeypatch.setenv(API_KEY_VARIABLE, new.reveal())
    assert live() == new.reveal()
    assert repr(live) == f"<mistral_nb.key …{new.tail}>"


def test_a_refused_request_takes_the_key_that_is_set_by_then(
    given: Key, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = sandbox.make_key()
    sandbox.revoke(given)
    with httpx.Client(auth=mistral_nb.auth(), event_hooks={"response": [lambda _: _set(new, monkeypatch)]}) as client:
        assert client.get(f"{sandbox.url}/v1/models").status_code == 200
    assert [request.tail for request in sandbox.requests] == [given.tail, new.tail]


def _set(key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, key.reveal())


def test_a_refusal_and_a_key_that_was_taken_away_say_so(
    given: Key, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.revoke(given)
    with httpx.Client(auth=mistral_nb.auth()) as client:
        assert client.get(f"{sandbox.url}/v1/models").status_code == 401
        assert f"{API_KEY_VARIABLE} (…{given.tail})" in caplog.text
        monkeypatch.delenv(API_KEY_VARIABLE)
        with pytest.raises(WrongUsage, match="holds no key any more") as failed:
            client.get(f"{sandbox.url}/v1/models")
    assert given.reveal() not in caplog.text + shown_by(failed.value)
    assert given.reveal() in shown_by(ValueError(given.reveal())), "the search would find it"


def test_a_workspace_that_is_named_has_to_be_stored(given: Key) -> None:
    with pytest.raises(WrongUsage, match="No key is stored for a workspace named prod"):
        mistral_nb.key("prod")
