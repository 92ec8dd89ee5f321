"""The sandbox with the endpoints that a long job calls: embeddings, files, and chat, streamed too.

with JobSandbox(rng=keys.RunningRandom()) as sandbox:
    sandbox.when_asked = lambda number: …   # before the key of a request is looked at; 1 is the first
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from support.sandboxes import FaultyHandler, FaultySandbox

EMBEDDINGS, CHAT, FILES = "/v1/embeddings", "/v1/chat/completions", "/v1/files"
WORDS = ("one ", "two ", "three")  # of a streamed answer
_UNAUTHORIZED = json.dumps({"detail": "Unauthorized"}).encode()
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


class _JobHandler(FaultyHandler):
    def respond(self) -> None:
        self.server.sandbox.take(self.path, self.payload)
        super().respond()

    def serve(self) -> None:
        path = urlsplit(self.path).path
        if path not in (EMBEDDINGS, CHAT, FILES):
            return super().serve()
        if self.server.sandbox.find_key(self.presented_key()) is None:
            return self.answer(401, _UNAUTHORIZED)
        if path == CHAT and json.loads(self.payload).get("stream"):
            return self._stream()
        body = _embeddings() if path == EMBEDDINGS else _completion() if path == CHAT else _file(len(self.payload))
        return self.answer(200, json.dumps(body).encode())

    def _stream(self) -> None:
        """An answer in events, of which the first is sent before ``in_stream`` is called."""
        self.close_connection = True
        self.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for number, word in enumerate(WORDS):
            last = number == len(WORDS) - 1
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": "stop" if last else None}
            self.write(f"data: {json.dumps({'id': '1', 'model': 'small', 'choices': [choice]})}\n\n".encode())
            if number == 0:
                self.server.sandbox.in_stream()
        self.write(b"data: [DONE]\n\n")


def _embeddings() -> dict[str, Any]:
    return _answer() | {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}


def _completion() -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "".join(WORDS)}}
    return _answer() | {"object": "chat.completion", "created": 1, "choices": [choice]}


def _file(size: int) -> dict[str, Any]:
    return {
        "id": "1",
        "object": "file",
        "bytes": size,
        "created_at": 1,
        "filename": "batch.jsonl",
        "purpose": "batch",
        "sample_type": "batch_request",
        "source": "upload",
    }


def _answer() -> dict[str, Any]:
    return {"id": "1", "model": "small", "usage": _USAGE}


class JobSandbox(FaultySandbox):
    """``bodies``: what the requests brought along. ``when_asked`` is called at each with its number.

    ``in_stream`` is called between the first and the second event of a streamed answer.
    """

    handler_class = _JobHandler

    def __init__(self, **options: Any) -> None:
        self.bodies: list[bytes] = []
        self.when_asked: Callable[[int], object] = lambda number: None
        self.in_stream: Callable[[], object] = lambda: None
        self._counting = threading.Lock()
        super().__init__(**options)

    def take(self, path: str, payload: bytes) -> None:
        """Note a request of the job; those by which a key is verified are none."""
        if urlsplit(path).path not in (EMBEDDINGS, CHAT, FILES):
            return
        with self._counting:
            self.bodies.append(payload)
            number = len(self.bodies)
        self.when_asked(number)

    @property
    def tails(self) -> list[str]:
        """The tails of the keys that the job's requests brought along, in their order."""
        return [request.tail for request in self.requests if request.path in (EMBEDDINGS, CHAT, FILES)]

    @contextmanager
    def at_request(self, number: int, act: Callable[[], object]) -> Iterator[None]:
        """``act`` while a request waits for its answer, and before its key is looked at."""
        self.when_asked = lambda now: act() if now == number else None
        yield
        self.when_asked = lambda now: None
