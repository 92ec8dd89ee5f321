"""JSON-like values, as in Jupyter's save model: searched as the JSON text they represent."""

import json
from collections.abc import Callable
from copy import copy
from typing import Any

from mistral_nb.errors import CannotClean
from mistral_nb.redaction.engine import remove_keys
from mistral_nb.redaction.findings import ALL_TIERS, Finding
from mistral_nb.redaction.json_safety import PROBLEM, STRING
from mistral_nb.redaction.search_terms import SearchTerms

_Put = Callable[[Any], object]


def clean_values(value: Any, terms: SearchTerms) -> tuple[Any, list[Finding]]:
    """The value with every key gone from its texts and names; the same object when there was none.

    Dictionaries, lists and tuples keep their types; what JSON does not know stays as it is. Raises `CannotClean`.
    """
    data = _as_json(value).encode("utf-8", "surrogatepass")
    cleaned, found = remove_keys(data, terms, json=True)
    findings = [f._replace(line=None, column=None) for f in found]  # of that JSON they mean nothing to anybody
    if cleaned is data:
        return value, findings
    try:
        texts = [json.loads(text.decode("utf-8", "surrogatepass")) for text in STRING.findall(cleaned)]
    except ValueError:  # an edit broke a text
        texts = []
    if len(texts) == len(STRING.findall(data)):  # the structure is as it was: the same texts in the same order
        following = iter(texts)
        return _Copier(lambda _: next(following)).copy(value), findings
    cleaned_value = _Copier(lambda text: _clean_text(text, terms)).copy(value)
    left = remove_keys(_as_json(cleaned_value).encode("utf-8", "surrogatepass"), terms, json=True)[1]
    if any(finding.tier in ALL_TIERS for finding in left):  # one that is split over several texts
        raise CannotClean(PROBLEM)
    return cleaned_value, findings


def _clean_text(text: str, terms: SearchTerms) -> str:
    cleaned, _ = remove_keys(text.encode("utf-8", "surrogatepass"), terms, json=False)
    return cleaned.decode("utf-8", "surrogatepass")


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_unknown, indent=0, skipkeys=True)
    except (RecursionError, ValueError):  # too deep for json
        return _Copier(str).text_of(value)


def _unknown(_: object) -> None:
    return None


class _Copier:
    """Copies a value of any depth, each text and name passed through ``change``."""

    def __init__(self, change: Callable[[str], Any]) -> None:
        self._change = change
        self._written: list[str] = []

    def text_of(self, value: Any) -> str:
        """The value as JSON, as far as the places of texts go."""
        change = self._change

        def written(text: str) -> Any:
            self._written.append(json.dumps(text, ensure_ascii=False))
            return change(text)

        self._change = written
        self.copy(value)
        return "".join(self._written)

    def copy(self, value: Any) -> Any:
        result: list[Any] = []
        todo: list[Callable[[], object]] = [lambda: self._value(value, result.append, todo)]
        while todo:
            todo.pop()()
        return result[0]

    def _value(self, value: Any, put: _Put, todo: list[Callable[[], object]]) -> None:
        if isinstance(value, str):
            put(self._change(value))
        elif isinstance(value, dict):
            new = copy(value)
            new.clear()
            put(new)
            self._open("{", "}", [self._entry(new, *entry, todo) for entry in value.items()], todo)
        elif isinstance(value, list | tuple):
            items: list[Any] = []
            if isinstance(value, list):
                put(items)
            else:
                todo.append(lambda: put(tuple(items)))
            self._open("[", "]", [self._item(items, item, todo) for item in value], todo)
        else:
            self._written.append("0")
            put(value)

    def _open(
        self, opening: str, closing: str, steps: list[Callable[[], object]], todo: list[Callable[[], object]]
    ) -> None:
        self._written.append(opening)
        todo.append(lambda: self._written.append(closing))
        for number, step in enumerate(reversed(steps)):
            if number:
                todo.append(lambda: self._written.append(",\n"))
            todo.append(step)

    def _item(self, items: list[Any], item: Any, todo: list[Callable[[], object]]) -> Callable[[], object]:
        return lambda: self._value(item, items.append, todo)

    def _entry(
        self, new: dict[Any, Any], name: Any, item: Any, todo: list[Callable[[], object]]
    ) -> Callable[[], object]:
        def step() -> None:
            if isinstance(name, str | int | float | None):  # JSON has no other names
                changed = self._change(name if isinstance(name, str) else "")
                self._written.append(": ")
                self._value(item, lambda v: new.__setitem__(_free(name, changed, new), v), todo)
            else:
                new[name] = item

        return step


def _free(name: Any, changed: Any, taken: dict[Any, Any]) -> Any:
    """The changed name, distinguished from one that became the same."""
    if not isinstance(name, str):
        return name
    free, number = changed, 1
    while free in taken:
        number += 1
        free = f"{changed} ({number})"
    return free
