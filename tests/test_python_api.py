"""What `mistral_nb` offers in Python: in a plain script no magic can be typed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mistral_nb
from mistral_nb.command_context import Context
from mistral_nb.report import as_json
from support.commands import act
from support.kernels import clean_environment, start_kernel
from support.keys import make_key

NewContext = Callable[..., Context]


@pytest.mark.slow
def test_a_script_is_told_what_a_script_can_do(tmp_path: Path) -> None:
    code = (
        "import mistral_nb; print(mistral_nb.status())\ntry: mistral_nb.switch('dev')\nexcept Exception as e: print(e)"
    )
    env = clean_environment(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "Next: mistral_nb.switch()" in done.stdout
    assert "mistral_nb.login('dev')" in done.stdout
    assert "%mistral_key" not in done.stdout


@pytest.mark.slow
def test_a_notebook_is_told_the_magic(tmp_path: Path) -> None:
    with start_kernel(clean_environment(tmp_path)) as kernel:
        assert "Next: %mistral_key switch" in kernel.run("import mistral_nb; print(mistral_nb.status())").text


@pytest.mark.parametrize(
    ("host", "has_magic", "command", "typed"),
    [
        ("cli", True, "switch dev", "mistral-nb switch dev"),
        ("magic", True, "switch dev", "%mistral_key switch dev"),
        ("magic", True, "", "%mistral_key"),
        ("magic", False, "switch dev", "mistral_nb.switch('dev')"),
        ("magic", False, "", "mistral_nb.switch()"),
        ("magic", False, "rotate dev", "mistral-nb rotate dev"),
    ],
)
def test_a_command_is_named_as_it_is_typed(host: str, has_magic: bool, command: str, typed: str) -> None:
    assert Context(host=host, has_magic=has_magic).format_command(command) == typed


def test_redact_takes_text_alone() -> None:
    with pytest.raises(TypeError, match="redact takes a text, not int"):
        mistral_nb.redact(3)


@pytest.mark.parametrize("call", ["login('dev')", "switch('dev')", "key('dev')", "auth('dev')"])
def test_an_error_in_a_script_is_the_script_s_line_and_one_of_ours(call: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import mistral_nb\n\nmistral_nb.{call}\n")
    words = [sys.executable, str(script)]
    env = clean_environment(tmp_path)
    done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    frames = [line for line in done.stderr.splitlines() if line.startswith("  File ")]
    assert [Path(frame.split('"')[1]).name for frame in frames] == ["script.py", "__init__.py"]
    last = done.stderr.splitlines()[-1]
    assert last.endswith("Add it: mistral_nb.login('dev')")
    assert "%mistral_key" not in done.stderr


def test_what_the_command_line_shows_in_a_cell_names_no_more_than_the_magic(new_context: NewContext) -> None:
    details = {"name": "their name of it", "organisation": "Acme", "mistral_workspace": "theirs"}
    new_context().key_manager.keep("dev", make_key(), details, "file")
    for name in ("status", "list"):
        terminal, cell = new_context("cli"), new_context("cli")
        cell.environ = {**cell.environ, "JPY_PARENT_PID": "1"}
        assert "Acme" in as_json(act(terminal, name).report)
        assert "Acme" not in as_json(act(cell, name).report)
