"""Prefilter: most files contain nothing, and that can be decided without importing the engine.

Answers "nothing" only where `mistral_nb.redaction.redact` would find nothing to rewrite, and sends everything
else to it. Imports nothing but built-in modules: regular expressions alone cost half of what starting
Python does.
"""

import os

from mistral_nb.bounded_read import MAX_OWN_FILE, read_file
from mistral_nb.redaction.key_spellings import ALNUM, FIRST_HEX_DIGITS, MARKS_OF_GONE, STANDARD_LENGTH, base64_digits
from mistral_nb.redaction.mistral_words import may_name_mistral

TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from typing import Any

_INDEX = "workspaces.json"
_ITEM = ("store", "slot", "fingerprint", "tail")
REQUIRED_FIELDS = {  # of the entries of each part; a test compares them with `storage.index`
    "workspaces": _ITEM,
    "pending": _ITEM,
    "seen": ("fingerprint", "length", "tail", "state", "since"),
    "unfinished": ("store", "workspace", "slot"),
    "aside": ("fingerprint", "tail", "store", "workspace", "slot"),
}
_LARGEST = 100_000  # bytes: where the closer look pays for being imported
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-16
_IMAGES = (b'"image/png": "iVBORw0KGgo', b'"image/jpeg": "/9j/')
_SUSPICIOUS = b"%" * 128  # stands for a text that is hard to decide
_HIGH = bytes(range(128, 256))
_BARS_TO_SPACES = bytes.maketrans(b"|", b" ")
_STRIPPED = b' \t\r",\\[]'
_DIGITS = b"0123456789"
# What may hide something inside a key and needs the full search.
_ELABORATE = MARKS_OF_GONE
_LETTER_OR_BREAK = (b"\\\\n", b"\\\\r", b"\\\\t")  # a line break of JSON in JSON, or a backslash before a key
_COLOUR = b"\\u001b["
# Between two stream outputs, as Jupyter writes notebooks; and, its lines run together, in any other way.
_STREAM_GAPS = tuple(
    b'"\n     ]\n    },\n    {\n     "name": "std%b",\n     "output_type": "stream",\n     "text": [\n      "' % name
    for name in (b"out", b"err")
)
_NEXT_STREAM = (b'}{name": "std', b'}{stream": "std', b'}{output_type": "stream', b'}{text":', b"},{", b"}, {")


def _membership_table(characters: bytes) -> bytes:
    return bytes(107 if c in characters else 32 for c in range(256))


_IN_RUNS = _membership_table(ALNUM + b"_-%\\")
_IN_KEYS = _membership_table(ALNUM)
# The four characters that three characters of a key become in base64, and the first of two in hex.
_BASE64 = tuple(map(_membership_table, base64_digits()))
_HEX = _membership_table(FIRST_HEX_DIGITS)


class Prefilter:
    """``home``: the folder of the index, which is read once, when the first file comes."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._tails: list[bytes] | None = None  # None: every file needs a closer look
        self._shortest = STANDARD_LENGTH
        self._has_read_index = False

    def is_clean(self, data: bytes, *, briefly: bool = False) -> bool:
        """Whether a notebook certainly contains no remembered and no suspected key.

        ``briefly``: where the engine is imported already, which then does the rest faster.
        """
        if not data:
            return True
        if not self._has_read_index:
            self._read_index()
        if self._tails is None or data[:2] in _WIDE or b"\0" in data:
            return False
        if not self._tails and not may_name_mistral(data):
            return True
        text = b"" if briefly else _remove_images(data)
        return 0 < len(text) <= _LARGEST and self._is_clean_joined(_remove_colours(text))

    def _is_clean_joined(self, text: bytes) -> bool:
        """The same, of a text whose lines, streams and tags are still to be run together."""
        if any(mark in text for mark in _ELABORATE):
            return False
        for gap in _STREAM_GAPS if text.count(b'"stream"') > 1 else ():
            text = text.replace(gap, b"")
        bare = _remove_tags(text)
        readings = (
            [_join_lines(text), _join_lines(bare), _remove_tags(_join_lines(text))]
            if bare is not text
            else [_join_lines(text)]
        )
        if any(mark in text for mark in _LETTER_OR_BREAK):
            readings.append(text)
        return all(self._is_quiet(reading, text) for reading in readings)

    def _is_quiet(self, joined: bytes, text: bytes) -> bool:
        """Whether no run of key characters could be or contain a key."""
        return not any(self._is_suspicious(run, text) for run in _find_runs(joined, _IN_RUNS, self._shortest))

    def _is_suspicious(self, run: bytes, text: bytes) -> bool:
        if b"%" in run:
            return True
        parts = (run, run.replace(b"\\", b"")) if b"\\" in run else (run,)
        if any(tail in part for tail in self._tails or () for part in parts):
            return True
        if any(len(part) >= self._shortest * 4 // 3 and _may_be_encoded(part, self._shortest) for part in parts):
            return True
        return any(_is_mixed(part) for part in _find_runs(run, _IN_KEYS, STANDARD_LENGTH)) and may_name_mistral(text)

    def _read_index(self) -> None:
        self._has_read_index = True
        try:
            text = read_file(os.path.join(self._home, _INDEX), MAX_OWN_FILE).decode()
        except FileNotFoundError:
            self._tails = []
            return
        except (OSError, ValueError):
            return
        try:
            document = parse_json(text)
            if not _is_understood(document):
                return
            entries = document.get("seen", ())
            self._shortest = min([STANDARD_LENGTH, *(int(entry["length"]) for entry in entries)])
            tails = [str(entry["tail"]).encode() for entry in entries if entry["fingerprint"]]
        except Exception:  # noqa: BLE001, however it is damaged: the closer look says so
            return
        self._tails = tails if all(tails) and self._shortest > 0 else None


def _is_understood(document: "dict[str, Any]") -> bool:
    """Whether `storage.index` can certainly read the document too; where it can't, everything key-shaped is removed."""
    version, choices = document.get("version", 1), document.get("choices", {})
    if type(version) is not int or not isinstance(choices, dict):
        return False
    for part, required in REQUIRED_FIELDS.items():
        entries = document.get(part, {} if part in ("workspaces", "pending") else [])
        if type(entries) is not (dict if part in ("workspaces", "pending") else list):
            return False
        for entry in entries.values() if isinstance(entries, dict) else entries:
            if not isinstance(entry, dict) or not all(name in entry for name in required):
                return False
            for name, value in entry.items():
                if type(value) not in ((int,) if name == "length" else (str, bool, type(None))):
                    return False
    return True


def parse_json(text: str) -> "dict[str, Any]":
    """What ``json.loads`` gives, by the C code it uses: importing json costs as much as Python itself."""
    import _json

    class Options:
        strict = True
        object_hook = object_pairs_hook = None
        parse_float, parse_int, parse_constant = float, int, float
        memo = None

    text = text.strip(" \t\r\n")
    value, end = _json.make_scanner(Options())(text, 0)  # type: ignore[arg-type,unused-ignore]  # by the stub, a JSONDecoder
    if end != len(text):
        raise ValueError("there is more after the document")
    parsed: dict[str, Any] = value
    return parsed


def _is_mixed(run: bytes) -> bool:
    return not (run.isdigit() or run.isalpha() or run.islower() or run.isupper())


def _may_be_encoded(run: bytes, shortest: int) -> bool:
    """Whether enough groups in a row look as key characters do in base64 or in hex."""
    groups = b"k" * ((shortest - 2) // 3)
    return any(
        all(groups in run[shift + place :: 4].translate(members) for place, members in enumerate(_BASE64))
        for shift in range(4)
    ) or any(b"k" * shortest in run[shift::2].translate(_HEX) for shift in range(2))


def _remove_images(data: bytes) -> bytes:
    for mark in _IMAGES:
        first, *others = data.split(mark)
        if others:
            # what follows a payload starts at its closing quote; one that is not closed stays
            data = b" ".join([first, *map(_after_payload, others)])
    return data


def _after_payload(text: bytes) -> bytes:
    end = text.find(b'"')
    return text if end < 0 or text.find(b" ", 0, end) >= 0 else text[end:]  # with spaces it is no image


def _remove_colours(text: bytes) -> bytes:
    """Without the escape codes of colours; any other stays where it is."""
    if b"\\" + _COLOUR in text:  # the backslash that stayed would make an escape of the next letter
        return text
    first, *others = text.split(_COLOUR)
    parts = [first]
    for other in others:
        code = other[:12].partition(b"m")[0]
        known = not code.strip(_DIGITS + b";") and other[len(code) : len(code) + 1] == b"m"
        parts += [other[len(code) + 1 :]] if known else [_COLOUR, other]
    return b"".join(parts)


def _join_lines(text: bytes) -> bytes:
    """The lines run together, with what a notebook or a frame puts around them left out.

    Where streams meet in another way than in Jupyter's notebooks, a run that takes a closer look.
    """
    streams = text.count(b'"stream"')
    # in this order: what is left of an escaped backslash before r must not make a break of the n after it
    text = (
        text.translate(_BARS_TO_SPACES, _HIGH)
        .replace(b"\\t", b" ")
        .replace(b"\\n", b"\n")
        .replace(b"\\r", b"")
        .replace(b"\r\n", b"\n")
    )
    if b"\r" in text:  # line breaks of another kind
        return _SUSPICIOUS
    if b'" ,' in text or (streams > 1 and b'" :' in text):  # JSON in a style unusual for notebooks
        return _SUSPICIOUS
    text = text.replace(b'", "', b"").replace(b'","', b"")
    text = b"".join([line.strip(_STRIPPED) for line in text.split(b"\n")])
    meet = streams > 1 and (text[:1] != b"{" or any(mark in text for mark in _NEXT_STREAM))
    return _SUSPICIOUS if meet else text


def _remove_tags(text: bytes) -> bytes:
    """The text without HTML tags; the same object where there are none."""
    first, *others = text.split(b"<")
    if not others:
        return text
    return first + b"".join([other.partition(b">")[2] if b">" in other else b"<" + other for other in others])


def _find_runs(text: bytes, members: bytes, shortest: int) -> list[bytes]:
    """The runs of at least so many characters of a table."""
    classes, needle, found = text.translate(members), b"k" * shortest, []
    start = classes.find(needle)
    while start >= 0:
        end = classes.find(b" ", start + shortest)
        end = len(classes) if end < 0 else end
        found.append(text[start:end])
        start = classes.find(needle, end)
    return found
