"""A secret has one type, and one way out of it: `reveal()`."""

import re
from collections.abc import Callable
from typing import NoReturn, Self, final

from mistral_nb.errors import NotAKey

try:
    from _blake2 import blake2b  # what hashlib hands on, without the 3 ms of loading OpenSSL
except ImportError:
    from hashlib import blake2b

MARKER = "[MISTRAL_API_KEY redacted]"
SHORTEST, LONGEST = 16, 128
FRAGMENT = 15  # characters in a row: the shortest part of a known key that is removed

_PERSONALISATION = b"mistral-nb"
_ALLOWED = re.compile(r"[A-Za-z0-9_-]+")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
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

# In whatever else was copied along, a key-shaped run that is no part of a longer one.
_KEY_SHAPED_RUN = re.compile(r"(?<![A-Za-z0-9_+/-])[A-Za-z0-9]{32}(?![A-Za-z0-9_+/=-])")

# A random key of 32 alphanumerics holds "xxx" in some case once in a thousand, "your" once in
# thirty thousand: the short words speak only where the shape is not a key's.
_PLACEHOLDER_WORDS = re.compile(
    r"your|example|xxx|dummy|key[ _-]?here|api[ _-]?key|placeholder|change[ _-]?me|redacted|replace",
    re.IGNORECASE,
)
_PLACEHOLDER_IN_A_KEY = re.compile(r"x{6}|example|key_?here|api_?key|placeholder|changeme|redacted", re.IGNORECASE)
_FEWEST_DISTINCT = 10


def fingerprint(text: str) -> str:
    """BLAKE2b-128 of a key, personalised: 32 lower-case hex digits."""
    return blake2b(_bytes(text), digest_size=16, person=_PERSONALISATION).hexdigest()


class Secret:
    """Text that must not be shown: a key, or a passphrase. Any way out but `reveal()` is closed.

    The text rests in a closure, so that no attribute, ``vars`` or ``asdict`` holds it.
    """

    __slots__ = ("_text",)
    _text: Callable[[], str]

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", lambda: text)

    def reveal(self) -> str:
        """The text itself. Every call is a place where the secret could leave: look twice."""
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

        return hmac.compare_digest(_bytes(self.reveal()), _bytes(other.reveal()))

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
    Raises `NotAKey`, whose sentences never hold what was given.
    """

    __slots__ = ()

    def __init__(self, text: str) -> None:
        error = _what_is_wrong(text)
        if error:
            del text, self  # tracebacks show locals: a password perhaps, and a key without its text
            raise error
        super().__init__(text)

    def __init_subclass__(cls, **kwargs: object) -> NoReturn:
        raise TypeError("Key is final")

    @classmethod
    def parse(cls, pasted: Secret | str) -> "Key":
        """The key in what was pasted: quotes, ``Bearer``, ``export NAME=`` and the like removed."""
        pasted = Secret(_clean(pasted.reveal() if isinstance(pasted, Secret) else pasted))
        return cls(pasted.reveal())

    @property
    def tail(self) -> str:
        """The last four characters, as Mistral's console shows them."""
        return self.reveal()[-4:]

    @property
    def fingerprint(self) -> str:
        """BLAKE2b-128, 32 hex digits: names the key without giving it away."""
        return fingerprint(self.reveal())

    @property
    def length(self) -> int:
        return len(self.reveal())

    @property
    def is_standard(self) -> bool:
        """Whether it has the shape of every key seen so far: 32 of ``[A-Za-z0-9]``."""
        return bool(_STANDARD.fullmatch(self.reveal()))

    def __repr__(self) -> str:
        return f"<Key …{self.tail}>"


def key_or_none(text: str | None) -> Key | None:
    """The key in a variable's value; None for nothing, the marker, a placeholder or no key."""
    try:
        return Key.parse(text) if text else None
    except NotAKey:
        return None


def key_shaped(argument: str) -> list[str]:
    """The words in an argument that could be keys: 32 alphanumerics, or 20 and more of a mix.

    Hex alone is a digest or an id: a key is hex alone once in 10^19.
    """
    words = re.findall(r"[A-Za-z0-9]{20,}", argument)
    return [word for word in words if (len(word) == 32 or _is_a_mix(word)) and not _HEX.fullmatch(word)]


def is_placeholder(text: str) -> bool:
    """Whether a value stands for a key and is none: ``<YOUR MISTRAL API KEY>``, ``xxxx…``, …"""
    if len(set(text)) < _FEWEST_DISTINCT:
        return True
    key_shaped = _STANDARD.fullmatch(text) and _is_a_mix(text)
    pattern = _PLACEHOLDER_IN_A_KEY if key_shaped else _PLACEHOLDER_WORDS
    return bool(pattern.search(text))


def _is_a_mix(text: str) -> bool:
    return all(any(map(test, text)) for test in (str.isupper, str.islower, str.isdigit))


def _clean(pasted: str) -> str:
    lines = _ANSI_PASTE.sub("", pasted).translate(_INVISIBLE).splitlines()
    text = "\n".join(" ".join(line.split()) for line in lines if line.strip())
    match = _PASTED.fullmatch(text)
    value = match["value"] if match else text
    return value if _ALLOWED.fullmatch(value) else _only_key_in(text) or value


def _only_key_in(text: str) -> str:
    """The key in a whole ``.env``, a line of code or a header; empty where it can't be told which."""
    matches = map(_PASTED.fullmatch, text.splitlines())
    named = {m["value"] for m in matches if m and "MISTRAL_API_KEY" in m.string[: m.start("value")].upper()}
    runs = {run for run in _KEY_SHAPED_RUN.findall(text) if _is_a_mix(run)}
    return next((found.pop() for found in (named, runs) if len(found) == 1), "")


def _bytes(text: str) -> bytes:
    """UTF-8; a variable that was none comes with surrogates, and an encoding error would hold its text."""
    return text.encode("utf-8", "surrogatepass")


def _what_is_wrong(text: str) -> NotAKey | None:
    sized = "a Mistral key has 32 characters."
    findings = (
        ("empty", not text, "Nothing was given."),
        ("marker", MARKER.strip("[]") in text, "This is the marker left where a key was removed."),
        ("placeholder", is_placeholder(text), f"This is a placeholder or too short: {sized}"),
        ("characters", not _ALLOWED.fullmatch(text), "This holds characters that no Mistral key has."),
        ("short", len(text) < SHORTEST, f"This is too short: {sized}"),
        ("long", len(text) > LONGEST, f"This is too long: {sized}"),
    )
    again = "Copy the key from Mistral's console and paste it again."
    return next((NotAKey(reason, failed, again) for reason, wrong, failed in findings if wrong), None)
