"""The label of a literal: the name that a text gives to the value at a position.

`NAME = "…"`, `"name": "…"`, `os.environ["NAME"] = "…"`, `--name …`, `%env NAME …`, `Authorization: Bearer …`,
`setenv("NAME", "…")`, `{"name": "NAME", "value": "…"}`. A label is read backwards from its value, in text that is
reversed for that: so it takes no longer in a text full of names.
"""

import re
from typing import NamedTuple

from mistral_nb.redaction.label_words import has_key_word, known_vendor, names_mistral, qualifier, split_words

_REACH = 300  # characters before a value that can hold its label
_NOISE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|</?[A-Za-z][^<>]{0,300}>")  # colours and HTML tags
_PLIST = re.compile(r"</key>\s*<string>")
_ESCAPED = re.compile(r"\\+([\"'`/]|[nrt](?=[\s\"'A-Z]))|&(?:quot|#39|#34|#x27);")


def _backwards(words: str) -> str:
    return "|".join(word[::-1] for word in words.split())


# Reversed: what stands between a label and its value. A quote, the scheme of a header, brackets, a function, a plus.
_LAYER = re.compile(
    r"[\"'`]{1,3}(?:[fbruFBRU]{1,2}(?!\w)|/W(?!\w))?|\s+(?i:" + _backwards("bearer basic token apikey") + r")(?![\w-])"
    r"|\s*[(\[{]\s*(?=[=:])|\s*\+\s*(?=[\"'])"
)
_MOST_LAYERS = 6
_ELSE = re.compile(r"\s*(?:\b(?:or|else)|\|\||\?\?)\s*$")  # getenv("NAME") or "…"
_BEFORE_ELSE = re.compile(r"(?P<name>[A-Za-z_][\w.]{0,80})\s*(?:\bor|\|\||\?\?)\s*$")
_ARGUMENT = re.compile(r"\(\s*[\"'](?P<name>-{0,2}[A-Za-z_][\w.-]{0,80})[\"']")  # of a call: its first, a name
_TARGET = re.compile(r"(?P<name>[A-Za-z_][\w.]{0,80})\s*(?::[^=\n]{1,80})?=(?!=)")
# Reversed: `=`, `:` and their like, with a type's annotation.
_SEPARATOR = re.compile(r"\s*(?:>=|-<|=(?:[:?+=]|\|\|)?|:)\s*")
_ANNOTATION = re.compile(r"(?:\w{1,20}\s*\|\s*)?(?:\][^\[\]=\"']{0,60}\[)?[A-Za-z0-9.]{1,40}&?\s*:\s*(?=[\w\"'`])")
_SUBSCRIPT = r"(?:\]{1,2}\s*[\"']?[\w .-]{1,80}[\"']?\s*\[{1,2})"
_NAME = re.compile(rf"[\"'`]?\s*(?P<name>{_SUBSCRIPT}{{0,4}}[\w.$@-]{{1,80}}(?::vne\$)?|{_SUBSCRIPT}{{1,4}})")
_CALL = re.compile(r"\s*\(\s*(?P<name>\w{1,60}(?:\.\w{1,60}){0,6})")
_CALLEE = re.compile(r"\s*(?P<name>\w{1,60}(?:(?:::|\.)[\w$]{1,60}){0,6})")
_OPTION_OR_VARIABLE = re.compile(r"[\"']?(--?[A-Za-z][\w-]*|[A-Z][A-Z0-9]*_[A-Z0-9_]*)[\"']?")
_ITEM = re.compile(r"\s*,\s*([\"'])(?P<name>[\w.-]{1,80})\1")
_WORD = re.compile(r"[A-Za-z][\w&-]*[:=]*")
_MOST_WORDS = 5  # of prose before a value
_NAME_OF_VALUE = re.compile(r"(?i)\b(?:name|key)[\"']?\s*[=:]\s*[\"']?(?P<name>[A-Za-z_][\w.-]*)")
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
_COMMAND = re.compile(
    r"\s*(?:[!$%]\s*(?:sx\s+)?(?=[\w./-])|(?=curl |wget ))([\w./-]{1,60})(?:[ \t]+([a-z][\w-]{0,30}))?(?=\s|$)"
)


class Label(NamedTuple):
    """``name`` as it is written, ``is_prose``: a few words before the value rather than a name."""

    name: str
    is_prose: bool = False


def read_label(text: str, position: int) -> Label:
    """The name of the value at ``position``, read off what stands before it; "" without one."""
    before = _without_noise(text[max(0, position - _REACH) : position])
    backwards = before[::-1]
    place = 0
    for _ in range(_MOST_LAYERS):
        layer = _LAYER.match(backwards, place)
        if layer is None:
            break
        place = layer.end()
    before = before[: len(before) - place]
    name = _read_assigned(backwards, place)
    if name:
        return _with_words_before(_name_of_value(name, before), before)
    if _ELSE.search(before[-20:]):
        return Label(_read_around_value(before))
    call = _CALL.match(backwards, place)
    if call:
        return Label(_read_around_call(backwards, call))
    item = _ITEM.match(backwards, place)
    if item and _is_name_of_key(item["name"][::-1]):
        return Label(item["name"][::-1])
    return _read_spaced(before.rpartition("\n")[2])


def read_container(text: str, opening: int) -> str:
    """The key whose value an opening bracket begins: `openai` of `"openai": {`, and `keys` of `keys = {`.

    Other variables are not meant: people call theirs what they like.
    """
    backwards = _without_noise(text[max(0, opening - 120) : opening])[::-1]
    name = _read_assigned(backwards, 0)
    is_variable = backwards.lstrip()[:1] in ("=", "-")
    return "" if is_variable and not has_key_word(split_words(name)) else name


def read_callee(text: str, opening: int) -> str:
    """The function or class whose call an opening bracket begins; "" if it begins something else."""
    if text[opening] != "(":
        return ""
    match = _CALLEE.match(text[max(0, opening - 200) : opening][::-1])
    return match["name"][::-1] if match else ""


def read_command(statement: str) -> str:
    """The program that a statement runs in a shell, with its first word, written as a call: `fooble.login`."""
    match = _COMMAND.match(statement)
    return ".".join(filter(None, match.groups())) if match else ""


def _read_assigned(backwards: str, place: int) -> str:
    separator = _SEPARATOR.match(backwards, place)
    if separator is None:
        return ""
    annotation = _ANNOTATION.match(backwards, separator.end()) if separator[0].strip() == "=" else None
    match = _NAME.match(backwards, annotation.end() if annotation else separator.end())
    return match["name"][::-1].lstrip("0123456789") if match else ""


def _read_around_call(backwards: str, call: re.Match[str]) -> str:
    """Of the first argument of a call: the function that is named after a key, or what the call is the value of."""
    for _ in range(_MOST_LAYERS):
        callee = call["name"][::-1]
        words = split_words(callee)
        if has_key_word(words) and (qualifier(words) or names_mistral(callee)):  # set_fooble_key("…")
            return callee
        outer = _read_assigned(backwards, call.end())
        if outer:
            return outer if has_key_word(split_words(outer)) or names_mistral(outer) else ""
        next_call = _CALL.match(backwards, call.end())
        if next_call is None:
            break
        call = next_call
    return ""


def _read_around_value(before: str) -> str:
    """The name on this line of the value that a literal stands in for: a call's first argument, or what is assigned."""
    line = before.rpartition("\n")[2]
    names = [match["name"] for pattern in (_BEFORE_ELSE, _ARGUMENT, _TARGET) for match in pattern.finditer(line)]
    return next(filter(_is_name_of_key, names), "")


def _with_words_before(name: str, before: str) -> Label:
    """`Tavily API key: …`: with the words of the line before it, if there are only words."""
    words = before.rpartition("\n")[2].split()[:-1]
    if before.rstrip().endswith(":") and 0 < len(words) < _MOST_WORDS and all(map(str.isalpha, words)):
        label = " ".join((*words, name))
        if names_mistral(label) or known_vendor(split_words(label)):
            return Label(label, is_prose=True)
    return Label(name)


def _read_spaced(line: str) -> Label:
    """An option or a variable before a space, or else the words of the line before the value."""
    words = line.split()[-_MOST_WORDS:]
    if words and line[-1:].isspace():
        name = _OPTION_OR_VARIABLE.fullmatch(words[-1])
        if name:
            return Label(_name_of_value(name[1], line))
    prose: list[str] = []
    for word in reversed(words):
        if not _WORD.fullmatch(word.strip("*_\"'`")):
            break
        prose.insert(0, word)
    return Label(" ".join(prose), is_prose=True)


def _is_name_of_key(name: str) -> bool:
    words = split_words(name)
    return has_key_word(words) or names_mistral(name) or bool(known_vendor(words))


def _without_noise(text: str) -> str:
    text = _NOISE.sub("", _PLIST.sub("=", text)) if "<" in text or "\x1b" in text else text
    return _ESCAPED.sub(_unescaped, text) if "\\" in text or "&" in text else text


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is None:
        return '"'
    return "\n" if match[1] in "nrt" else match[1]


def _name_of_value(name: str, before: str) -> str:
    """Of `value` the name that stands before it: `{"name": "NAME", "value": "…"}`, `secret set NAME --body …`.

    And of `default`: `getenv("NAME", default="…")`, `name: str = field(default="…")`.
    """
    if name == "default":
        return _read_around_value(before) or name
    if name.lower().strip("-") not in ("value", "body"):
        return name
    names = _NAME_OF_VALUE.findall(before[-200:]) or _VARIABLE.findall(before.rpartition("\n")[2])
    return names[-1] if names else name
