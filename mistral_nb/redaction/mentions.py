"""What a text mentions of vendors: hosts in URLs, values of `provider` and `model`, the name of Mistral."""

import re
from typing import NamedTuple

from mistral_nb.redaction import mistral_words
from mistral_nb.redaction.label_words import (
    NAME_CHARACTERS,
    has_key_word,
    is_openai,
    names_mistral,
    qualifier,
    split_words,
)
from mistral_nb.redaction.labels import read_container, read_label
from mistral_nb.redaction.statements import Outline

_ANCHOR = re.compile("|".join(("://", *mistral_words.NAMES, "provider", "vendor", "model")))  # of lower-case text
_SCHEMES = ("http", "https", "ws", "wss")
_HOST = re.compile(r"://(?P<host>[^\s/\"'\\<>?#]{1,200})(?P<path>[^\s\"'\\<>]{0,300})")
_BARE_HOST = re.compile(r"mistral\.ai\b", re.IGNORECASE)
_SETTING = re.compile(r"(?P<name>\w{0,60})\\?[\"']?\s*[:=]\s*\\?[\"']?(?P<value>[A-Za-z@][\w.-]{0,60})(?P<slash>/?)")
_NEUTRAL_HOST = re.compile(
    r"[\d.]+|[^.]+|.*\.(?:local|localhost|internal|test|invalid)|(?:.*\.)?example\.\w+|(?:.*\.)?openai\.com"
)
_API_HOST = re.compile(r"(?:^|\.)api[.-]|-api\.")
_API_PATH = re.compile(r"/(?:api|v\d\w*)(?:/|$|\?)")
_ADDRESS_WORDS = frozenset(("base", "endpoint", "host", "hostname", "server", "baseurl", "apibase", "apiurl", "api"))
_SETTING_WORDS = frozenset(("provider", "vendor"))
_REQUEST = re.compile(
    r"(?:\w+\.)*(?:get|post|put|patch|request|fetch|urlopen|axios|Request|GET|POST|stream)|(?:curl|wget|https?|xh)(?:\..*)?"
)
_LONGEST_NAME = 60


class Mention(NamedTuple):
    """``whose``: "mistral" or "other". ``is_certain``: a host of an API, a provider; else only a word.

    ``words``: those of its label that say what it belongs to: openai of `OPENAI_BASE_URL`. ``is_key``: it is the
    name of a key, `mistral_api_key`.
    """

    place: int
    whose: str
    name: str
    is_certain: bool = False
    words: tuple[str, ...] = ()
    is_key: bool = False
    in_comment: bool = False

    def is_about(self, words: tuple[str, ...], shared: bool) -> bool:
        """Whether it is about a key with these words. ``shared``: what has no words of its own is about every key."""
        return self.words == words if self.words else shared


def find_mentions(text: str, outline: Outline) -> list[Mention]:
    """All mentions, in order."""
    found: list[Mention] = []
    done = 0
    for anchor in _ANCHOR.finditer(text.lower()):
        if anchor.start() < done:
            continue
        mention, end = _read_host(text, anchor, outline) if anchor[0] == "://" else _read_name(text, anchor, outline)
        if mention:
            done = end
            if outline.is_comment(mention.place):
                mention = mention._replace(in_comment=True, is_certain=False)
            found.append(mention)
    return found


def judge_host(host: str) -> str | None:
    """Whose a host is: "mistral", "other", or None where it says nothing, as localhost and OpenAI's do."""
    host = host.rpartition("@")[2].partition(":")[0].lower()
    if names_mistral(host):
        return "mistral"
    return None if _NEUTRAL_HOST.fullmatch(host) or "{" in host or "$" in host else "other"


def is_request(callee: str) -> bool:
    """Whether a call or command sends a request to the address it is given."""
    return _REQUEST.fullmatch(callee) is not None


def _start_of_name(text: str, place: int) -> int:
    before = text[max(0, place - _LONGEST_NAME) : place]
    return place - len(before) + len(before.rstrip(NAME_CHARACTERS))


def _read_host(text: str, anchor: re.Match[str], outline: Outline) -> tuple[Mention | None, int]:
    match = _HOST.match(text, anchor.start())
    start = _start_of_name(text, anchor.start())
    if match is None or text[start : anchor.start()].lower() not in _SCHEMES:
        return None, 0
    return _describe_host(text, start, match["host"], match["path"], outline), match.end()


def _describe_host(text: str, start: int, host: str, path: str, outline: Outline) -> Mention | None:
    host = host.rpartition("@")[2]  # not a password before it
    whose = judge_host(host)
    if whose is None:
        return Mention(start, "mistral", host) if names_mistral(path) else None
    label = read_label(text, start)
    words = [] if label.is_prose else split_words(label.name)
    certain = whose == "mistral" or bool(
        _API_HOST.search(host) or _API_PATH.search(path) or _ADDRESS_WORDS.intersection(words)
    )
    return Mention(start, whose, host, certain, qualifier(words) or _container_words(text, start, outline))


def _read_name(text: str, anchor: re.Match[str], outline: Outline) -> tuple[Mention | None, int]:
    """Mistral's name, alone or as a host, or a setting such as `model: …`."""
    start = _start_of_name(text, anchor.start())
    bare = _BARE_HOST.match(text, anchor.start())
    if bare:
        return _describe_host(text, start, bare[0], "", outline), bare.end()
    setting = _SETTING.match(text, start)
    if setting and {"provider", "vendor", "model"}.intersection(split_words(setting["name"])):
        return _read_setting(setting), setting.end()
    if not names_mistral(anchor[0]):
        return None, 0
    name = text[start : anchor.end() + _LONGEST_NAME]
    name = name[: len(name) - len(name.lstrip(NAME_CHARACTERS))]
    return Mention(start, "mistral", name, is_key=has_key_word(split_words(name))), start + len(name)


def _read_setting(match: re.Match[str]) -> Mention | None:
    """A provider, or the one at the front of a model's name: `mistral/mistral-small`."""
    value, name = match["value"].lower(), split_words(match["name"])
    words = qualifier([word for word in name if word not in _SETTING_WORDS])
    is_provider = bool(_SETTING_WORDS.intersection(name))
    if names_mistral(value):
        certain = is_provider or (bool(match["slash"]) and value in mistral_words.NAMES)
        return Mention(match.start(), "mistral", value, certain, words)
    if names_mistral(match["name"]):
        return Mention(match.start(), "mistral", match["name"])
    named = qualifier(split_words(value))
    if not named or is_openai(named) or not (is_provider or match["slash"]):
        return None
    return Mention(match.start(), "other", value, True, words)


def _container_words(text: str, place: int, outline: Outline) -> tuple[str, ...]:
    """The words of the key that the brackets around a place are the value of: fooble of `"fooble": {"url": "…"}`."""
    for bracket in outline.brackets_around(place)[:1]:
        return qualifier(split_words(read_container(text, bracket.start)))
    return ()
