"""One serialised message: redacted and re-signed or, if that fails, sent without its text."""

import re
from typing import Any

from mistral_nb.api_key import MARKER
from mistral_nb.guard.text_matcher import TextMatcher

DELIMITER = b"<IDS|MSG>"
_SHORT_CONTENT = 25_000  # bytes
UNSEARCHED_TEXT = "[mistral_nb could not search this message for keys, so its text was removed]"

# Names and ids of the protocol: short words, UUIDs, MIME types. No key is written like these.
_UUID = r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}(?:_\d+){0,2}"
_PLAIN_NAME = re.compile(rf"[A-Za-z_][A-Za-z_.-]{{0,13}}|{_UUID}|[\d.]+")
_NAME = re.compile(rf"{_PLAIN_NAME.pattern}|(?:text|image|application|audio|video)/[a-z0-9.+-]{{1,60}}|[a-z]+_[a-z_]+")


def redact_message(
    session: Any, parts: list[bytes], matcher: TextMatcher, content_is_clean: bool = False
) -> list[bytes]:
    """A message of `Session.serialize` without secrets, signed; the same object when there was none."""
    start = parts.index(DELIMITER)
    header, parent, metadata, content = parts[start + 2 : start + 6]
    topics = parts[:start]
    searched = [*topics, header, parent, metadata] if content_is_clean else [*topics, header, parent, metadata, content]
    if len(content) < _SHORT_CONTENT:  # nearly every message: in one go
        searched = [b"\n".join(searched)]
    as_json = _is_json(content)
    if not any(matcher.may_match(part, as_json) for part in searched):
        return parts
    body = content if content_is_clean else _redact_part(content, matcher)
    message = [*(_redact_part(part, matcher) for part in (header, parent, metadata)), body]
    if len(topics) == 1:  # of a broadcast; a client's identity, which is no text, must stay
        topics = [matcher.redact_packed(topics[0])] if topics[0].isascii() else topics
    return [*topics, DELIMITER, session.sign(message), *message, *parts[start + 6 :]]


def blank_message(session: Any, parts: list[bytes], message: dict[str, Any]) -> list[bytes]:
    """The message with its text content replaced by one line; its status, ids and names stay."""
    start = parts.index(DELIMITER)
    header, parent = parts[start + 2 : start + 4]
    values = (message["metadata"], message.get("content"))
    packed = [
        header,
        parent,
        *(session.pack(blank_values(value if isinstance(value, dict) else {})) for value in values),
    ]
    return [*parts[:start], DELIMITER, session.sign(packed), *packed, *parts[start + 6 :]]


def blank_raw_parts(session: Any, parts: list[Any]) -> list[bytes]:
    """The same for the parts of `Session.send_raw`; nothing when they are no message."""
    try:
        values = [session.unpack(bytes(part)) for part in parts[:4]]
    except Exception:  # noqa: BLE001, what an unknown packer raises
        return []
    return [*map(session.pack, map(blank_values, values)), *(b"*" * memoryview(part).nbytes for part in parts[4:])]


def _redact_part(part: bytes, matcher: TextMatcher) -> bytes:
    """JSON gets the marker; what another packer made must keep its length to stay readable."""
    return matcher.redact_packed(part, filler=None if _is_json(part) else "*")


def _is_json(part: bytes) -> bool:
    return part[:1] in (b"{", b"[", b'"')


def blank_values(value: Any, name: str = "") -> Any:
    """JSON-like values with their text replaced by one line; numbers, ids and names stay."""
    if isinstance(value, dict):
        return {_blank_name(str(key)): blank_values(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [blank_values(item, name) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else ""
    pattern = _NAME if name == "target_name" else _PLAIN_NAME
    if _is_structural(name) and pattern.fullmatch(text):
        return text
    return UNSEARCHED_TEXT if text or not isinstance(value, str) else ""


def _is_structural(name: str) -> bool:
    return name.endswith(("_id", "id", "_type", "name", "status", "state", "version", "session", "method", "ename"))


def _blank_name(name: str) -> str:
    return name if _NAME.fullmatch(name) else MARKER
