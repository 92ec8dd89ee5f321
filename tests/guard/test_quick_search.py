"""What is found does not depend on how it is looked for: by the C library or not, one by one or all at once."""

import ctypes
import pickle
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_nb.guard.quick_search import (
    CORE_LENGTH,
    QuickSearch,
    Sought,
    contains_any,
    contains_any_in_blocks,
    load_library_search,
)

LETTERS = st.binary(min_size=1, max_size=12) | st.text("ab\0", min_size=1, max_size=6).map(str.encode)


@pytest.mark.slow
@given(LETTERS, st.lists(LETTERS, max_size=6), st.integers(0, 60_000), st.integers(0, 40))
def test_every_search_finds_the_same(sought, others, size, before):
    search = load_library_search()
    for data in (b"".join(others), b"a" * before + b"".join(others) + b"b" * size + sought[:-1], b"a" * size + sought):
        there = sought in data
        for each in ([sought], [sought + b"?", sought]):
            assert contains_any(data, each) == contains_any_in_blocks(data, each) == there
            assert search is None or search(data, each) == there


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="where there is no glibc")
def test_glibc_is_used_where_it_is():
    has_glibc = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    assert (load_library_search() is not None) == has_glibc


class _Musl:
    strstr = memmem = staticmethod(lambda *_: None)


def _raise(error: Exception):
    raise error


@pytest.mark.parametrize(
    "load",
    [_Musl, lambda: _raise(OSError("no library")), lambda: _raise(TypeError("Windows wants a name")), object],
    ids=["musl", "no library", "Windows", "none of its functions"],
)
def test_without_glibc_there_is_no_library_search(load):
    assert load_library_search(load) is None


@pytest.mark.parametrize("broken", ["sys.modules['ctypes'] = None", "import ctypes; ctypes.PyDLL = None"])
def test_without_ctypes_the_guard_works_all_the_same(broken):
    code = (
        f"import sys; {broken}\n"
        "from mistral_nb.api_key import Secret\n"
        "from mistral_nb.guard import quick_search, text_matcher\n"
        "assert quick_search._library_search is None\n"
        "matcher, data = text_matcher.TextMatcher([Secret('hold this text')]), b'a' * 40_000 + b'hold this text'\n"
        "assert matcher.redact_packed(data, filler='*') == b'a' * 40_000 + b'*' * 14\n"
        "assert matcher.redact_packed(data[:-1]) == data[:-1]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _make_sought(rng: random.Random) -> Sought:
    text = rng.randbytes(rng.choice((9, CORE_LENGTH, 20, 90)))
    return Sought((text[:7],), (text,))


@pytest.mark.parametrize("count", [1, 10, 11, 100, 101, 500])
def test_many_are_found_as_each_alone(count):
    rng = random.Random(count)
    sought = [_make_sought(rng) for _ in range(count)]
    search = QuickSearch(sought[: count // 2], QuickSearch(sought[count // 2 :]))
    for n in range(2000):
        each = sought[n % count]
        data = rng.randbytes(rng.randrange(70)) + each.cores[0] + rng.randbytes(rng.choice((0, 3, 9, 5_000)))
        assert search.may_find(data)
        assert search.find_anchors(data) >= {each.anchors[0]}
        if n < 200:
            assert not search.may_find(rng.randbytes(3_000))
            assert not search.find_anchors(rng.randbytes(3_000))


def test_nothing_is_shown_and_nothing_pickled():
    search = QuickSearch([Sought((b"anchor",), (b"a core of fifteen bytes",))])
    assert repr(search) == "<QuickSearch>"
    assert "core of" not in repr(search._sought)
    with pytest.raises(TypeError):
        pickle.dumps(search)
