"""Whether a text ends in the start of a secret, so that more of it may follow."""

import string
from collections.abc import Iterable, Iterator
from typing import NoReturn

from mistral_nb.guard.secret_forms import SecretForm

_HEAD = 3  # characters by which the forms are looked up
_UNBROKEN = string.ascii_letters + string.digits + "+/_-%"
_SEPARATED = string.hexdigits + " :-_.,x\\"


class FormStarts:
    """Made of the forms when it is first asked: many processes never stream. Its repr and pickle show nothing."""

    __slots__ = ("_by_head", "_forms", "_longest", "_others")

    def __init__(self, forms: Iterable[SecretForm]) -> None:
        self._forms = tuple(forms)
        self._longest = max((len(form.text) for form in self._forms), default=0)
        self._by_head: dict[str, list[SecretForm]] | None = None
        self._others: list[SecretForm] = []  # with any characters

    def __repr__(self) -> str:
        return "<FormStarts>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("FormStarts are never pickled")

    def at_end(self, text: str) -> Iterator[tuple[int, SecretForm]]:
        """Where the start of a form begins that the text ends in, and the form; the whole of one does not count."""
        by_head = self._by_head if self._by_head is not None else self._build()
        tail = text[max(0, len(text) - self._longest + 1) :] if self._longest else ""
        before = len(text) - len(tail)
        for start in range(min(len(tail.rstrip(_UNBROKEN)), len(tail.rstrip(_SEPARATED))), len(tail)):
            for form in by_head.get(tail[start : start + _HEAD], ()):
                if len(tail) - start < len(form.text) and form.text.startswith(tail[start:]):
                    yield before + start, form
        for form in self._others:
            end = tail[1 - len(form.text) :] if len(form.text) > 1 else ""
            start = end.find(form.text[0])
            while start >= 0:
                if form.text.startswith(end[start:]):
                    yield len(text) - len(end) + start, form
                    break
                start = end.find(form.text[0], start + 1)

    def _build(self) -> dict[str, list[SecretForm]]:
        by_head: dict[str, list[SecretForm]] = {}
        others = []
        for form in self._forms:
            if form.text.strip(_UNBROKEN) and form.text.strip(_SEPARATED):
                others.append(form)
                continue
            for length in range(1, _HEAD + 1):
                by_head.setdefault(form.text[:length], []).append(form)
        self._others, self._by_head = others, by_head  # in this order, for another thread
        return by_head
