"""Texts, and lists, tuples and dicts of texts, without secrets: for what is handed on as objects, not as a message."""

from operator import is_
from typing import Any

from mistral_nb.guard.kernel_messages import UNSEARCHED_TEXT
from mistral_nb.guard.text_matcher import MatcherSource, TextMatcher


def redact_values(value: Any, get_matcher: MatcherSource) -> Any:
    """The value with the marker in its texts; the same object when there was no secret. Never raises.

    If the search fails, each text is replaced whole.
    """
    try:
        return _redact(value, get_matcher())
    except RecursionError:  # it contains itself, or nearly
        return UNSEARCHED_TEXT
    except Exception:  # noqa: BLE001, whatever it is, the cell or the task must go on
        return _redact(value, None)


def _redact(value: Any, matcher: TextMatcher | None) -> Any:
    if isinstance(value, str):
        return matcher.redact(value) if matcher is not None else UNSEARCHED_TEXT
    if type(value) in (list, tuple):
        items = [_redact(item, matcher) for item in value]
        return value if all(map(is_, items, value)) else type(value)(items)
    if isinstance(value, dict):
        items = [_redact(item, matcher) for item in value.values()]
        return value if all(map(is_, items, value.values())) else dict(zip(value, items, strict=True))
    return value
