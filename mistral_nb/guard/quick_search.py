"""Whether any of many byte strings is in a message: asked of every message, and nearly always answered no.

A few strings are looked for one by one, in long messages by the C library where that is glibc, whose search
is five to twenty times as fast as the interpreter's. Many are looked for at once: every stretch of 15 bytes
holds a whole aligned word of 8, and a set tells whether a word is part of what is sought.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, NoReturn

CORE_LENGTH = 15  # bytes of which an aligned word is a part wherever they stand
_WORD = 8
_LONG = 2_000  # bytes, from which on a call of the C library is faster than the interpreter
BLOCK = 29_000  # CPython searches stretches under 30,000 bytes with its faster algorithm
_FEW_BY_LIBRARY, _FEW = 100, 10  # strings, up to which looking for one after the other is faster

ContainsAny = Callable[[bytes, Iterable[bytes]], bool]


def load_library_search(load: Callable[[], Any] | None = None) -> ContainsAny | None:
    """By glibc, whether any of some strings is in some data; None on other systems, or where ctypes is missing.

    ``load``: returns the C library.
    """
    try:
        import ctypes

        # PyDLL keeps the interpreter's lock: giving it up for a few microseconds could cost some milliseconds
        library = load() if load else ctypes.PyDLL(None)
        _ = library.gnu_get_libc_version
        find_text, find_bytes = library.strstr, library.memmem
        text, size, found = ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p
        find_text.argtypes, find_text.restype = (text, text), found
        find_bytes.argtypes, find_bytes.restype = (text, size, text, size), found
    except (ImportError, OSError, AttributeError, TypeError):
        return None

    def contains_any(data: bytes, sought: Iterable[bytes]) -> bool:
        if b"\0" in data:  # where a C string would end
            return any(find_bytes(data, len(data), each, len(each)) is not None for each in sought)
        return any(find_text(data, each) is not None for each in sought if b"\0" not in each)

    return contains_any


def contains_any_in_blocks(data: bytes, sought: Iterable[bytes]) -> bool:
    """The same by the interpreter."""
    for each in sought:
        step = max(1, BLOCK - len(each))
        if any(data.find(each, start, start + BLOCK) >= 0 for start in range(0, len(data), step)):
            return True
    return False


_library_search = load_library_search()


def contains_any(data: bytes, sought: Iterable[bytes]) -> bool:
    if len(data) >= _LONG:
        return (_library_search or contains_any_in_blocks)(data, sought)
    for each in sought:  # noqa: SIM110, nearly every message is short, and a generator takes as long
        if each in data:
            return True
    return False


class Sought(NamedTuple):
    """Whatever counts of it holds one of its anchors, and one of its cores. Its repr shows nothing.

    A core has at least `CORE_LENGTH` bytes, of which the first are looked at; shorter ones are looked for one by one.
    """

    anchors: tuple[bytes, ...]
    cores: tuple[bytes, ...]

    def __repr__(self) -> str:
        return "<Sought>"


class QuickSearch:
    """Which of many byte strings are in some data. Its repr shows nothing, and it is never pickled."""

    __slots__ = ("_anchors", "_by_word", "_short_cores", "_sought", "_words")

    def __init__(self, sought: Iterable[Sought], others: "QuickSearch | None" = None) -> None:
        """``others``: what is looked for as well."""
        more = tuple(sought)
        cores = [core for each in more for core in each.cores]
        anchors = [anchor for each in more for anchor in each.anchors]
        short = [core for core in cores if len(core) < CORE_LENGTH]
        self._sought: tuple[Sought, ...] = (*others._sought, *more) if others else more
        self._anchors: tuple[bytes, ...] = tuple(dict.fromkeys([*(others._anchors if others else ()), *anchors]))
        self._short_cores: tuple[bytes, ...] = tuple(dict.fromkeys([*(others._short_cores if others else ()), *short]))
        self._words: frozenset[int] = frozenset(_iterate_words(cores)).union(others._words if others else ())
        self._by_word: dict[int, list[Sought]] | None = None

    def __repr__(self) -> str:
        return "<QuickSearch>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a QuickSearch is never pickled")

    def may_find(self, data: bytes) -> bool:
        """Whether the data may hold what is sought; if not, it certainly does not."""
        if self._is_one_by_one(data):
            return contains_any(data, self._anchors)
        return not self._words.isdisjoint(_aligned_words(data)) or contains_any(data, self._short_cores)

    def find_anchors(self, data: bytes) -> set[bytes]:
        """The anchors in the data that what is sought was found by; more take longer than `may_find`."""
        if self._is_one_by_one(data):
            return {anchor for anchor in self._anchors if contains_any(data, (anchor,))}
        found = {a for each in self._sought_by(data) for a in each.anchors}
        return {anchor for anchor in found if contains_any(data, (anchor,))}

    def _is_one_by_one(self, data: bytes) -> bool:
        few = _FEW_BY_LIBRARY if _library_search and len(data) >= _LONG else _FEW
        return len(self._anchors) <= few

    def _sought_by(self, data: bytes) -> Iterator[Sought]:
        """What the words and the short cores in the data belong to."""
        by_word = self._by_word if self._by_word is not None else self._build()
        for word in {word for word in _aligned_words(data) if word in self._words}:
            yield from by_word[word]
        short = {core for core in self._short_cores if contains_any(data, (core,))}
        if short:
            yield from (each for each in self._sought if not short.isdisjoint(each.cores))

    def _build(self) -> dict[int, list[Sought]]:
        """Made when the first word is found: few processes ever send one."""
        by_word: dict[int, list[Sought]] = {}
        for each in self._sought:
            for word in set(_iterate_words(each.cores)):
                by_word.setdefault(word, []).append(each)
        self._by_word = by_word
        return by_word


def _iterate_words(cores: Iterable[bytes]) -> Iterator[int]:
    """Every word that may be the aligned one of a core, wherever that stands."""
    for core in cores:
        for start in range(CORE_LENGTH - _WORD + 1) if len(core) >= CORE_LENGTH else ():
            yield int.from_bytes(core[start : start + _WORD], sys.byteorder)


def _aligned_words(data: bytes) -> memoryview:
    return memoryview(data)[: len(data) // _WORD * _WORD].cast("Q")
