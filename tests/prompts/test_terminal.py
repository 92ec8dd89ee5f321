"""Text for a terminal: control codes are shown, not sent, and characters it can't encode cause no failure."""

import io

import pytest

from mistral_nb.errors import Cancelled
from mistral_nb.printable import safe_lines
from mistral_nb.prompts.terminal import _format_prompt, ask_person, write_line
from mistral_nb.report import Ask
from support.keys import make_text


@pytest.mark.parametrize("code", ["\x1b", "\x9b", "\x07", "\x08", "\r", "\x7f", "\x00"])
def test_no_code_reaches_the_terminal(code: str) -> None:
    shown = ascii(code)[1:-1]
    assert safe_lines(f"a{code}[2Jb") == f"a{shown}[2Jb"
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    write_line(out, f"a{code}b")
    assert out.buffer.getvalue().decode() == f"a{shown}b\n"
    for ask in (Ask("x", f"{code}?"), Ask("x", f"{code}?", choices=("yes", "no")), Ask("x", f"{code}?", default="d")):
        assert _format_prompt(ask).startswith(f"{shown}?")


def test_lines_tabs_and_letters_stay() -> None:
    assert safe_lines("…Ug6Y\tö ✓\n") == "…Ug6Y\tö ✓\n"


def test_an_ascii_only_terminal_gets_what_it_can_show() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write_line(out, "✓ …Ug6Y")
    assert out.buffer.getvalue() == b"? ?Ug6Y\n"


@pytest.mark.parametrize("choices", [("dev", "prod"), ()])
def test_a_key_pasted_at_a_visible_prompt_is_discarded_and_reported(
    choices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = make_text()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\ndev\n"))  # what `input` reads can't be passed in
    assert ask_person(Ask("workspace", "Which workspace?", choices=choices)) == "dev"
    told = capsys.readouterr().err
    assert "looks like a key" in told
    assert key not in told


@pytest.mark.parametrize(
    ("typed", "answer"), [("2", "prod"), ("prod", "prod"), ("p", "prod"), ("x\n0\n1", "dev"), ("", "")]
)
def test_a_choice_is_named_numbered_or_begun(typed: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Ask("workspace", "Which workspace?", choices=("dev", "prod"), default="dev")
    assert _format_prompt(ask) == "Which workspace? [1 dev, 2 prod; Enter = dev] "
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    assert ask_person(ask) == answer, "the runner takes the default for an empty one"


def test_a_workspace_named_like_a_number_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n"))
    assert ask_person(Ask("workspace", "Which workspace?", choices=("2", "1"))) == "1"


@pytest.mark.parametrize("choices", [("dev", "prod"), ("yes", "no")])
def test_a_question_ends_after_three_answers_that_are_none(
    choices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("what\n7\n\n" + "dev\nyes\n"))
    with pytest.raises(Cancelled, match="No valid answer"):
        ask_person(Ask("x", "Which?", choices=choices))
