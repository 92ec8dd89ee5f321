"""What `logging` hands on: records before any handler sees them, and what handlers' formatters make of them.

The patches are on `logging.Logger` and `logging.Handler` themselves: so they hold for every logger, formatter and
handler, also for those that are made later, for records of other processes that a `QueueListener` brings, and for
stores that keep records.
"""

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from mistral_nb.guard.ipython_patches import Patch
from mistral_nb.guard.text_matcher import MatcherSource
from mistral_nb.guard.value_redaction import redact_values

# Set from the place in the code, and searched in what a formatter makes of them only.
_OF_THE_PLACE = {"name", "levelname", "pathname", "filename", "module", "funcName", "threadName", "processName"}


def log_patches(get_matcher: MatcherSource) -> Iterator[Patch]:
    """Patches that put the marker into every log record and its text."""
    yield Patch(logging.Logger, "callHandlers", lambda original: _wrap_handle(original, get_matcher))
    yield Patch(logging.Handler, "handle", lambda original: _wrap_handle(original, get_matcher))
    yield Patch(logging.Handler, "format", lambda original: _wrap_format(original, get_matcher))


def _wrap_handle(original: Callable[..., Any], get_matcher: MatcherSource) -> Callable[..., Any]:
    def handle(logger_or_handler: Any, record: logging.LogRecord) -> Any:
        _redact_record(record, get_matcher)
        return original(logger_or_handler, record)

    return handle


def _wrap_format(original: Callable[..., Any], get_matcher: MatcherSource) -> Callable[..., Any]:
    def format_redacted(handler: logging.Handler, record: logging.LogRecord) -> Any:
        return redact_values(original(handler, record), get_matcher)

    return format_redacted


def _redact_record(record: logging.LogRecord, get_matcher: MatcherSource) -> None:
    """Message, arguments, exception and what ``extra`` added: all that a handler may keep, send or format itself."""
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001, arguments that do not fit: logging itself says so
        message = ""
    clean = redact_values(message, get_matcher)
    if clean is not message:
        record.msg, record.args = clean, None
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        clean = redact_values(text, get_matcher)
        if clean is not text:
            record.exc_text, record.exc_info = clean, None
    for name, value in tuple(vars(record).items()):
        if name not in _OF_THE_PLACE and isinstance(value, str | list | tuple | dict):
            clean = redact_values(value, get_matcher)
            if clean is not value:
                setattr(record, name, clean)
