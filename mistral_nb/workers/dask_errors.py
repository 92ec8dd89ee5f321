"""Exceptions that leave a worker of Dask, without secrets.

A task's exception is pickled and sent to the scheduler, which keeps it, and to the client. Dask makes that message in
one function, `distributed.core.error_message`, which this wraps wherever a worker calls it.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from mistral_nb.guard.kernel_messages import UNSEARCHED_TEXT
from mistral_nb.guard.known_secrets import PROCESS_SECRETS
from mistral_nb.guard.text_matcher import TextMatcher
from mistral_nb.guard.value_redaction import redact_values

_TEXTS = ("exception_text", "traceback_text")


def guard_errors() -> None:
    """Redact every exception that this process's workers send from now on. Does nothing where it was done before."""
    from distributed import core, worker, worker_state_machine

    if not hasattr(core.error_message, "__wrapped__"):
        redacting = _redact_message(core.error_message)
        for module in (core, worker, worker_state_machine):
            module.error_message = redacting


def _redact_message(usual: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(usual)
    def error_message(e: BaseException, *arguments: Any, **more: Any) -> Any:
        message = usual(redact_exception(e), *arguments, **more)
        texts = {name: redact_values(message[name], PROCESS_SECRETS.matcher) for name in _TEXTS if name in message}
        return message | texts

    return error_message


def redact_exception(error: BaseException) -> BaseException:
    """The exception as it may be sent: itself, if it shows no secret; else changed in place, or another one with its
    text. Never raises.
    """
    try:
        matcher = PROCESS_SECRETS.matcher()
        if not _shows_secret(error, matcher):
            return error
        for each in _chain(error):
            _redact_in_place(each)
        return _as_text(error) if _shows_secret(error, matcher) else error
    except Exception:  # noqa: BLE001, an exception of the user's may do anything when it is looked at
        return RuntimeError(f"{type(error).__name__}: {UNSEARCHED_TEXT}")


def _shows_secret(error: BaseException, matcher: TextMatcher) -> bool:
    """Whether a secret is in what is sent: the pickle, or the text if there can be none."""
    from distributed.protocol import pickle

    texts = [repr(each) for each in _chain(error)]
    with contextlib.suppress(Exception):  # what can't be pickled is sent as text
        texts.append(pickle.dumps(error).decode("latin-1"))
    return any(matcher.redact(text) is not text for text in texts)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, those that caused it, and those in a group; each once."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            todo += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def _redact_in_place(error: BaseException) -> None:
    error.args = redact_values(error.args, PROCESS_SECRETS.matcher)
    for name, value in vars(error).items():
        setattr(error, name, redact_values(value, PROCESS_SECRETS.matcher))


def _as_text(error: BaseException) -> BaseException:
    """For an exception whose state can't be redacted, such as one that holds a request with its headers."""
    text = redact_values(f"{type(error).__name__}: {error}", PROCESS_SECRETS.matcher)
    return RuntimeError(text).with_traceback(error.__traceback__)
