"""What `mistral_nb` offers in Python: in a plain script no magic can be typed."""

import subprocess
import sys
from pathlib import Path

import pytest

import mistral_nb
from mistral_nb.command_context import Context
from support.kernels import clean_environment, start_kernel


def test_a_script_is_told_what_a_script_can_do(tmp_path: Path) -> None:
    code = (
        "import mistral_nb; print(mistral_nb.status())\ntry: mistral_nb.switch('dev')\nexcept Exception as e: print(e)"
    )
    env = clean_environment(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "Next: mistral_nb.switch()" in done.stdout
    assert "mistral_nb.login('dev')" in done.stdout
    assert "%mistral_key" not in done.stdout


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
