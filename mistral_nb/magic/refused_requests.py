"""The key that Mistral refused in a cell, told by the exception that ended the cell. No request is made for it.

The exceptions of mistralai, httpx, requests, openai and langchain bring the response along, and that its request: its
address says that Mistral answered, its header with which key. What the answer means is for `judge` to say.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from mistral_nb.api.verdict import judge
from mistral_nb.api_key import Key, key_or_none

_REFUSED = 401
_MOST_CAUSES = 20


def find_refused_key(error: BaseException | None, base: str) -> Key | None:
    """The key of a request that the API at ``base`` refused; None for any other error. Never raises."""
    try:
        return next(filter(None, (_refused_by(cause, base) for cause in _causes(error))), None)
    except Exception:  # noqa: BLE001 - the attributes are those of any library, or of the person's own code
        return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_MOST_CAUSES):  # they may go in a circle
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _refused_by(error: BaseException, base: str) -> Key | None:
    for name in ("response", "raw_response"):  # of httpx, requests and openai; of mistralai
        response: Any = getattr(error, name, None)
        if getattr(response, "status_code", None) == _REFUSED and _is_below(str(response.request.url), base):
            header = response.request.headers.get("Authorization") or ""
            key = key_or_none(header.decode("latin-1") if isinstance(header, bytes) else header)
            verdict = judge(_REFUSED, response.headers, response.content, key=key)  # a stream may be unread: it raises
            return key if verdict.accepts_key is False else None
    return None


def _is_below(url: str, base: str) -> bool:
    """Whether the address belongs to the API at ``base``, which may have a path."""
    asked, api = urlsplit(url), urlsplit(base)
    is_same_host = (asked.scheme, asked.netloc.lower()) == (api.scheme, api.netloc.lower())
    return is_same_host and asked.path.startswith(api.path.rstrip("/") + "/")
