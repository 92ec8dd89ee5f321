"""Every error says in two sentences what failed and what to do now, and has its exit code."""

import errno
import inspect

import pytest

from mistral_nb import errors
from mistral_nb.api_key import Key
from mistral_nb.errors import MistralNbError, NotAKey
from mistral_nb.storage.index import Index
from support.ipython_shells import open_shell
from support.keys import make_text

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MistralNbError)]
FAILED, TODO = "The thing was not done.", "Do it again."
MODES = ("Plain", "Context", "Verbose", "Minimal")


def make(kind):
    return kind("short", FAILED, TODO) if kind is NotAKey else kind(FAILED, TODO)


def named(kind):
    return kind.__name__


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_an_error_is_two_sentences(kind):
    error = make(kind)
    assert (error.failed, error.todo, str(error)) == (FAILED, TODO, f"{FAILED} {TODO}")


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_ipython_draws_every_error_as_one_line(tmp_path, capsys, mode):
    with open_shell(tmp_path) as shell:
        shell.run_line_magic("xmode", mode)
        capsys.readouterr()
        for kind in ALL:
            shell.user_ns["error"] = make(kind)
            shell.run_cell("raise error")
            out, err = capsys.readouterr()
            assert (out + err).strip() == f"mistral_nb: {FAILED} {TODO}"
        shell.run_cell("raise ValueError('a traceback')")
        assert len("".join(capsys.readouterr()).strip().splitlines()) > 1 or mode == "Minimal"


EXIT_CODES = {"CommandNotStarted": 125, "KeyExpired": 1, "KeyRefused": 1, "WrongUsage": 2, "Cancelled": 130}


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_exit_codes_distinguish_a_refused_key_wrong_usage_and_failure(kind):
    assert kind.exit_code == make(kind).exit_code == EXIT_CODES.get(kind.__name__, 3)


@pytest.mark.parametrize("kind", ALL, ids=named)
def test_every_error_stands_in_the_tree_at_the_top_of_the_module(kind):
    assert f" {kind.__name__} " in errors.__doc__.replace("\n", " ") + " "


def test_without_a_next_step_there_is_no_space_at_the_end():
    assert str(MistralNbError(FAILED)) == FAILED


@pytest.mark.parametrize(
    "reason_and_text", [("short", "Ab3defghijk"), ("characters", "Ab3 defghijklm, nop"), ("empty", "")]
)
def test_a_refused_key_has_a_reason_and_neither_sentence_contains_the_key(reason_and_text):
    reason, text = reason_and_text
    with pytest.raises(NotAKey) as caught:
        Key.parse(text)
    assert caught.value.reason == reason
    assert caught.value.failed.endswith(".")
    assert caught.value.todo.endswith(".")
    assert not text or text not in repr(caught.value) + str(vars(caught.value))


def test_an_error_about_a_damaged_file_names_it_and_not_what_is_in_it(tmp_path):
    text = make_text()
    (tmp_path / "workspaces.json").write_text(f"{{ {text}")
    with pytest.raises(errors.IndexUnreadable) as caught:
        Index(str(tmp_path)).read()
    assert str(tmp_path / "workspaces.json") in caught.value.failed
    assert text not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "Free disk space, or set MISTRAL_NB_HOME to a writable folder, and try again."),
        (errno.EACCES, "Make it writable, or set MISTRAL_NB_HOME to a writable folder, and try again."),
    ],
)
def test_disk_space_is_advised_where_it_is_missing(code, says):
    assert errors.writable_hint(OSError(code, "why")) == says
