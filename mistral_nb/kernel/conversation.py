"""What the kernel and the page say to each other about one prompt: questions out, sealed answers in.

Each question goes with a public key made for it. The page says ``ready`` when it shows the card (again),
``gone`` when it stops to, ``cancel``, or ``answer`` with what it sealed.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from mistral_nb.errors import Cancelled, SealRefused
from mistral_nb.kernel.sealing import Seal
from mistral_nb.key import Secret
from mistral_nb.report import Report

READY_SECONDS, GONE_SECONDS, SHOWN_SECONDS = 10.0, 15.0, 1.5
_SLICE = 0.05  # seconds between two looks at what came
WITHDRAWN = "Another card took the place of this one; nothing was kept."

Message = Mapping[str, Any]


class NoCard(Exception):
    """No card can be shown, or nothing sealed, where the page is. The text says why, in a sentence."""


class Channel(Protocol):
    """What is between the kernel and the page; messages are JSON objects."""

    id: str

    def send(self, message: Message) -> None: ...
    def receive(self, seconds: float) -> Any: ...
    def close(self, left: Report | None, last: Message | None) -> None:
        """Put ``left``, or nothing, where the card was, and end. A page that was reloaded can't replace
        an output by another: with ``last``, that is what it is told, whenever it asks."""


class Timing(NamedTuple):
    """In seconds: how long a page may take to show the card, how long to come back after it went (None:
    for ever), and how long the outcome stays before the card closes."""

    ready: float | None = READY_SECONDS
    gone: float | None = GONE_SECONDS
    shown: float = SHOWN_SECONDS


class Conversation:
    """``open_channel`` makes the channel, and so the card on the page: at the first question."""

    def __init__(self, open_channel: Callable[[], Channel], timing: Timing) -> None:
        self._open, self._timing = open_channel, timing
        self._channel: Channel | None = None
        self._last: Message | None = None  # what a page that comes (back) has to know
        self._views: set[object] = set()
        self._seen = False  # whether any page has shown the card
        self._returned = False  # whether one came that had not seen it open: a reload, or a second page
        self._deadline: float | None = None
        self._withdrawn = False

    @property
    def is_open(self) -> bool:
        return self._channel is not None

    def ask(self, question: Message) -> dict[str, Secret]:
        """What the person typed, by field. Raises `Cancelled`, and `NoCard` where no page can ask."""
        channel = self._opened()
        while True:
            seal = Seal(channel.id)
            self.say({**question, "kind": "ask", "to": seal.public, "widget": channel.id})
            try:
                return self._answer(channel, seal)
            except SealRefused as refused:
                question = {**question, "lines": [str(refused)], "state": "bad"}
            finally:
                seal.close()

    def look(self) -> None:
        """Between two steps: what came meanwhile. Raises `Cancelled`."""
        if self._withdrawn:
            raise Cancelled(WITHDRAWN)
        while self._channel is not None and isinstance(message := self._channel.receive(0.0), dict):
            if message.get("kind") == "cancel":
                raise Cancelled("Cancelled; nothing was kept.")
            with contextlib.suppress(NoCard):  # one page that can't seal ends nothing for the one that did
                self._note(self._channel, message)

    def withdraw(self) -> None:
        """From another thread: let the one that asks end with `Cancelled`, at its next look."""
        self._withdrawn = True

    def say(self, message: Message) -> None:
        if self._channel is not None:
            self._last = message
            self._channel.send(message)

    def end(self, message: Message, left: Report) -> None:
        """Show the outcome for a moment, then leave it as text."""
        if self._channel is not None:
            self.say({**message, "kind": "done"})
            time.sleep(self._timing.shown)
        self.close(left)

    def close(self, left: Report | None) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            ended = {"kind": "done", "lines": [left.title if left else "This card is closed."], "state": ""}
            channel.close(left, ended if self._returned else None)

    def _opened(self) -> Channel:
        if self._channel is None:
            self._channel = self._open()
            self._wait_at_most(self._timing.ready)
        return self._channel

    def _answer(self, channel: Channel, seal: Seal) -> dict[str, Secret]:
        while True:
            message = channel.receive(_SLICE)
            kind = message.get("kind") if isinstance(message, dict) else None
            if kind == "answer":
                return seal.open(message)
            if kind == "cancel":
                raise Cancelled("Cancelled; nothing was changed.")
            if self._withdrawn:
                raise Cancelled(WITHDRAWN)
            if kind is not None:
                self._note(channel, message)
            self._look_at_the_clock()

    def _note(self, channel: Channel, message: Message) -> None:
        """Which pages show the card."""
        if message.get("kind") == "ready":
            self._arrived(channel, message)
        elif message.get("kind") == "gone":
            self._views.discard(message.get("view"))
            self._wait_at_most(None if self._views else self._timing.gone)

    def _arrived(self, channel: Channel, message: Message) -> None:
        self._views.add(message.get("view"))
        self._returned = self._seen
        self._seen, self._deadline = True, None
        if not message.get("secure"):
            raise NoCard("This page is neither https nor localhost, so its browser can't seal what is typed.")
        if self._last is not None:
            channel.send(self._last)

    def _wait_at_most(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def _look_at_the_clock(self) -> None:
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        if not self._seen:
            raise NoCard("No card has shown up: this front end seems to have no widgets.")
        raise Cancelled("The page with the card was closed or reloaded; nothing was changed.", "Run the cell again.")
