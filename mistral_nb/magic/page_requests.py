"""What a page may ask a kernel to run: one sub-command, in a thread, its questions answered in the page.

A key comes encrypted and is opened once, by a `Seal` made for one request. The command is the one that the magic
runs, so that verification, names and refusals are the same. A key that is typed is asked for with the card.
"""

import contextvars
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from mistral_nb.api_key import Secret
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive, load_action
from mistral_nb.command_table import MAGIC, commands_for
from mistral_nb.errors import Cancelled, CannotAsk, KeyRefused, MistralNbError, NotAKey
from mistral_nb.prompts.widget.card import Answerer, Card, PromptedAction
from mistral_nb.prompts.widget.conversation import Timing, WidgetUnavailable, describe_question
from mistral_nb.report import Answer, Ask, Report
from mistral_nb.sealing import Seal

Message = dict[str, Any]
Send = Callable[[Message], None]
SEAL_SECONDS = ANSWER_SECONDS = 300.0
FORM_SECONDS = 3600.0  # a page that crashed does not say that its dialog is gone
MOST_OPEN = 8  # seals, and running requests: a page needs one of each
_BEFORE_ANY_KEY = ("host", "try again")  # questions that are not about a key found elsewhere


class SealedRequests:
    """The seals given out, each for one request of a page, by its number. They end when used, or after a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[str, tuple[Seal, float]] = {}
        self._lock = threading.Lock()

    def make(self, number: str, comm: str) -> str | None:
        """The public key for this request; None if too many are open."""
        with self._lock:
            now = self._clock()
            for old in [n for n, (_, made) in self._open.items() if now - made > SEAL_SECONDS]:
                self._open.pop(old)[0].close()
            if number in self._open or len(self._open) >= MOST_OPEN:
                return None
            seal = Seal(comm)
            self._open[number] = seal, now
            return seal.public

    def take(self, number: str) -> Seal | None:
        """The seal of this request, which is then used up; None for one that is not open, or too old."""
        with self._lock:
            seal, made = self._open.pop(number, (None, 0.0))
            return seal if seal and self._clock() - made <= SEAL_SECONDS else None


class PageRequest:
    """One sub-command that a page asked for. ``send`` brings messages to the page; all have the request's number."""

    def __init__(
        self,
        number: str,
        send: Send,
        comm: str,
        key: Secret | None = None,
        environ: MutableMapping[str, str] | None = None,
    ) -> None:
        self._number, self._send, self._comm, self._key = number, send, comm, key
        self._environ = os.environ if environ is None else environ
        self._had_key = key is not None
        self._replies: queue.Queue[Message] = queue.Queue(MOST_OPEN)
        self._seal: Seal | None = None

    def start(self, name: str, flags: Mapping[str, object], done: Callable[[], None]) -> None:
        """Run it in a thread; ``done`` is called at the end, whatever the result."""

        def work() -> None:
            try:
                self._say(self._run(name, flags))
            finally:
                done()

        context = contextvars.copy_context()  # by which ipykernel knows the request that messages belong to
        threading.Thread(target=context.run, args=(work,), name="mistral-nb-page", daemon=True).start()

    def reply(self, message: Message) -> None:
        """A page's answer to a question, or its cancellation; one too many is dropped."""
        if not self._replies.full():
            self._replies.put_nowait(message)

    def _run(self, name: str, flags: Mapping[str, object]) -> Message:
        """The last message of this request."""
        context = Context(host=MAGIC, environ=self._environ, interactive=True, has_form=True, say=self._step)

        def attempt(answer: Answerer, show: Callable[[str], None]) -> Report:
            return drive(load_action(commands_for(MAGIC)[name])(context, **flags), answer, show)

        try:
            report = self._drive(attempt)
        except (KeyRefused, NotAKey) as error:
            return {"kind": "refused", "text": str(error)}
        except Cancelled as error:
            return {"kind": "cancelled", "text": str(error)}
        except (MistralNbError, WidgetUnavailable) as error:
            return {"kind": "failed", "text": str(error)}
        except Exception as error:  # noqa: BLE001 - a thread has nowhere to raise to, and the page waits
            return {"kind": "failed", "text": f"{name} failed ({type(error).__name__}). Run it in a cell to see why."}
        return {"kind": "done", **_report_message(report)}

    def _drive(self, attempt: PromptedAction) -> Report:
        return attempt(self._answer, self._step)

    def _step(self, text: str) -> None:
        self._say({"kind": "step", "text": text})

    def _say(self, message: Message) -> None:
        self._send({**message, "n": self._number})

    def _answer(self, ask: Ask) -> Answer:
        if ask.masked and ask.name == "key" and self._had_key:
            key, self._key = self._key, None
            if key is None:  # it was taken and is not a key: the command knows why
                raise CannotAsk("The page sends a key once.")
            return key
        if self._key is not None and ask.choices and ask.name not in _BEFORE_ANY_KEY:
            return "no"  # a key found elsewhere is offered, and there is one already
        if ask.default is not None and not ask.choices and (ask.default or ask.name != "workspace"):
            return ask.default  # what is optional is not asked for
        return self._ask_page(ask)

    def _ask_page(self, ask: Ask) -> Answer:
        self._seal = Seal(self._comm) if ask.masked else None
        public = self._seal.public if self._seal else ""
        self._say({"kind": "ask", **describe_question(ask), "to": public, "widget": self._comm})
        try:
            message = self._replies.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            raise Cancelled("The page did not answer; nothing was changed.", "Try again.") from None
        if message.get("kind") != "answer":
            raise Cancelled("Cancelled; nothing was changed.")
        if self._seal:
            return self._seal.open(message).get("answer", Secret(""))
        text = message.get("answer")
        if ask.choices and text not in ask.choices:
            raise Cancelled("Cancelled; nothing was changed.")
        return text if isinstance(text, str) else ""


class CardRequest(PageRequest):
    """A sub-command with the card in a dialog of the page: its form, words and errors are those of the widget."""

    def _drive(self, attempt: PromptedAction) -> Report:
        channel = _DialogChannel(self._comm, self._show, self._replies)
        card = Card(lambda: channel, None, self._step, Timing(shown_seconds=0))  # the page shows the report
        try:
            return card.run(attempt)
        finally:
            card.close()

    def _step(self, text: str) -> None:
        self._show({"kind": "step", "lines": [text], "state": ""})

    def _show(self, message: Mapping[str, Any]) -> None:
        self._say({"kind": "card", "card": dict(message)})


class _DialogChannel:
    """A `Channel` to the card in a dialog: what it is sent, and what the page replies."""

    def __init__(self, comm: str, send: Callable[[Mapping[str, Any]], None], replies: queue.Queue[Message]) -> None:
        self.id, self._send, self._replies = comm, send, replies
        self._end = time.monotonic() + FORM_SECONDS

    def send(self, message: Mapping[str, Any]) -> None:
        self._send(message)

    def receive(self, seconds: float) -> Message | None:
        """The next reply; None after ``seconds`` without one. Raises `Cancelled` where the page forgot the dialog."""
        if time.monotonic() > self._end:
            raise Cancelled("The form was open for an hour, so it was closed; nothing was changed.", "Try again.")
        try:
            return self._replies.get(timeout=seconds)
        except queue.Empty:
            return None

    def close(self, left: Report | None, last: Mapping[str, Any] | None) -> None:
        """The request's last message closes the dialog."""


def _report_message(report: Report) -> Message:
    """What a page shows of a report: text alone."""
    known = {
        name: report.data[name] for name in ("workspace", "tail", "store") if isinstance(report.data.get(name), str)
    }
    rows = [[row.label, row.value, row.state, row.repair] for row in report.rows]
    return {**known, "title": report.title, "rows": rows, "notes": list(report.notes)}
