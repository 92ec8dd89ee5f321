"""A cell that ends with Mistral's 401 tells which key was refused, whichever library made the request."""

from collections.abc import Callable, Iterator

import httpx
import pytest
import requests

from mistral_nb.api_key import Key
from mistral_nb.magic.refused_requests import find_refused_key
from support.keys import make_key
from support.sandboxes import FaultySandbox, start_sandbox

Ask = Callable[[str, Key], object]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """These libraries take a proxy from the environment of the tests."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "localhost,127.0.0.1")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[FaultySandbox]:
    with start_sandbox() as running:
        yield running


def by_httpx(base: str, key: Key) -> object:
    header = {"Authorization": f"Bearer {key.reveal()}"}
    return httpx.get(f"{base}/v1/models", headers=header).raise_for_status()


def by_requests(base: str, key: Key) -> object:
    header = {"Authorization": f"Bearer {key.reveal()}".encode()}
    return requests.get(f"{base}/v1/models", headers=header, timeout=20).raise_for_status()


def by_mistralai(base: str, key: Key) -> object:
    from mistralai.client import Mistral

    return Mistral(api_key=key.reveal(), server_url=base).models.list()


def inside_another(base: str, key: Key) -> object:
    try:
        return by_httpx(base, key)
    except httpx.HTTPStatusError as error:
        raise ValueError("the model failed") from error


def error_of(ask: Ask, base: str, key: Key) -> BaseException:
    with pytest.raises(Exception) as raised:  # each library has its own
        ask(base, key)
    return raised.value


@pytest.mark.parametrize("ask", [by_httpx, by_requests, by_mistralai, inside_another])
def test_the_key_of_a_refused_request_is_found(ask: Ask, sandbox: FaultySandbox) -> None:
    key = make_key()
    assert find_refused_key(error_of(ask, sandbox.url, key), sandbox.url) == key


def test_another_host_that_refuses_says_nothing_about_the_key(sandbox: FaultySandbox) -> None:
    error = error_of(by_httpx, sandbox.url, make_key())
    assert find_refused_key(error, "https://api.mistral.ai") is None


def test_another_path_of_the_same_host_says_nothing_about_the_key(sandbox: FaultySandbox) -> None:
    error = error_of(by_httpx, sandbox.url, make_key())
    assert find_refused_key(error, f"{sandbox.url}/mistral") is None
    assert find_refused_key(error, f"{sandbox.url}/v") is None
    assert find_refused_key(error, f"{sandbox.url}/v1")  # the control


@pytest.mark.parametrize("fault", ["503", "401 inactive", "401 html"])
def test_what_says_nothing_against_the_key_names_no_key(fault: str, sandbox: FaultySandbox) -> None:
    sandbox.set_fault(fault)
    try:
        error = error_of(by_httpx, sandbox.url, sandbox.make_key())
    finally:
        sandbox.set_fault(None)
    assert find_refused_key(error, sandbox.url) is None


def test_an_answer_that_nobody_read_names_no_key(sandbox: FaultySandbox) -> None:
    def by_stream(base: str, key: Key) -> object:
        header = {"Authorization": f"Bearer {key.reveal()}"}
        with httpx.stream("GET", f"{base}/v1/models", headers=header) as response:
            return response.raise_for_status()

    assert find_refused_key(error_of(by_stream, sandbox.url, make_key()), sandbox.url) is None


def test_what_is_no_refusal_names_no_key(sandbox: FaultySandbox) -> None:
    circle = ValueError()
    circle.__context__ = KeyError()
    circle.__context__.__context__ = circle
    for error in (circle, httpx.HTTPError("no request"), None):
        assert find_refused_key(error, sandbox.url) is None


def test_an_exception_with_odd_attributes_names_no_key() -> None:
    class Odd(Exception):
        @property
        def response(self) -> object:
            raise RuntimeError

    assert find_refused_key(Odd(), "https://api.mistral.ai") is None
