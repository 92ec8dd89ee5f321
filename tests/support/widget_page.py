"""A page that shows the card, without a browser: a person's answers are a table, or a function."""

from collections.abc import Mapping
from typing import Any

from mistral_nb.api_key import Key, Secret
from mistral_nb.report import Report
from mistral_nb.sealing import seal


class Page:
    """A `Channel`. Answers by the question's name: fields to seal, "cancel", "gone", or nothing at all.

    A list is used up one by one. What a form's question gets is a whole form.
    """

    def __init__(self, answers: Mapping[str, Any], *, secure: bool = True, shown: bool = True) -> None:
        self.id = "a-widget"
        self.answers = {name: list(said) if isinstance(said, list) else [said] for name, said in answers.items()}
        self.came: list[Any] = [{"kind": "ready", "view": 1, "secure": secure}] if shown else []
        self.asked: list[Mapping[str, Any]] = []
        self.said: list[Mapping[str, Any]] = []
        self.sent: list[Any] = []
        self.left: Report | None = None
        self.last: Mapping[str, Any] | None = None
        self.closed = False
        self._replied: set[str] = set()

    def send(self, message: Mapping[str, Any]) -> None:
        assert not self.closed
        self.said.append(message)
        if message["kind"] == "ask" and message["to"] not in self._replied:
            self._replied.add(message["to"])
            self.asked.append(message)
            said = self.answers.get(message["name"], [])
            if said:
                self.came.append(self.reply(message, said.pop(0)))

    def reply(self, ask: Mapping[str, Any], said: Any) -> Any:
        if callable(said):
            said = said(ask)
        if isinstance(said, dict) and "kind" not in said:
            fields = {name: Secret(text.reveal() if isinstance(text, Key) else text) for name, text in said.items()}
            said = {"kind": "answer", **seal(fields, ask["to"], ask["widget"])}
        return {"kind": said, "view": 1} if isinstance(said, str) else said

    def receive(self, seconds: float) -> Any:
        message = self.came.pop(0) if self.came else None
        self.sent.append(message)
        return message

    def close(self, left: Report | None, last: Mapping[str, Any] | None) -> None:
        self.closed, self.left, self.last = True, left, last

    @property
    def names(self) -> list[str]:
        return [ask["name"] for ask in self.asked]

    @property
    def lines(self) -> list[str]:
        return [line for message in self.said for line in message.get("lines", ())]


def form(key: Key | str = "", workspace: str = "", name: str = "", expires: str = "") -> dict[str, Any]:
    """What a person has typed when the form is sent."""
    return {"key": key, "workspace": workspace, "name": name, "expires": expires}
