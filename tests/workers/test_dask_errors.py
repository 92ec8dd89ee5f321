"""No secret in what a worker sends of an exception: its pickle, its texts, and those of what caused it."""

import traceback
from collections.abc import Callable, Iterator

import httpx
import pytest
from distributed import core
from distributed.protocol import pickle

from mistral_nb import environment
from mistral_nb.api_key import MARKER
from mistral_nb.guard.known_secrets import PROCESS_SECRETS
from mistral_nb.workers.dask_errors import _redact_message, redact_exception
from support.keys import make_key, make_text


class Custom(Exception):
    """As libraries define them: not made of its arguments, with attributes."""

    def __init__(self, message: str, *, response: object = None) -> None:
        super().__init__(message)
        self.response = response

    def __str__(self) -> str:
        return f"custom: {self.args[0]} {self.response}"


class Unprintable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("not today")

    __str__ = __repr__


def with_cause(text: str) -> BaseException:
    try:
        try:
            raise KeyError(text)
        except KeyError as error:
            raise ValueError("plain") from error
    except ValueError as error:
        return error


def with_context(text: str) -> BaseException:
    try:
        try:
            raise KeyError(text)
        except KeyError:
            raise ValueError("plain")  # noqa: B904, its context is the point
    except ValueError as error:
        return error


def with_note(text: str) -> BaseException:
    error = ValueError("plain")
    error.add_note(f"sent with {text}")
    return error


def with_request(text: str) -> BaseException:
    request = httpx.Request("GET", "https://api.mistral.ai", headers={"Authorization": f"Bearer {text}"})
    error = Custom("refused")
    error.request = request
    return error


WAYS: dict[str, Callable[[str], BaseException]] = {
    "message": lambda text: ValueError(f"refused {text}"),
    "key of a mapping": KeyError,
    "nested arguments": lambda text: ValueError("sent", {"headers": [("Authorization", f"Bearer {text}")]}),
    "attribute": lambda text: Custom("refused", response=text),
    "nested attribute": lambda text: Custom("refused", response={"key": [text]}),
    "cause": with_cause,
    "context": with_context,
    "note": with_note,
    "file name": lambda text: FileNotFoundError(2, "No such file", text),
    "text that could not be decoded": lambda text: UnicodeDecodeError("utf-8", text.encode() + b"\xff", 32, 33, "bad"),
    "group": lambda text: ExceptionGroup("several", [ValueError(text), ExceptionGroup("more", [KeyError(text)])]),
    "a request with its headers": with_request,
}


@pytest.fixture(autouse=True)
def _subscribed() -> Iterator[None]:
    end = PROCESS_SECRETS.subscribe()
    yield
    end()


def sent(error: BaseException) -> str:
    """All that goes to the scheduler, in one text."""
    try:
        raise error
    except Exception as raised:  # noqa: BLE001, of any kind
        message = core.error_message(raised)
    again = pickle.loads(message["exception"].data)
    return f"{message}{message['exception'].data!r}" + "".join(traceback.format_exception(again))


@pytest.mark.parametrize("way", WAYS)
def test_no_way_to_show_a_key_in_an_exception_gets_through(way: str) -> None:
    unknown, key = make_text(), make_key()
    environment.register_secret(key)
    assert unknown in sent(redact_exception(WAYS[way](unknown)))  # negative control: nobody knows this one
    shown = sent(redact_exception(WAYS[way](key.reveal())))
    assert key.reveal() not in shown
    assert type(redact_exception(WAYS[way]("no key"))).__name__ in shown


@pytest.mark.parametrize(
    ("way", "kind"),
    [("message", ValueError), ("cause", ValueError), ("attribute", Custom), ("file name", RuntimeError)],
)
def test_its_type_is_kept_where_it_can_be(way: str, kind: type) -> None:
    key = make_key()
    environment.register_secret(key)
    assert type(redact_exception(WAYS[way](key.reveal()))) is kind


def test_an_exception_without_a_key_is_left_alone() -> None:
    environment.register_secret(make_key())
    error = Custom("refused", response=["text"])
    assert redact_exception(error) is error


def test_one_that_can_not_be_looked_at_is_replaced() -> None:
    environment.register_secret(make_key())
    assert "Unprintable" in str(redact_exception(Unprintable(make_text())))


def test_the_lines_of_code_in_a_traceback_are_redacted_too() -> None:
    key = make_key()
    environment.register_secret(key)
    usual = lambda e, status="error": {"status": status, "exception_text": repr(e), "traceback_text": key.reveal()}  # noqa: E731
    assert _redact_message(usual)(ValueError("plain")) == {
        "status": "error",
        "exception_text": "ValueError('plain')",
        "traceback_text": MARKER,
    }
