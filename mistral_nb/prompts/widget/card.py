"""The card from a command's side: it answers questions and shows steps, as `getpass` and `print` do.

The form's fields are sent together, so they are kept here until the action asks for them by name. The
browser's side is ``card.js``; the protocol is in `conversation`, the encryption in `encryption`.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from mistral_nb.api_key import Key, Secret
from mistral_nb.errors import KeyRefused, MistralNbError, NotAKey, WrongUsage
from mistral_nb.prompts.widget.conversation import Channel, Conversation, Timing, WidgetUnavailable, describe_question
from mistral_nb.report import SIGNS, Answer, Ask, PromptForm, Report
from mistral_nb.sensitive_text import key_shaped_words

_OPTIONAL_FIELDS = ("workspace", "name", "expires")
Answerer = Callable[[Ask], Answer]
PromptedAction = Callable[[Answerer, Callable[[str], None]], Report]


class Card:
    """One prompt, from its first question to its line of text.

    ``plainly`` answers where no card can be shown; without it `WidgetUnavailable` leaves `run`. ``tell`` shows the
    person a sentence outside the card.
    """

    def __init__(
        self,
        open_channel: Callable[[], Channel],
        plainly: Answerer | None = None,
        tell: Callable[[str], None] = print,
        timing: Timing | None = None,
    ) -> None:
        self._conversation = Conversation(open_channel, timing or Timing())
        self._plain_answerer, self._tell = plainly, tell
        self._is_plain = False  # answered plainly from here on
        self._fields: dict[str, Secret] = {}  # typed, and not asked for yet
        self._draft: dict[str, str] = {}  # what the form showed, for a page that was reloaded
        self._answered: set[str] = set()  # by the names of their questions, in this attempt
        self._form: PromptForm | None = None
        self._key: Secret | None = None  # typed, so that nothing is lost when it is refused
        self._lines: list[str] = []  # said since the last answer
        self._line_state = ""
        self.has_left_report = False  # whether `run` left its report where the card was

    def run(self, attempt: PromptedAction) -> Report:
        """Drive ``attempt`` to its report, which stays where the card was.

        What a person can correct in the form is asked again, with the sentence that says why. Any other
        error leaves through here; `close` has to be called then.
        """
        while True:
            self._form = None
            self._answered.clear()
            try:
                report = attempt(self.answer, self.show)
            except (KeyRefused, NotAKey, WrongUsage) as error:
                if self._form is None or not self._conversation.is_open:
                    raise
                self._restart(error)
                continue
            self.has_left_report = self._conversation.is_open
            title = report.title.removeprefix(f"{SIGNS['ok']} ")  # the card draws its own
            self._conversation.end({"lines": [*self._lines, title], "state": "ok"}, left=report)
            return report

    def close(self, left: Report | None = None) -> None:
        """Close the card in any state, leaving nothing, or ``left``, in its place."""
        self._conversation.close(left)
        self._key = None
        self._fields.clear()

    def withdraw(self) -> None:
        """Called from another thread: close the card without storing anything."""
        self._conversation.withdraw()

    @property
    def is_open(self) -> bool:
        return self._conversation.is_open

    def show(self, text: str) -> None:
        """Show a step: on the card, or by the host before there is one."""
        if not self._conversation.is_open:
            self._tell(text)
            return
        self._conversation.check_messages()
        self._conversation.send({"kind": "step", "lines": [*self._lines, text], "state": ""})
        if not text.endswith("…"):  # what is going on is over when the next line comes
            self._lines.append(text)

    def answer(self, ask: Ask) -> Answer:
        """The answer: from the form that was sent, or asked now."""
        again = ask.name in self._answered
        self._answered.add(ask.name)
        self._form = ask.form or self._form
        if ask.name in self._fields:
            self._conversation.check_messages()
            return _to_answer(ask, self._fields.pop(ask.name))
        if self._is_plain and self._plain_answerer:
            return self._plain_answerer(ask)
        try:
            fields = self._conversation.ask(self._build_question(ask, again))
        except WidgetUnavailable as reason:
            if self._plain_answerer is None:
                raise
            self._conversation.close(None)
            self._tell(f"{reason} Using a plain prompt instead.")
            self._is_plain = True
            return self._plain_answerer(ask)
        self._lines, self._line_state = [], ""
        return self._take_fields(ask, fields)

    def _take_fields(self, ask: Ask, fields: dict[str, Secret]) -> Answer:
        if "key" not in fields:
            return _to_answer(ask, fields.get(ask.name, Secret("")))
        typed = {name: fields[name].reveal() for name in _OPTIONAL_FIELDS if name in fields}
        self._draft = {name: text for name, text in typed.items() if not _has_key(text, fields["key"], self._key)}
        settled = self._form.answers if self._form else {}
        self._fields = {name: fields[name] for name in _OPTIONAL_FIELDS if name in fields and name not in settled}
        if fields["key"].reveal() or self._key is None:
            self._key = fields["key"]
        if ask.name == "key":
            return self._key
        self._fields["key"] = self._key  # the form in place of an answer: no, and with this from the start
        return "no"

    def _restart(self, error: MistralNbError) -> None:
        if isinstance(error, NotAKey):
            self._key = None
        if "key" not in self._fields:
            self._fields.clear()
            self._lines, self._line_state = [str(error)], "warn"

    def _build_question(self, ask: Ask, again: bool) -> dict[str, Any]:
        question = {
            **describe_question(ask),
            "lines": self._lines,
            "state": self._line_state or ("warn" if self._lines and again else ""),  # what was said is why
            "form": None,
        }
        if self._form is not None and ask.name == "key":
            question["form"] = self._build_form(self._form)
        if self._form is not None and ask.name == "keep refused":
            question |= {
                "lines": [ask.question],
                "state": "bad",
                "form": {**self._build_form(self._form), "again": True},
            }
        return question

    def _build_form(self, form: PromptForm) -> dict[str, Any]:
        return {
            "given": dict(form.answers),
            "kept": dict(form.workspaces),
            "page": form.page,
            "today": date.today().isoformat(),
            "draft": self._draft,
            "typed": _tail(self._key),
            "again": False,
        }


def _to_answer(ask: Ask, said: Secret) -> Answer:
    return said if ask.masked else said.reveal()


def _has_key(text: str, *typed: Secret | None) -> bool:
    """The draft goes to the page in plain text: it must not contain a key pasted into the wrong field."""
    keys = [key.reveal() for key in typed if key and key.reveal()]
    return bool(key_shaped_words(text)) or any(key in text for key in keys)


def _tail(typed: Secret | None) -> str | None:
    """The tail of what was typed, if it can be a key."""
    try:
        return Key.parse(typed).tail if typed else None
    except NotAKey:
        return None
