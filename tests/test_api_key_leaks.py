"""The ways a value leaks by accident: none shows more of a secret than its tail.

Each way is also tried on an ordinary object with the same text, where the search must find it.
"""

import contextlib
import copy
import io
import json
import logging
import pickle
import pprint
import reprlib
import string
import sys
import traceback
import unittest
import warnings
from dataclasses import asdict, dataclass
from inspect import getmembers
from types import SimpleNamespace
from typing import Any

import pytest

from mistral_nb.api_key import Key, Secret
from mistral_nb.errors import NotAKey
from support.ipython_shells import open_shell
from support.keys import make_text
from support.requirements import absent

MODES = ("Plain", "Context", "Verbose", "Minimal")


@dataclass
class Ordinary:
    """The negative control: an ordinary object."""

    text: str


@dataclass
class Holder:
    held: Any


def logged(value, *args, **options):
    stream = io.StringIO()
    logger = logging.Logger("leaks")
    logger.addHandler(logging.StreamHandler(stream))
    logger.error(value, *args, **options)
    return stream.getvalue()


def warned(value):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(f"about {value}", stacklevel=1)
    return str(caught[0])


def raised(value, note=False):
    """An exception about the value, from a frame that has it in a local variable."""
    try:
        error = ValueError(value)
        if note:
            error.add_note(f"with {value}")
        raise error
    except ValueError as error:
        return error


def assertion(left, right):
    try:
        unittest.TestCase().assertEqual(left, right)
    except AssertionError as error:
        return str(error)


def logged_with_traceback(value):
    try:
        raise raised(value)
    except ValueError:
        return logged("failed", exc_info=True)


def with_locals(error, of_callees=False):
    """The traceback with every local variable; ``of_callees`` leaves out the test's own frame."""
    error = error.with_traceback(error.__traceback__.tb_next) if of_callees else error
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def called(value):
    """What every special method of an object without further arguments gives back."""
    found = []
    for name in dir(value):
        if name.startswith("__") and name not in ("__class__", "__init__", "__doc__"):
            with contextlib.suppress(TypeError, AttributeError):
                found.append(getattr(value, name)())
    return repr(found)


def ipython_display(value):
    from IPython.core.formatters import DisplayFormatter

    return repr(DisplayFormatter().format(value))


def ipython_pretty(value):
    from IPython.lib.pretty import pretty

    return pretty({"key": [value, Holder(value)]})


def rich(draw):
    def drawn(value):
        try:
            from rich.console import Console
        except ImportError:
            absent("rich is not installed")
        console = Console(file=io.StringIO(), width=300)
        draw(value, console)
        return console.file.getvalue()

    return drawn


def rich_inspect(value, console):
    from rich import inspect

    inspect(value, console=console, private=True, dunder=True, methods=True)


def rich_traceback(value, console):
    from rich.traceback import Traceback

    error = raised(value)
    console.print(Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))


WAYS = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "print": lambda value: print(value, file=(out := io.StringIO())) or out.getvalue(),
    "format": format,
    "format with a width": lambda value: format(str(value), ">60"),
    "str.format": "{0} {0!s} {0!r} {0!a}".format,
    "f-string": lambda value: f"{value}",
    "f-string with !r": lambda value: f"{value!r:>60}",
    "f-string with =": lambda value: f"{value=}",
    "% with s": lambda value: "%s" % (value,),  # noqa: UP031  (the way under test)
    "% with r": lambda value: "%(key)r" % {"key": value},  # noqa: UP031  (the way under test)
    "Template": lambda value: string.Template("$key").substitute(key=value),
    "in a list": lambda value: str([value, {"key": value}]),
    "reprlib": lambda value: reprlib.repr([value]),
    "json by str": lambda value: json.dumps({"key": value}, default=str),
    "json by repr": lambda value: json.dumps([value], default=repr),
    "json by vars": lambda value: json.dumps(value, default=vars),
    **{
        f"pickle protocol {protocol}": lambda value, protocol=protocol: pickle.dumps(value, protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "pickle of a holder": lambda value: pickle.dumps(Holder(value)),
    "copy": lambda value: repr(copy.copy(value)),
    "deepcopy of a holder": lambda value: repr(copy.deepcopy(Holder(value))),
    "vars": lambda value: repr(vars(value)),
    "__dict__": lambda value: repr(value.__dict__),
    "asdict": lambda value: repr(asdict(value)),
    "asdict of a holder": lambda value: repr(asdict(Holder(value))),
    "repr of a dataclass": lambda value: repr(Holder(value)),
    "repr of a namespace": lambda value: repr(SimpleNamespace(key=value)),
    "pprint": lambda value: pprint.pformat({"key": value, "holder": Holder(value)}),
    "dir and getattr": lambda value: repr([getattr(value, name) for name in dir(value)]),
    "getmembers": lambda value: repr(getmembers(value)),
    "special methods": called,
    "IPython's pretty": ipython_pretty,
    "IPython's display": ipython_display,
    "rich's pretty": rich(lambda value, console: console.print({"key": [value, Holder(value)]})),
    "rich's inspect": rich(rich_inspect),
    "rich's traceback": rich(rich_traceback),
    "an exception": lambda value: str(raised(value)) + repr(raised(value)),
    "an exception's note": lambda value: "".join(traceback.format_exception(raised(value, note=True))),
    "a traceback": lambda value: "".join(traceback.format_exception(raised(value))),
    "a traceback with locals": lambda value: with_locals(raised(value)),
    "logging": logged,
    "logging with %s": lambda value: logged("key %s", value),
    "logging with %r": lambda value: logged("key %(key)r", {"key": value}),
    "logging with exc_info": logged_with_traceback,
    "a warning": warned,
    "a failed comparison": lambda value: assertion(value, 1),
    "a failed comparison of holders": lambda value: assertion([Holder(value)], [Holder(1)]),
}


def leaked(shown: str | bytes, text: str) -> bool:
    """Whether any six consecutive characters are shown; the tail has four."""
    seen = shown.decode("latin-1") if isinstance(shown, bytes) else shown
    return any(text[start : start + 6] in seen for start in range(len(text) - 5))


def shown_by(way, value):
    """Its result; if it raises, what the error shows, including locals."""
    try:
        return way(value)
    except (TypeError, AttributeError) as error:
        return with_locals(error)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [Key, Secret])
def test_a_secret_does_not_leak_by(way, kind):
    text = make_text()
    assert not leaked(shown_by(WAYS[way], kind(text)), text)
    assert leaked(WAYS[way](Ordinary(text)), text)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [Key, Secret])
def test_a_traceback_in_ipython_does_not_show_it(tmp_path, capsys, mode, kind):
    text = make_text()
    with open_shell(tmp_path) as shell:
        shell.run_line_magic("xmode", mode)
        for value, expected in ((kind(text), False), (Ordinary(text), True)):
            shell.user_ns["value"] = value
            shell.run_cell("def inner(key):\n    same = key\n    raise ValueError(key)")
            shell.run_cell("inner(value)")
            out, err = capsys.readouterr()
            assert "ValueError" in out + err
            assert leaked(out + err, text) is expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Key, Secret])
def test_ipython_shows_a_result_masked(tmp_path, capsys, kind):
    text = make_text()
    with open_shell(tmp_path) as shell:
        shell.user_ns.update(value=kind(text), control=Ordinary(text))
        shell.run_cell("value")
        assert not leaked(capsys.readouterr().out, text)
        shell.run_cell("control")
        assert leaked(capsys.readouterr().out, text)


@pytest.mark.parametrize("wrapping", ["{}, no key", "{}!", "'{}', and more", "{0} {0}{0}", "{0}" * 8])
@pytest.mark.parametrize("as_secret", [True, False])
def test_refused_input_is_in_no_frame_of_the_error(wrapping, as_secret):
    password = "Zq7" + make_text()[:20]
    pasted = wrapping.format(password)
    for give in (Key.parse, Key):
        with pytest.raises(NotAKey) as caught:
            give(Secret(pasted) if as_secret and give == Key.parse else pasted)
        assert not leaked(with_locals(caught.value, of_callees=True), password)
        assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_frame_that_keeps_refused_input_is_found():
    def forthcoming(text):
        raise NotAKey("control", "No.", "Try again.")

    password = make_text()
    with pytest.raises(NotAKey) as caught:
        forthcoming(password)
    assert leaked(with_locals(caught.value, of_callees=True), password)


@pytest.mark.parametrize("kind", [Key, Secret])
def test_what_a_secret_cannot_do_tells_nothing(kind):
    text = make_text()
    assert hash(kind(text)) not in (hash(text), hash((text,)))
    assert sys.getsizeof(kind(text)) == sys.getsizeof(kind(text + "longer"))
    order = [lambda value: sorted([value, value]), lambda value: value + "", lambda value: value[0]]
    for operation in (len, iter, list, bytes, "".join, *order):
        with pytest.raises(TypeError) as caught:
            operation(kind(text))
        assert not leaked(str(caught.value), text)


@pytest.mark.parametrize("kind", [Key, Secret])
def test_only_reveal_returns_the_text(kind):
    text = make_text()
    assert kind(text).reveal() == text
    assert copy.deepcopy(Holder(kind(text))).held.reveal() == text
