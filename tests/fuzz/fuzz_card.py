"""Messages of a page's other scripts to the card: refused or ignored, and no exception but ours."""

import contextlib
import json

from fuzz.harness import run, within
from mistral_nb import sealing
from mistral_nb.api_key import Secret
from mistral_nb.errors import Cancelled, SealRefused
from mistral_nb.prompts.widget.conversation import Conversation, Timing, WidgetUnavailable, is_small_message

SEEDS = (
    b'{"kind": "ready", "view": 1, "secure": true}',
    b'{"kind": "answer", "to": "TO", "public": "TO", "iv": "AAAAAAAAAAAAAAAA", "sealed": "AAAAAAAAAAAAAAAAAAAAAAAA"}',
    b'[{"kind": "gone", "view": [1]}, {"kind": "cancel"}, {"kind": {"a": 1}}]',
)


class _Page:
    """A channel that says what the fuzzer says, then cancels."""

    id = "card"

    def __init__(self, said: list[object]) -> None:
        self.said = said
        self.to = ""

    def send(self, message: object) -> None:
        if isinstance(message, dict):
            self.to = str(message.get("to", self.to))

    def receive(self, seconds: float) -> object:
        message = self.said.pop(0) if self.said else {"kind": "cancel"}
        if isinstance(message, dict):
            message = {name: self.to if value == "TO" else value for name, value in message.items()}
        return message if is_small_message(message) else None

    def close(self, left: object, last: object) -> None:
        pass


def one_input(data: bytes) -> None:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = data.decode(errors="replace")
    page = _Page(list(said)[:20] if isinstance(said, list) else [said])
    talk = Conversation(lambda: page, Timing(0.5, 0.5, 0))  # type: ignore[arg-type]
    with within():
        try:
            fields = talk.ask({"name": "key"})
        except (Cancelled, WidgetUnavailable):
            pass
        else:
            raise AssertionError(f"a message that nobody sealed was taken: {len(fields)} fields")
        opener = sealing.Seal("card")
        with contextlib.suppress(SealRefused):
            opener.open(sealing.seal({}, opener.public, "card") | ({"sealed": said} if isinstance(said, str) else {}))
        inside = sealing._parse_fields(data)
    assert inside is None or all(isinstance(value, Secret) for value in inside.values())


if __name__ == "__main__":
    run(one_input)
