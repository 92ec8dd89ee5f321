"""`help`, the first screen, and colours in a terminal."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.argument_parser import parse_words
from mistral_nb.command_context import Context
from mistral_nb.command_help import (
    DAILY,
    EXAMPLES,
    FIRST_EXAMPLES,
    FIRST_EXAMPLES_IN_NOTEBOOKS,
    HIDDEN,
    INTRODUCTION,
    MORE,
)
from mistral_nb.command_table import CLI, COMMANDS, MAGIC, commands_for
from mistral_nb.commands.run import name_workspace_by_option
from mistral_nb.report import as_html, as_text
from support.commands import act, mistral_nb
from support.keys import make_key
from support.organisation import SCRIPT
from support.patience import PATIENCE

NewContext = Callable[..., Context]
Env = dict[str, str]


def test_every_command_is_in_one_group_and_twelve_come_first() -> None:
    grouped = [name for names in (*DAILY.values(), *MORE.values(), HIDDEN) for name in names]
    assert sorted(grouped) == sorted(command.name for command in COMMANDS)
    daily = [name for names in DAILY.values() for name in names if name in commands_for(CLI)]
    assert len(daily) == 12


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_an_example_can_be_typed(command: object) -> None:
    example = EXAMPLES[command.name].removeprefix('eval "$(mistral-nb ').removesuffix(')"')
    host = CLI if CLI in command.hosts else MAGIC
    words = shlex.split(example)
    assert parse_words(host, name_workspace_by_option(words) if words[0] == "run" else words)["sub_command"] == words[0]
    assert words[0] == command.name


def test_the_first_examples_can_be_typed() -> None:
    for example in FIRST_EXAMPLES:
        words = shlex.split(example)
        parse_words(CLI, name_workspace_by_option(words) if words[0] == "run" else words)
    for example in FIRST_EXAMPLES_IN_NOTEBOOKS:
        parse_words(MAGIC, shlex.split(example) or ["switch"])


@pytest.mark.slow
def test_help_of_a_command_has_one_layout(environ: Env) -> None:
    first = {mistral_nb(environ, *words).stdout for words in ([], ["help"], ["-h"], ["--help"])}
    assert len(first) == 1
    assert first.pop().startswith(INTRODUCTION)
    for words in (["rotate", "--help"], ["rotate", "prod", "-h"]):
        done = mistral_nb(environ, *words)
        assert (done.returncode, done.stdout) == (0, mistral_nb(environ, "help", "rotate").stdout)
    environ["MISTRAL_API_KEY"] = make_key().reveal()
    words = ("run", "--", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--help")
    assert mistral_nb(environ, *words).stdout == "['--help']\n", "another program's"


@pytest.mark.parametrize("host", [CLI, MAGIC])
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_every_help_fits_the_terminal(host: str, columns: int, new_context: NewContext) -> None:
    for name in (None, *commands_for(host)):
        shown = act(new_context(host, columns=columns), "help", command=name).report
        for heading in ("\nUsage:\n", "\nExample:\n") if name else ("\nKeys:\n", "\nExamples:\n", "\nMore:\n"):
            assert heading in as_text(shown)
        assert max(map(len, as_text(shown).splitlines())) <= columns, name
        assert "\\n" not in as_html(shown)


def in_terminal(env: Env, *words: str) -> str:
    """What a command prints into a terminal."""
    import pty

    ours, its = pty.openpty()
    try:
        subprocess.run([SCRIPT, *words], env=env, stdin=subprocess.DEVNULL, stdout=its, timeout=60 * PATIENCE)
        return os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(its)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX terminal")
def test_colours_are_for_terminals_that_have_them(environ: Env, tmp_path: Path) -> None:
    env = {name: value for name, value in environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    assert "\x1b[1mUsage:\x1b[0m" in in_terminal(env, "help", "doctor")
    assert "\x1b[" not in in_terminal(env | {"NO_COLOR": "1"}, "help", "doctor")
    assert "\x1b[" not in in_terminal(env | {"TERM": "dumb"}, "help", "doctor")
    assert "\x1b[" not in mistral_nb(env, "help", "doctor").stdout, "a pipe"
    assert "\x1b[33m!\x1b[0m" in in_terminal(env, "doctor")
    assert "\x1b[" not in in_terminal(env, "doctor", "--json")
