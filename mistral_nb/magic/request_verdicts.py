"""What Mistral said of a key in a cell, told by how the cell ended. No request is made for it.

The exceptions of mistralai, httpx, requests, openai and langchain bring the response along, and that its request: its
address says that Mistral answered, its header with which key. What an error means is for `judge` to say. A cell's value
can be such a response as well.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mistral_nb.api.verdict import judge
from mistral_nb.api_key import Key, key_or_none

_MOST_CAUSES = 20


class KeyVerdict(NamedTuple):
    """Whether Mistral accepts a key; ``accepted`` is None where the answer does not say."""

    key: Key
    accepted: bool | None


def find_verdict(told: object, base: str) -> KeyVerdict | None:
    """Of the exception that ended a cell, or of the cell's value: what the API at ``base`` said of a key.

    None if neither is, or has, an answer to a request with a key. Never raises.
    """
    try:
        return next(filter(None, (_judge_response(response, base) for response in _responses(told))), None)
    except Exception:  # noqa: BLE001 - the attributes are those of any library, or of the person's own code
        return None


def _responses(told: object) -> Iterator[Any]:
    if type(told).__name__ == "Response":  # of httpx and requests; any other value is not touched
        yield told
    if not isinstance(told, BaseException):
        return
    for error in _causes(told):
        for name in ("response", "raw_response"):  # of httpx, requests and openai; of mistralai
            yield getattr(error, name, None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_MOST_CAUSES):  # they may go in a circle
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _judge_response(response: Any, base: str) -> KeyVerdict | None:
    status = getattr(response, "status_code", None)
    if not isinstance(status, int) or not _is_below(str(response.request.url), base):
        return None
    header = response.request.headers.get("Authorization") or ""
    key = key_or_none(header.decode("latin-1") if isinstance(header, bytes) else header)
    if key is None:
        return None
    if status == 200:  # its body may be a stream that the person wants to read
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return KeyVerdict(key, accepted=True if is_json else None)
    verdict = judge(status, response.headers, response.content, key=key)  # a stream may be unread: it raises
    return KeyVerdict(key, verdict.accepts_key)


def _is_below(url: str, base: str) -> bool:
    """Whether the address belongs to the API at ``base``, which may have a path."""
    asked, api = urlsplit(url), urlsplit(base)
    is_same_host = (asked.scheme, asked.netloc.lower()) == (api.scheme, api.netloc.lower())
    return is_same_host and asked.path.startswith(api.path.rstrip("/") + "/")
