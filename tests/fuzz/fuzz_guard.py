"""What a cell may send while the guard is on: JSON stays JSON, and no split of a stream shows what the whole does not.

In the input, ``{k}`` stands for a key, ``{0}`` … ``{3}`` for its quarters, ``{b}`` for base64 and ``{h}`` for hex.
"""

import base64
import json
import random

from fuzz.harness import run, within
from mistral_nb.guard.stream_buffer import StreamRedactor
from mistral_nb.guard.text_matcher import TextMatcher
from support.keys import make_key
from support.leaks import shown_of

SEEDS = (
    b"{0}<wbr>{1}\x1b[31m{2}&shy;{3}",
    b"{0}\xe2\x80\x8b{1}\\u200b{2}&#8203;{3}\x1b]8;;x\x07",
    b"\\n{k}\\\\{0}\x1b]8;;x\x1b\\{1}{2}\\",
    b"{0}<wb2>{1}\x1bD31\0\0m{2}&shy;{3}",
    b"----{b}\n{b}\r\n",
    b'{"a": "\\"{h}\\""}',
)
_KEY = make_key(random.Random(6))
_TEXT = _KEY.reveal()
_FORMS = {
    "{k}": _TEXT,
    "{b}": base64.encodebytes(b"-" * 40 + _TEXT.encode() + b"-" * 20).decode(),
    "{h}": _TEXT.encode().hex(" "),
    **{f"{{{n}}}": _TEXT[8 * n : 8 * n + 8] for n in range(4)},
}
_MATCHER = TextMatcher([_KEY])
_LONGEST, _LONGEST_STREAM = 5000, 1400  # characters; in a stream a longer gap than the second is none


def one_input(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for name, form in _FORMS.items():
        text = text.replace(name, form)
    text = text[:_LONGEST]
    with within():
        clean = [_send(text, ascii_only) for ascii_only in (False, True)]
        streamed = _stream(text[:_LONGEST_STREAM])
    assert not any(shown_of(each, _TEXT) for each in clean), "the key is still there"
    assert not shown_of(streamed, _TEXT), "the stream shows the key"


def _send(text: str, ascii_only: bool) -> str:
    """The text of a packed message that has it as a name as well."""
    packed = json.dumps({"": text, f"a{text}": [1.5, text]}, ensure_ascii=ascii_only)
    return str(json.loads(_MATCHER.redact_packed(packed.encode("utf-8", "surrogatepass")))[""])


def _stream(text: str) -> str:
    redactor, middle = StreamRedactor(), len(text) // 2
    parts = [redactor.feed(part, _MATCHER) for part in (text[:middle], text[middle:])]
    return "".join([*parts, redactor.flush(_MATCHER)])


if __name__ == "__main__":
    run(one_input)
