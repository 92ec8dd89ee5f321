"""The card, as an action sees it: it answers questions and shows steps, as `getpass` and `print` do.

The form's fields are typed together, so they wait here until the action asks for them by name. The
browser's side is ``card.js``; how both talk is in `conversation`, and what is sealed in `sealing`.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from mistral_nb.errors import KeyRefused, MistralNbError, NotAKey, WrongUsage
from mistral_nb.kernel.conversation import Channel, Conversation, NoCard, Timing
from mistral_nb.key import Key, Secret, key_shaped
from mistral_nb.report import Answer, Ask, Form, Report

_OPTIONAL = ("workspace", "name", "expires")
Answerer = Callable[[Ask], Answer]
Attempt = Callable[[Answerer, Callable[[str], None]], Report]


class Card:
    """One prompt, from its first question to its line of text.

    ``plainly`` answers where no card can be shown; without it `NoCard` leaves `run`. ``tell`` shows the
    person a sentence outside the card.
    """

    def __init__(
        self,
        open_channel: Callable[[], Channel],
        plainly: Answerer | None = None,
        tell: Callable[[str], None] = print,
        timing: Timing | None = None,
    ) -> None:
        self._talk = Conversation(open_channel, timing or Timing())
        self._plainly, self._tell = plainly, tell
        self._plain = False  # answered plainly from here on
        self._fields: dict[str, Secret] = {}  # typed, and not asked for yet
        self._draft: dict[str, str] = {}  # what the form showed, for a page that was reloaded
        self._answered: set[str] = set()  # by the names of their questions, in this attempt
        self._form: Form | None = None
        self._key: Secret | None = None  # typed, so that nothing is lost when it is refused
        self._lines: list[str] = []  # said since the last answer
        self._state = ""
        self.left = False  # whether `run` left its report where the card was

    def run(self, attempt: Attempt) -> Report:
        """Drive ``attempt`` to its report, which stays where the card was.

        What a person can mend in the form is asked again, with the sentence that says why. Any other
        error leaves through here; `close` has to be called then.
        """
        while True:
            self._form = None
            self._answered.clear()
            try:
                report = attempt(self.answer, self.show)
            except (KeyRefused, NotAKey, WrongUsage) as error:
                if self._form is None or not self._talk.is_open:
                    raise
                self._start_anew(error)
                continue
            self.left = self._talk.is_open
            self._talk.end({"lines": [*self._lines, report.title], "state": "ok"}, left=report)
            return report

    def close(self, left: Report | None = None) -> None:
        """End, whatever the state; with nothing, or ``left``, in the card's place."""
        self._talk.close(left)
        self._key = None
        self._fields.clear()

    def withdraw(self) -> None:
        """From another thread: the card ends by itself, with nothing kept."""
        self._talk.withdraw()

    @property
    def is_open(self) -> bool:
        return self._talk.is_open

    def show(self, text: str) -> None:
        """A step: on the card, or before there is one, where the host shows it."""
        if not self._talk.is_open:
            self._tell(text)
            return
        self._talk.look()
        self._talk.say({"kind": "step", "lines": [*self._lines, text], "state": ""})
        if not text.endswith("…"):  # what is going on is over when the next line comes
            self._lines.append(text)

    def answer(self, ask: Ask) -> Answer:
        """What the person says: from the form as it was sent, or asked now."""
        again = ask.name in self._answered
        self._answered.add(ask.name)
        self._form = ask.form or self._form
        if ask.name in self._fields:
            self._talk.look()
            return _as_asked(ask, self._fields.pop(ask.name))
        if self._plain and self._plainly:
            return self._plainly(ask)
        try:
            fields = self._talk.ask(self._question(ask, again))
        except NoCard as reason:
            if self._plainly is None:
                raise
            self._talk.close(None)
            self._tell(f"{reason} So a plain prompt asks.")
            self._plain = True
            return self._plainly(ask)
        self._lines, self._state = [], ""
        return self._taken(ask, fields)

    def _taken(self, ask: Ask, fields: dict[str, Secret]) -> Answer:
        if "key" not in fields:
            return _as_asked(ask, fields.get(ask.name, Secret("")))
        typed = {name: fields[name].reveal() for name in _OPTIONAL if name in fields}
        self._draft = {name: text for name, text in typed.items() if not _holds_a_key(text, fields["key"], self._key)}
        settled = self._form.given if self._form else {}
        self._fields = {name: fields[name] for name in _OPTIONAL if name in fields and name not in settled}
        if fields["key"].reveal() or self._key is None:
            self._key = fields["key"]
        if ask.name == "key":
            return self._key
        self._fields["key"] = self._key  # the form in place of an answer: no, and with this from the start
        return "no"

    def _start_anew(self, error: MistralNbError) -> None:
        if isinstance(error, NotAKey):
            self._key = None
        if "key" not in self._fields:
            self._fields.clear()
            self._lines, self._state = [str(error)], "warn"

    def _question(self, ask: Ask, again: bool) -> dict[str, Any]:
        question = {
            "name": ask.name,
            "question": ask.question,
            "masked": ask.masked,
            "choices": list(ask.choices),
            "default": ask.default,
            "lines": self._lines,
            "state": self._state or ("warn" if self._lines and again else ""),  # what was said is why
            "form": None,
        }
        if self._form is not None and ask.name == "key":
            question["form"] = self._shown(self._form)
        if self._form is not None and ask.name == "keep refused":
            question |= {"lines": [ask.question], "state": "bad", "form": {**self._shown(self._form), "again": True}}
        return question

    def _shown(self, form: Form) -> dict[str, Any]:
        return {
            "given": dict(form.given),
            "kept": dict(form.kept),
            "page": form.page,
            "today": date.today().isoformat(),
            "draft": self._draft,
            "typed": _tail(self._key),
            "again": False,
        }


def _as_asked(ask: Ask, said: Secret) -> Answer:
    return said if ask.masked else said.reveal()


def _holds_a_key(text: str, *typed: Secret | None) -> bool:
    """The draft goes to the page in clear: a key that was pasted into the wrong field is no part of it."""
    keys = [key.reveal() for key in typed if key and key.reveal()]
    return bool(key_shaped(text)) or any(key in text for key in keys)


def _tail(typed: Secret | None) -> str | None:
    """The tail of what was typed, if it can be a key."""
    try:
        return Key.parse(typed).tail if typed else None
    except NotAKey:
        return None
