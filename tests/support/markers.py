"""Markers that a test gets by itself: what it needs (kernel, browser, keyring, git), and which cases are slow."""

import types
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from support import TESTS, profiles

_NEEDS = {
    "support.kernels.start_kernel": "kernel",
    "support.jupyter_servers.start_server": "kernel",
    "support.browsers.start_server": "kernel",
    "support.browsers.start_browser": "browser",
    "support.browsers.open_notebook": "browser",
    "support.desktops.desktop": "keyring",
    "support.git_repos.Repo": "git",
    "support.git_repos.git_environment": "git",
}
_MISSING = pytest.StashKey[list[str]]()
_found: dict[Any, frozenset[str]] = {}


def mark(item: pytest.Item) -> None:
    """Add the markers of what this test's function and fixtures use, and `slow` to random examples."""
    for name in sorted(needs(item)):
        item.add_marker(name)
    if profiles.is_long() and getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        item.add_marker("slow")  # with random examples they are part of the long run


def mark_slow_cases(items: Iterable[pytest.Item], *, complete: bool) -> None:
    """Add `slow` to the cases that `slow_except` does not name.

    Where it names a case that does not exist, an id was renamed: then no case is slow, and all fail (`check`).
    ``complete``: every case of these tests was collected; a part of them proves nothing.
    """
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        parts = [part for marker in cases[0].iter_markers("slow_except") for part in marker.args]
        missing = [part for part in parts if not any(part in case.name for case in cases)]
        for case in cases:
            if missing and complete:
                case.stash[_MISSING] = missing
            elif parts and not any(part in case.name for part in parts):
                case.add_marker("slow")


def check(item: pytest.Item) -> None:
    missing = item.stash.get(_MISSING, None)
    assert not missing, f"slow_except names {missing}, and no case of this test has that in its id"


def needs(item: pytest.Item) -> set[str]:
    if not isinstance(item, pytest.Function):
        return set()
    fixtures = [definition.func for found in item._fixtureinfo.name2fixturedefs.values() for definition in found]
    return {need for function in [item.function, *fixtures] for need in _needs_of(function)}


def _needs_of(value: Any) -> frozenset[str]:
    """What this function or class of the tests needs, through all that it calls."""
    value = getattr(value, "__wrapped__", value)
    if value not in _found:
        own = "git" if _asks_for_git(value) else _NEEDS.get(f"{value.__module__}.{value.__qualname__}")
        _found[value] = frozenset([own] if own else ())  # before the rest: functions may call each other
        for other in _used_by(value):
            _found[value] |= _needs_of(other)
    return _found[value]


def _used_by(value: Any) -> Iterator[Any]:
    if isinstance(value, type):
        functions = [part for part in vars(value).values() if isinstance(part, types.FunctionType)]
    else:
        functions = [getattr(value, "__func__", value)]
    for function in functions:
        for name in _names(function.__code__):
            used = function.__globals__.get(name)
            for found in vars(used).values() if isinstance(used, types.ModuleType) else [used]:
                if isinstance(found, types.FunctionType | type) and _is_ours(found):
                    yield found


def _asks_for_git(value: Any) -> bool:
    code = getattr(value, "__code__", None)
    return code is not None and "need" in code.co_names and "git" in code.co_consts


def _is_ours(value: Any) -> bool:
    inner = getattr(value, "__wrapped__", value)
    if isinstance(inner, types.FunctionType):
        return inner.__code__.co_filename.startswith(TESTS)
    return str(getattr(inner, "__module__", "")).startswith(("support.", "tests."))


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
