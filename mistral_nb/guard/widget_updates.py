"""Markers sent back: a front end sends the redacted value of a widget when the person edits it."""

import json
import sys
from collections.abc import Callable
from typing import Any

from mistral_nb.api_key import MARKER
from mistral_nb.guard.text_matcher import TextMatcher

_MARKER_CORE = MARKER.strip("[]")  # the person may have edited at its edges
_MAX_TRAITS = 4096
_redacted_traits: set[tuple[str, str]] = set()  # widgets' traits that went out with the marker in them


def record_redacted_traits(message: dict[str, Any], matcher: TextMatcher, pack: Callable[[Any], bytes]) -> None:
    """Note which traits of a widget are about to go out redacted. For a message that held a secret."""
    content = message.get("content")
    if not message["header"]["msg_type"].startswith("comm_") or not isinstance(content, dict):
        return
    for name, value in _widget_state(content).items():
        packed = pack({name: value})
        if len(_redacted_traits) < _MAX_TRAITS and matcher.redact_packed(packed) is not packed:
            _redacted_traits.add((content["comm_id"], name))


def wrap_comm_handler(original: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel's handler of widget updates that keeps the kernel's value where the marker comes back."""

    def handle(stream: Any, ident: Any, message: dict[str, Any]) -> Any:
        content = message.get("content", {})
        refused = [name for name, value in _widget_state(content).items() if _has_marker(content, name, value)]
        if not refused:
            return original(stream, ident, message)
        _drop_traits(message, set(refused))
        print(_format_warning(refused), file=sys.stderr)  # noqa: T201, what a widget's callback prints is shown
        result = original(stream, ident, message)
        again = {**content, "data": {"method": "request_state"}}
        original(stream, ident, {**message, "content": again, "buffers": []})
        return result

    return handle


def _has_marker(content: dict[str, Any], name: str, value: Any) -> bool:
    return (content.get("comm_id"), name) in _redacted_traits and _MARKER_CORE in json.dumps(value, default=str)


def _drop_traits(message: dict[str, Any], refused: set[str]) -> None:
    data = message["content"]["data"]
    data["state"] = {name: value for name, value in data["state"].items() if name not in refused}
    kept = [n for n, path in enumerate(data.get("buffer_paths") or []) if path[0] not in refused]
    data["buffer_paths"] = [data["buffer_paths"][n] for n in kept] if kept else []
    message["buffers"] = [message["buffers"][n] for n in kept]


def _widget_state(content: dict[str, Any]) -> dict[str, Any]:
    data = content.get("data")
    state = data.get("state") if isinstance(data, dict) else None
    return state if isinstance(state, dict) else {}


def _format_warning(names: list[str]) -> str:
    return (
        f"The change to {', '.join(names)} of a widget was ignored: the text shown there stands for a key, and the "
        "kernel still has the key. Set the value in a cell instead."
    )
