"""A secret has its own type, and only `reveal()` returns its text."""

import re
from collections.abc import Callable
from typing import NoReturn, Self, final

from mistral_nb.errors import NotAKey
from mistral_nb.placeholders import is_mixed, is_placeholder, is_random

try:
    from _blake2 import blake2b  # what hashlib re-exports, without the 3 ms of loading OpenSSL
except ImportError:
    from hashlib import blake2b

MARKER = "[MISTRAL_API_KEY redacted]"
MIN_KEY_LENGTH, MAX_KEY_LENGTH = 16, 128
MIN_FRAGMENT = 15  # characters in a row: the shortest part of a known key that is removed

_PERSONALISATION = b"mistral-nb"
_ALLOWED = re.compile(r"[A-Za-z0-9_-]+")
_STANDARD = re.compile(r"[A-Za-z0-9]{32}")
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u00ad\0"))
_ANSI_PASTE = re.compile(r"\x1b\[20[01]~")  # what a terminal puts around a bracketed paste

# What people paste around a key, its white space collapsed: a .env line, an assignment, a header.
_PASTED = re.compile(
    r"""
    (?: (?: (?:export|set|setx|%env|%set_env) \s | \$env: ) )?
    (?: ["'`]? [A-Za-z_][\w.-]* (?: \[ ["']\w+["'] \] )? ["'`]? (?: \s*[=:]\s* | (?<=_KEY)\s+ ) )?
    ["'`]{0,3} (?: (?:Authorization\s*:\s*)? Bearer\s+ )? ["'`]{0,3}
    (?P<value> [^\s"'`\#;,]+ )
    ["'`]{0,3} [;,]? \s* (?: \#.* )?
    """,
    re.VERBOSE | re.IGNORECASE,
)

# In anything else that was copied, a key-shaped run that is not part of a longer one.
_KEY_SHAPED_RUN = re.compile(r"(?<![A-Za-z0-9_+/-])[A-Za-z0-9]{32}(?![A-Za-z0-9_+/=-])")


def fingerprint(text: str) -> str:
    """BLAKE2b-128 of a key, personalised: 32 lower-case hex digits."""
    return blake2b(_to_bytes(text), digest_size=16, person=_PERSONALISATION).hexdigest()


class Secret:
    """Text that must not be shown: a key or a passphrase. Only `reveal()` returns it.

    The text is kept in a closure, so no attribute, ``vars`` or ``asdict`` exposes it.
    """

    __slots__ = ("_text",)
    _text: Callable[[], str]

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", lambda: text)

    def reveal(self) -> str:
        """The text itself. Every call is a place where the secret could leak: review it carefully."""
        return self._text()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac

        return hmac.compare_digest(_to_bytes(self.reveal()), _to_bytes(other.reveal()))

    def __hash__(self) -> int:
        return hash(fingerprint(self.reveal()))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} does not change")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is never pickled")


@final
class Key(Secret):
    """A Mistral API key: 16 to 128 of ``[A-Za-z0-9_-]``; usually 32 alphanumerics.

    ``Key.parse`` cleans what people paste; the constructor takes the bare key.
    Raises `NotAKey`, whose sentences never contain the input.
    """

    __slots__ = ()

    def __init__(self, text: str) -> None:
        error = _find_problem(text)
        if error:
            del text, self  # tracebacks show locals: a password perhaps, and a key without its text
            raise error
        super().__init__(text)

    def __init_subclass__(cls, **kwargs: object) -> NoReturn:
        raise TypeError("Key is final")

    @classmethod
    def parse(cls, pasted: Secret | str) -> "Key":
        """The key in what was pasted: quotes, ``Bearer``, ``export NAME=`` and the like removed."""
        pasted = Secret(_strip_paste(pasted.reveal() if isinstance(pasted, Secret) else pasted))
        return cls(pasted.reveal())

    @property
    def tail(self) -> str:
        """The last four characters, as shown in Mistral's console."""
        return self.reveal()[-4:]

    @property
    def fingerprint(self) -> str:
        """BLAKE2b-128, 32 hex digits: identifies the key without revealing it."""
        return fingerprint(self.reveal())

    @property
    def length(self) -> int:
        return len(self.reveal())

    @property
    def is_standard(self) -> bool:
        """Whether it has the shape of every key seen so far: 32 of ``[A-Za-z0-9]``."""
        return bool(_STANDARD.fullmatch(self.reveal()))

    @property
    def looks_generated(self) -> bool:
        """Whether Mistral could have made it: the standard shape, in both cases; under Mistral's label that is enough.

        Digits are missing in one key of 250: such a text must not read like a name.
        """
        text = self.reveal()
        return self.is_standard and (is_mixed(text) or (text.lower() != text != text.upper() and is_random(text)))

    def __repr__(self) -> str:
        return f"<Key …{self.tail}>"


def key_or_none(text: str | None) -> Key | None:
    """The key in a variable's value; None if it is empty, the marker, a placeholder or not a key."""
    try:
        return Key.parse(text) if text else None
    except NotAKey:
        return None


def _strip_paste(pasted: str) -> str:
    lines = _ANSI_PASTE.sub("", pasted).translate(_INVISIBLE).splitlines()
    text = "\n".join(" ".join(line.split()) for line in lines if line.strip())
    match = _PASTED.fullmatch(text)
    value = match["value"] if match else text
    return value if _ALLOWED.fullmatch(value) else _find_only_key(text) or value


def _find_only_key(text: str) -> str:
    """The key in a whole ``.env``, a line of code or a header; empty if it is ambiguous."""
    matches = map(_PASTED.fullmatch, text.splitlines())
    named = {m["value"] for m in matches if m and "MISTRAL_API_KEY" in m.string[: m.start("value")].upper()}
    runs = {run for run in _KEY_SHAPED_RUN.findall(text) if is_mixed(run)}
    return next((found.pop() for found in (named, runs) if len(found) == 1), "")


def _to_bytes(text: str) -> bytes:
    """UTF-8; a variable that was not UTF-8 has surrogates, and an encoding error would contain its text."""
    return text.encode("utf-8", "surrogatepass")


def _find_problem(text: str) -> NotAKey | None:
    sized = "a Mistral key has 32 characters."
    findings = (
        ("empty", not text, "Nothing was given."),
        ("marker", MARKER.strip("[]") in text, "This is the marker left where a key was removed."),
        ("placeholder", is_placeholder(text), f"This is a placeholder or too short: {sized}"),
        ("characters", not _ALLOWED.fullmatch(text), "This contains characters that a Mistral key cannot have."),
        ("short", len(text) < MIN_KEY_LENGTH, f"This is too short: {sized}"),
        ("long", len(text) > MAX_KEY_LENGTH, f"This is too long: {sized}"),
    )
    again = "Copy the key from Mistral's console and paste it again."
    return next((NotAKey(reason, failed, again) for reason, wrong, failed in findings if wrong), None)
