"""`completion`: the scripts, tried in real shells."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mistral_nb.command_help import HIDDEN
from mistral_nb.command_table import CLI, SHELLS, commands_for
from mistral_nb.commands.completion import make_script
from mistral_nb.storage.index import Index
from mistral_nb.storage.index_edits import make_entry
from support.commands import mistral_nb
from support.keys import make_key
from support.organisation import SCRIPT
from support.requirements import need
from support.terminals import Screen, spawn

Env = dict[str, str]


@pytest.fixture
def env(environ: Env, tmp_path: Path) -> Env:
    """A home with a workspace, and with a file to complete; our script is on the PATH."""
    with Index(environ["MISTRAL_NB_HOME"]).edit() as contents:
        contents.workspaces["quokka"] = make_entry(make_key(), "file", "current", None)
    Path(environ["HOME"], "zebra.ipynb").touch()
    return environ | {"PATH": f"{Path(SCRIPT).parent}:{environ['PATH']}", "PS1": "ready> ", "ZDOTDIR": environ["HOME"]}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_printed_as_it_was_made(shell: str, environ: Env) -> None:
    done = mistral_nb(environ, "completion", shell)
    assert (done.returncode, done.stdout.rstrip("\n")) == (0, make_script(shell).rstrip("\n"))
    for name in commands_for(CLI):
        assert (name in done.stdout) is (name not in HIDDEN)


@pytest.mark.slow
def test_workspaces_are_named_by_one_call_that_opens_no_store(env: Env) -> None:
    assert mistral_nb(env, "completion", "--workspaces").stdout == "quokka\n"
    with Index(env["MISTRAL_NB_HOME"]).edit() as contents:
        contents.workspaces["$(touch here)"] = contents.workspaces["quokka"]
    assert mistral_nb(env, "completion", "--workspaces").stdout == "quokka\n", "a shell would run it"
    Path(env["MISTRAL_NB_HOME"], "workspaces.json").write_text("{")
    assert mistral_nb(env, "completion", "--workspaces").stdout == ""
    assert mistral_nb(env, "completion").returncode == 2


BASH_CASES = [
    ("mistral-nb rot", ["rotate"]),
    ("mistral-nb verify ", ["quokka"]),
    ("mistral-nb edit -w quo", ["quokka"]),
    ("mistral-nb run ", ["quokka"]),
    ("mistral-nb rotate --exp", ["--expires"]),
    ("mistral-nb completion z", ["zsh"]),
    ("mistral-nb scan zeb", ["zebra.ipynb"]),
]


@pytest.mark.parametrize(("line", "offered"), BASH_CASES)
def test_bash_completes(line: str, offered: list[str], env: Env) -> None:
    need("bash")
    script = """
        eval "$(mistral-nb completion bash)"
        read -ra COMP_WORDS <<< "$1"; [[ $1 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_mistral_nb 2>/dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", script, "bash", line], env=env, cwd=env["HOME"], capture_output=True, text=True
    )
    assert done.stdout.split() == offered, done.stderr


@pytest.fixture
def zsh(env: Env) -> Iterator[Screen]:
    need("zsh")
    with spawn(["zsh", "-f", "-i"], env) as screen:
        screen.types("PS1='ready> '; autoload -U compinit; compinit -u -D; bindkey '^I' complete-word; print be''gun")
        screen.sees("begun")
        screen.types('eval "$(mistral-nb completion zsh)"; print lo""aded')
        screen.sees("loaded")
        yield screen


@pytest.mark.slow
def test_zsh_completes(zsh: Screen) -> None:
    for typed, completed in (("rot", "rotate"), ("verify quo", "quokka"), ("scan zeb", "zebra.ipynb")):
        zsh.presses(f"mistral-nb {typed}")
        zsh.presses("\t")
        zsh.sees(completed)
        zsh.presses("\x15")  # Ctrl-U: the line is deleted


@pytest.mark.slow
def test_fish_completes(env: Env) -> None:
    need("fish")
    for line, offered in (("mistral-nb rot", "rotate"), ("mistral-nb verify ", "quokka")):
        script = f'mistral-nb completion fish | source; complete -C "{line}"'
        done = subprocess.run(["fish", "-N", "-c", script], env=env, capture_output=True, text=True)
        assert done.stdout.split("\t")[0].strip() == offered, done.stderr
