"""The protocol between kernel and page for one prompt: questions out, encrypted answers in.

Each question goes with a public key made for it. The page says ``ready`` when it shows the card (again),
``gone`` when it stops to, ``cancel``, or ``answer`` with what it sealed.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from mistral_nb.api_key import Secret
from mistral_nb.errors import Cancelled, SealRefused
from mistral_nb.report import Ask, Report
from mistral_nb.sealing import LARGEST_PART, Seal

READY_SECONDS, GONE_SECONDS, SHOWN_SECONDS = 10.0, 15.0, 1.5
_POLL_SECONDS = 0.05  # seconds between checks for messages
WITHDRAWN = "Another prompt replaced this one; nothing was saved."

_MOST_PAGES, _MOST_FIELDS = 1000, 20
Message = Mapping[str, Any]


def is_small_message(content: Any) -> bool:
    """Whether it can be a message of one of our pages: a flat object of short texts. Any script of a page can send."""
    if not isinstance(content, dict) or len(content) > _MOST_FIELDS:
        return False
    parts = [*content, *content.values()]
    return all(len(part) <= LARGEST_PART if isinstance(part, str) else isinstance(part, int | None) for part in parts)


def describe_question(ask: Ask) -> dict[str, Any]:
    """What a page needs of a question to show it."""
    return {
        "name": ask.name,
        "question": ask.question,
        "masked": ask.masked,
        "choices": list(ask.choices),
        "default": ask.default,
    }


class WidgetUnavailable(Exception):
    """The page can't show a card or encrypt. The text says why, in a sentence."""


class Channel(Protocol):
    """The connection between kernel and page; messages are JSON objects."""

    id: str

    def send(self, message: Message) -> None: ...
    def receive(self, seconds: float) -> Any: ...
    def close(self, left: Report | None, last: Message | None) -> None:
        """Put ``left``, or nothing, where the card was, and end. A page that was reloaded can't replace
        an output with another: with ``last``, that is the reply whenever it asks."""


class Timing(NamedTuple):
    """In seconds: how long a page may take to show the card, how long to come back after it went (None:
    forever), and how long the result is shown before the card closes."""

    ready_seconds: float | None = READY_SECONDS
    gone_seconds: float | None = GONE_SECONDS
    shown_seconds: float = SHOWN_SECONDS


class Conversation:
    """``open_channel`` makes the channel, and so the card on the page: at the first question."""

    def __init__(self, open_channel: Callable[[], Channel], timing: Timing) -> None:
        self._open_channel, self._timing = open_channel, timing
        self._channel: Channel | None = None
        self._last_message: Message | None = None  # what a page that comes (back) has to know
        self._pages: set[object] = set()
        self._was_shown = False  # whether any page has shown the card
        self._has_returned = False  # whether one came that had not seen it open: a reload, or a second page
        self._deadline: float | None = None
        self._is_withdrawn = False

    @property
    def is_open(self) -> bool:
        return self._channel is not None

    def ask(self, question: Message) -> dict[str, Secret]:
        """What the person typed, by field. Raises `Cancelled`, and `WidgetUnavailable` if no page can ask."""
        channel = self._ensure_open()
        while True:
            seal = Seal(channel.id)
            self.send({**question, "kind": "ask", "to": seal.public, "widget": channel.id})
            try:
                return self._receive_answer(channel, seal)
            except SealRefused as refused:
                question = {**question, "lines": [str(refused)], "state": "bad"}
            finally:
                seal.close()

    def check_messages(self) -> None:
        """Between two steps: handle messages that arrived meanwhile. Raises `Cancelled`."""
        if self._is_withdrawn:
            raise Cancelled(WITHDRAWN)
        while self._channel is not None and isinstance(message := self._channel.receive(0.0), dict):
            if message.get("kind") == "cancel":
                raise Cancelled("Cancelled; nothing was saved.")
            with contextlib.suppress(
                WidgetUnavailable
            ):  # one page that can't encrypt does not end the prompt for one that can
                self._track_page(self._channel, message)

    def withdraw(self) -> None:
        """From another thread: let the one that asks end with `Cancelled`, at its next look."""
        self._is_withdrawn = True

    def send(self, message: Message) -> None:
        if self._channel is not None:
            self._last_message = message
            self._channel.send(message)

    def end(self, message: Message, left: Report) -> None:
        """Show the result for a moment, then leave it as text."""
        if self._channel is not None:
            self.send({**message, "kind": "done"})
            time.sleep(self._timing.shown_seconds)
        self.close(left)

    def close(self, left: Report | None) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            ended = {"kind": "done", "lines": [left.title if left else "This prompt is closed."], "state": ""}
            channel.close(left, ended if self._has_returned else None)

    def _ensure_open(self) -> Channel:
        if self._channel is None:
            self._channel = self._open_channel()
            self._set_deadline(self._timing.ready_seconds)
        return self._channel

    def _receive_answer(self, channel: Channel, seal: Seal) -> dict[str, Secret]:
        while True:
            message = channel.receive(_POLL_SECONDS)
            kind = message.get("kind") if isinstance(message, dict) else None
            if kind == "answer":
                return seal.open(message)
            if kind == "cancel":
                raise Cancelled("Cancelled; nothing was changed.")
            if self._is_withdrawn:
                raise Cancelled(WITHDRAWN)
            if kind is not None:
                self._track_page(channel, message)
            self._check_deadline()

    def _track_page(self, channel: Channel, message: Message) -> None:
        """Which pages show the card. Other scripts of a page can send messages as well: what is no page is ignored."""
        view = message.get("view")
        if not isinstance(view, str | int | None) or len(self._pages) > _MOST_PAGES:
            return
        if message.get("kind") == "ready":
            self._add_page(channel, message)
        elif message.get("kind") == "gone":
            self._pages.discard(message.get("view"))
            self._set_deadline(None if self._pages else self._timing.gone_seconds)

    def _add_page(self, channel: Channel, message: Message) -> None:
        self._pages.add(message.get("view"))
        self._has_returned = self._was_shown
        self._was_shown, self._deadline = True, None
        if not message.get("secure"):
            raise WidgetUnavailable(
                "This page is not a secure context (https or localhost), so input can't be encrypted."
            )
        if self._last_message is not None:
            channel.send(self._last_message)

    def _set_deadline(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def _check_deadline(self) -> None:
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        if not self._was_shown:
            raise WidgetUnavailable("The widget did not appear; this front end may not support widgets.")
        raise Cancelled("The page with the widget was closed or reloaded; nothing was changed.", "Run the cell again.")
