"""A cell that ends with an answer of Mistral's tells whether a key is accepted, whichever library made the request."""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import httpx
import pytest
import requests

from mistral_nb.api_key import Key
from mistral_nb.magic.request_verdicts import KeyVerdict, find_verdict
from support.keys import make_key
from support.requirements import absent
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


def by_openai(base: str, key: Key) -> object:
    openai = import_or_absent("openai")
    with openai.OpenAI(api_key=key.reveal(), base_url=f"{base}/v1") as client:
        return client.models.list()


def by_langchain(base: str, key: Key) -> object:
    """The sandbox has no chat: what answers is a transport."""
    langchain = import_or_absent("langchain_mistralai")
    refuse = httpx.MockTransport(lambda _: httpx.Response(401, json={"detail": "Unauthorized"}))
    header = {"Authorization": f"Bearer {key.reveal()}"}
    with httpx.Client(transport=refuse, base_url=f"{base}/v1", headers=header) as client:
        return langchain.ChatMistralAI(api_key=key.reveal(), client=client, max_retries=1).invoke("Hello")


def import_or_absent(name: str) -> Any:
    """A library that is not among the dependencies of the tests."""
    if find_spec(name) is None:
        absent(f"{name} not installed")
    return import_module(name)


def inside_another(base: str, key: Key) -> object:
    try:
        return by_httpx(base, key)
    except httpx.HTTPStatusError as error:
        raise ValueError("the model failed") from error


def error_of(ask: Ask, base: str, key: Key) -> BaseException:
    with pytest.raises(Exception) as raised:  # each library has its own
        ask(base, key)
    return raised.value


BY_HAND = [pytest.param(ask, marks=pytest.mark.manual) for ask in (by_openai, by_langchain)]


@pytest.mark.parametrize("ask", [by_httpx, by_requests, by_mistralai, inside_another, *BY_HAND])
def test_the_key_of_a_refused_request_is_found(ask: Ask, sandbox: FaultySandbox) -> None:
    key = make_key()
    assert find_verdict(error_of(ask, sandbox.url, key), sandbox.url) == KeyVerdict(key, accepted=False)


def test_another_host_that_refuses_says_nothing_about_the_key(sandbox: FaultySandbox) -> None:
    error = error_of(by_httpx, sandbox.url, make_key())
    assert find_verdict(error, "https://api.mistral.ai") is None


def test_another_path_of_the_same_host_says_nothing_about_the_key(sandbox: FaultySandbox) -> None:
    error = error_of(by_httpx, sandbox.url, make_key())
    assert find_verdict(error, f"{sandbox.url}/mistral") is None
    assert find_verdict(error, f"{sandbox.url}/v") is None
    assert find_verdict(error, f"{sandbox.url}/v1")  # the control


@pytest.mark.parametrize(
    ("fault", "accepted"), [("503", None), ("401 html", None), ("401 inactive", True), ("429", True), ("422", True)]
)
def test_what_an_error_says_of_the_key_is_recorded(fault: str, accepted: bool | None, sandbox: FaultySandbox) -> None:
    key = sandbox.make_key()
    sandbox.set_fault(fault)
    try:
        error = error_of(by_httpx, sandbox.url, key)
    finally:
        sandbox.set_fault(None)
    assert find_verdict(error, sandbox.url) == KeyVerdict(key, accepted)


@pytest.mark.parametrize("library", [httpx, requests])
def test_a_response_that_is_the_value_of_a_cell_says_that_the_key_is_accepted(
    library: Any, sandbox: FaultySandbox
) -> None:
    key = sandbox.make_key()
    header = {"Authorization": f"Bearer {key.reveal()}"}
    response = library.get(f"{sandbox.url}/v1/models", headers=header)
    assert find_verdict(response, sandbox.url) == KeyVerdict(key, accepted=True)
    assert find_verdict(response, "https://api.mistral.ai") is None
    for value in (response.json(), "text", 200, None):
        assert find_verdict(value, sandbox.url) is None


def test_an_answer_that_nobody_read_names_no_key(sandbox: FaultySandbox) -> None:
    def by_stream(base: str, key: Key) -> object:
        header = {"Authorization": f"Bearer {key.reveal()}"}
        with httpx.stream("GET", f"{base}/v1/models", headers=header) as response:
            return response.raise_for_status()

    assert find_verdict(error_of(by_stream, sandbox.url, make_key()), sandbox.url) is None


def test_what_is_no_refusal_names_no_key(sandbox: FaultySandbox) -> None:
    circle = ValueError()
    circle.__context__ = KeyError()
    circle.__context__.__context__ = circle
    for error in (circle, httpx.HTTPError("no request"), None):
        assert find_verdict(error, sandbox.url) is None


def test_an_exception_with_odd_attributes_names_no_key() -> None:
    class Odd(Exception):
        @property
        def response(self) -> object:
            raise RuntimeError

    assert find_verdict(Odd(), "https://api.mistral.ai") is None
