"""Text for a terminal: no code in it is obeyed, and what the encoding lacks stops nothing."""

import io

import pytest
from keys import make_text

from mistral_nb.asker import _prompt, ask_person
from mistral_nb.report import Ask
from mistral_nb.terminal import harmless, write


@pytest.mark.parametrize("code", ["\x1b", "\x9b", "\x07", "\x08", "\r", "\x7f", "\x00"])
def test_no_code_reaches_the_terminal(code: str) -> None:
    assert harmless(f"a{code}[2Jb") == "a�[2Jb"
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    write(out, f"a{code}b")
    assert out.buffer.getvalue().decode() == "a�b\n"
    for ask in (Ask("x", f"{code}?"), Ask("x", f"{code}?", choices=("yes", "no")), Ask("x", f"{code}?", default="d")):
        assert _prompt(ask).startswith("�?")


def test_lines_tabs_and_letters_stay() -> None:
    assert harmless("…Ug6Y\tö ✓\n") == "…Ug6Y\tö ✓\n"


def test_a_terminal_that_knows_only_ascii_gets_what_it_can_show() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write(out, "✓ …Ug6Y")
    assert out.buffer.getvalue() == b"? ?Ug6Y\n"


@pytest.mark.parametrize("choices", [("dev", "prod"), ()])
def test_a_key_pasted_at_an_open_question_is_not_taken_and_said(
    choices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = make_text()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\ndev\n"))  # what `input` reads can't be passed in
    assert ask_person(Ask("workspace", "Which workspace?", choices=choices)) == "dev"
    told = capsys.readouterr().err
    assert "looks like a key" in told
    assert key not in told
