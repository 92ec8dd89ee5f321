"""Whose a key-shaped literal is: Mistral's, another vendor's, or nobody's.

The rule in words is in docs/attribution.md, and the cases it is held to in docs/attribution/cases.json. In short, the
nearest that says something decides: the literal's label, the call, mapping or statement that it stands in with the
hosts and providers named there, the cell, the document. Pure: it looks at the text alone.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from mistral_nb.api_key import MARKER
from mistral_nb.redaction import label_words, mistral_words
from mistral_nb.redaction.label_words import qualifier, split_words
from mistral_nb.redaction.labels import Label, read_callee, read_command, read_container, read_label
from mistral_nb.redaction.mentions import Mention, find_mentions, is_request, judge_host
from mistral_nb.redaction.passages import Passage, find_passage
from mistral_nb.redaction.sections import sections_around
from mistral_nb.redaction.statements import Outline

MISTRAL, OTHER, NOBODY = "mistral", "other", "nobody"
_MARKER = MARKER.encode()
_IMPORT = re.compile(  # what comes after the import of "from … import …" is no module
    # the look-behinds are \b, which in front would slow the search down
    rb"from(?<!\wfrom)\s+\\?[\"']?([A-Za-z_]\w{0,60})(?:[\w.]{0,100}\s+import\b)?"
    rb"|(?:import(?<!\wimport)\s+|(?:require|library)(?<!\w.{7})\(\s*\\?[\"']?)([A-Za-z_]\w{0,60})"
)
_CLIENT_IMPORT = re.compile(rb"from(?<!\wfrom)\s+([A-Za-z_]\w{0,60})[\w.]{0,100}\s+import\b([\w(, ]{1,300})")
_CLIENT = re.compile(rb"\b\w*Client\b")
_MISTRAL_CALL = re.compile(rb"istral\w{0,20}\(([^)]{0,300})")
_IDENTIFIER = re.compile(rb"[A-Za-z_]\w*")
_LAST_SUBSCRIPT = re.compile(r"\[{1,2}\s*[\"']?([\w .-]+)[\"']?\s*\]{1,2}$")
_SUBSCRIPTS = re.compile(r"\[\s*[\"']([\w .-]+)[\"']\s*\]")
_URL_BEFORE = re.compile(r"://([^\s/\"'<>?#]+)[^\s\"'<>]*")
_HOST_AFTER = re.compile(r"@([\w.-]+\.\w+)")
_ARRAY = re.compile(r"\\?\"bytes\\?\",\s*\\?\"data\\?\":\s*\\?\"$")
_COOKIE = re.compile(r"\bcookies?[\"']?\s*:\s*[\"']?[^{}\"',]*$", re.IGNORECASE)  # a header, with several values
_LONGEST_URL = 500  # characters of it before the literal
_SCOPES = 6  # brackets around a literal that count
_JSON_SCOPES = 2  # the same in a notebook's JSON, where the others are the cell and the notebook


class Owner(NamedTuple):
    """``whose``: MISTRAL, OTHER or NOBODY. ``name``: the vendor or host as the text writes it; "" if it names none."""

    whose: str
    name: str = ""

    @property
    def is_mistral(self) -> bool:
        return self.whose == MISTRAL


class Scope(NamedTuple):
    """A stretch of text around a literal: a call, a mapping, a section, the statement."""

    start: int
    end: int
    callee: str = ""
    container: str = ""  # the name that it is the value of
    is_whole: bool = False  # a document's outermost mapping, where each line is for itself


class Subject(NamedTuple):
    """Whom the label names: the words that do, whether that is a vendor, and whether only a name above it does."""

    words: tuple[str, ...] = ()
    is_vendor: bool = False
    by_container: bool = False


class DocumentFacts:
    """What a document says as a whole, wherever it says it. ``parts`` gives its text, in pieces if that is large."""

    def __init__(self, parts: Callable[[], Iterable[bytes]]) -> None:
        self._parts = parts

    @cached_property
    def names_mistral(self) -> bool:
        return any(mistral_words.names_mistral(part, _MARKER) for part in self._parts())

    @cached_property
    def imports(self) -> frozenset[str]:
        """The modules that the document imports, in lower case."""
        found = (match[1] or match[2] for part in self._parts() for match in _IMPORT.finditer(part))
        return frozenset(name.decode().lower() for name in found)

    @cached_property
    def clients(self) -> dict[str, str]:
        """The modules of clients, by their names in `from fooble import RESTClient`."""
        found = (match for part in self._parts() for match in _CLIENT_IMPORT.finditer(part))
        return {name.decode(): match[1].decode() for match in found for name in _CLIENT.findall(match[2])}

    @cached_property
    def given_to_mistral(self) -> frozenset[str]:
        """The names among the arguments of calls such as `Mistral(api_key=NAME)`."""
        calls = (match[1] for part in self._parts() for match in _MISTRAL_CALL.finditer(part))
        return frozenset(name.decode() for call in calls for name in _IDENTIFIER.findall(call))


class Document:
    """A text whose literals are asked about. ``notebook``: it is JSON, its cells' sources and outputs are strings.

    ``facts``: those of the whole document, where this is a part of it.
    """

    def __init__(self, data: bytes, *, notebook: bool, facts: DocumentFacts | None = None) -> None:
        self._data = data
        self._notebook = notebook
        self._latest: _PassageReader | None = None
        self.facts = facts or DocumentFacts(lambda: [data])

    def find_owner(self, start: int, end: int) -> Owner:
        """Whose the literal at ``data[start:end]`` is."""
        if self._latest is None or not self._latest.passage.serves(start, end, len(self._data)):
            passage = find_passage(self._data, start, end, notebook=self._notebook)
            self._latest = _PassageReader(passage, self.facts)
        passage = self._latest.passage
        return self._latest.find_owner(passage.place_of(start), passage.place_of(end))


class _PassageReader:
    def __init__(self, passage: Passage, document: DocumentFacts) -> None:
        self.passage = passage
        self._text = passage.text.replace(MARKER, " " * len(MARKER))
        self._document = document
        self._outline = Outline(self._text)
        self._mentions = find_mentions(self._text, self._outline)
        self._places = [mention.place for mention in self._mentions]

    def find_owner(self, start: int, end: int) -> Owner:
        label = read_label(self._text, start)
        own = _own_name(label.name)
        words = split_words(own)
        if label_words.is_identifier(words) or self._is_in_array_or_cookie(start):
            return Owner(NOBODY)
        if label_words.names_mistral(label.name):
            return self._mistral_if_named()
        by_url = self._by_url(start, end)
        if by_url:
            return by_url
        scopes = list(self._scopes(start))
        for scope in scopes:
            if label_words.names_mistral(scope.container):
                return self._mistral_if_named()
            if self._names_vendor(scope.container):
                break
        subject = self._subject(label, words, scopes)
        if subject.is_vendor:
            return self._of_vendor(own, subject, scopes)
        return self._of_anybody(subject, label_words.has_key_word(words), scopes)

    def _is_in_array_or_cookie(self, start: int) -> bool:
        line = self._text[max(0, start - _LONGEST_URL) : start].rpartition("\n")[2]
        return _ARRAY.search(line) is not None or _COOKIE.search(line) is not None

    def _mistral_if_named(self) -> Owner:
        """Mistral's; but where a quick search of the document hears nothing of Mistral, nobody's."""
        return Owner(MISTRAL) if self._document.names_mistral else Owner(NOBODY)

    def _by_url(self, start: int, end: int) -> Owner | None:
        """By the host of the URL that the literal is part of."""
        scheme = self._text.rfind("://", max(0, start - _LONGEST_URL), start)
        before = _URL_BEFORE.fullmatch(self._text, scheme, start) if scheme >= 0 else None
        match = before or _HOST_AFTER.match(self._text, end)
        whose = judge_host(match[1]) if match else None
        if match is None or whose is None:
            return None
        return self._mistral_if_named() if whose == MISTRAL else Owner(OTHER, match[1].rpartition("@")[2])

    def _scopes(self, place: int) -> Iterator[Scope]:
        """What the literal stands in, from the innermost."""
        text, is_json = self._text, self.passage.is_json
        brackets = self._outline.brackets_around(place)[: _JSON_SCOPES if is_json else _SCOPES]
        for number, bracket in enumerate(brackets):
            container = "" if is_json and number else read_container(text, bracket.start)  # above are a notebook's own
            yield Scope(bracket.start, bracket.end, read_callee(text, bracket.start), container)
        if is_json:
            return
        for section in sections_around(text, place) if not brackets else ():
            yield Scope(section.start, section.end, "", section.name, section.is_outermost)
        start, end = self._outline.statement_around(place)
        yield Scope(start, end, read_command(self._text[start:end]))

    def _subject(self, label: Label, words: list[str], scopes: list[Scope]) -> Subject:
        """Whom the label names, or else a name above it."""
        if label.is_prose and words:
            vendor = label_words.known_vendor(words)
            return Subject((vendor,), True) if vendor else Subject()
        named = qualifier(words)
        if label_words.is_openai(named):
            return Subject(named)
        if named and (label_words.has_key_word(words) or label_words.known_vendor(words)):
            return Subject(named, True)
        names = [*reversed(_qualifying_names(label.name)), *(scope.container for scope in scopes)]
        by_container = (self._subject_by_container(words, name) for name in names if name)
        return next(filter(None, by_container), None) or self._subject_by_module(label.name)

    def _subject_by_container(self, words: list[str], name: str) -> Subject | None:
        """Whom the name above a label names. ``words``: the label's own."""
        above = split_words(name)
        if qualifier(words) and label_words.has_key_word(above):  # keys["fooble"] = "…"
            return Subject(qualifier(words), True)
        named = qualifier(above)
        if label_words.is_openai(named):
            return Subject(named)
        is_key = label_words.has_key_word(words or above)  # {"fooble": {"api_key": "…"}}, FOOBLE_KEYS = ["…"]
        if is_key and self._names_vendor(name):
            return Subject(named, True, by_container=True)
        return None

    def _names_vendor(self, container: str) -> bool:
        words = qualifier(split_words(container))
        return bool(words) and not label_words.is_openai(words) and not any(map(label_words.is_role, words))

    def _subject_by_module(self, name: str) -> Subject:
        """The vendor whose imported module an attribute is set of: `fooble.api_key = …`."""
        root, dot, _ = name.partition(".")
        words = qualifier(split_words(root))
        if not dot or not words:
            return Subject()
        if label_words.is_openai(words):
            return Subject(words)
        is_vendor = root.lower() in self._document.imports or bool(label_words.known_vendor(list(words)))
        return Subject(words, True) if is_vendor else Subject()

    def _of_vendor(self, own: str, subject: Subject, scopes: list[Scope]) -> Owner:
        """Another vendor's, unless its call, or an address with the same name, is Mistral's."""
        name = "_".join(subject.words)
        if own in self._document.given_to_mistral:
            return self._mistral_if_named()
        for scope in scopes:
            if scope.is_whole:
                continue
            if label_words.names_mistral(scope.callee):
                return self._mistral_if_named()
            inside = self._mentions_in(scope)
            shared = not any(mention.is_key for mention in inside)  # else the address is that key's
            if any(m.is_certain and m.whose == MISTRAL and m.is_about(subject.words, shared) for m in inside):
                return self._mistral_if_named()
            if subject.by_container and any(m.whose == MISTRAL and not m.in_comment for m in inside):
                return self._mistral_if_named()
            if subject.by_container and qualifier(split_words(scope.container)) == subject.words:
                break
        if any(m.is_certain and m.whose == MISTRAL and m.words == subject.words for m in self._mentions):
            return self._mistral_if_named()
        return Owner(OTHER, name)

    def _of_anybody(self, subject: Subject, is_key: bool, scopes: list[Scope]) -> Owner:
        """By what is around, as the label says nothing: `api_key`, `token`, a bare text, or OpenAI's name."""
        request = any(is_request(scope.callee) for scope in scopes)
        owners = (self._by_scope(scope, subject, request) for scope in scopes)
        return next(filter(None, owners), None) or self._by_cell(subject, is_key)

    def _by_cell(self, subject: Subject, is_key: bool) -> Owner:
        """By what has the label's own words, by Mistral's name, or, of a key, by an address; else by the document."""
        certain = [mention for mention in self._mentions if mention.is_certain]
        paired = sorted(m for m in certain if subject.words and m.words == subject.words)
        if any(mention.whose == MISTRAL for mention in (paired or self._mentions)):
            return self._mistral_if_named()
        shared = [m for m in certain if not m.words] if is_key and not self.passage.is_json else []
        for mention in (*paired, *shared):
            return Owner(OTHER, mention.name)
        return self._mistral_if_named()

    def _by_scope(self, scope: Scope, subject: Subject, request: bool) -> Owner | None:
        """By one call, mapping or statement: what is certain of Mistral, what is of another, what hints at Mistral."""
        inside = self._mentions_in(scope)
        if label_words.names_mistral(scope.callee) or any(m.is_certain and m.whose == MISTRAL for m in inside):
            return self._mistral_if_named()
        callee = split_words(scope.callee)
        vendor = label_words.known_vendor(callee) or self._imported_class(scope.callee)
        if vendor:
            return Owner(OTHER, vendor)
        for mention in inside:
            if mention.whose == OTHER and (mention.is_certain or request) and mention.is_about(subject.words, True):
                return Owner(OTHER, mention.name)
        if any(mention.whose == MISTRAL and not mention.in_comment for mention in inside):
            return self._mistral_if_named()
        module = split_words(self._document.clients.get(scope.callee, ""))
        named = [word for word in qualifier(callee) or qualifier(module) if not label_words.is_role(word)]
        if callee and callee[-1] in label_words.CLIENT_WORDS and named and not label_words.is_openai(tuple(named)):
            return Owner(OTHER, "_".join(named))
        return None

    def _imported_class(self, callee: str) -> str:
        """The vendor of a class that is named as an imported module: Fooble of `from fooble import Fooble`."""
        name = callee.rpartition(".")[2]
        words = qualifier(split_words(name))
        if not name[:1].isupper() or label_words.is_openai(words) or any(map(label_words.is_role, words)):
            return ""
        return "_".join(words) if {name.lower(), "".join(words)} & self._document.imports else ""

    def _mentions_in(self, scope: Scope) -> list[Mention]:
        low, high = bisect_left(self._places, scope.start), bisect_left(self._places, scope.end)
        return self._mentions[low:high]


def _own_name(name: str) -> str:
    """The last part: of `os.environ["NAME"]` and of `config.NAME`."""
    subscript = _LAST_SUBSCRIPT.search(name)
    return subscript[1] if subscript else name.rpartition(".")[2]


def _qualifying_names(name: str) -> list[str]:
    """The keys and words before the last part: fooble of `config["fooble"]["api_key"]`, keys of `keys["fooble"]`."""
    subscripts = _SUBSCRIPTS.findall(name)
    if not subscripts:
        return []
    return [name.partition("[")[0], *subscripts[:-1]]
