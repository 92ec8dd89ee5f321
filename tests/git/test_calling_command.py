"""Which git command started a filter."""

import shlex
import sys

import pytest

from mistral_nb.git.calling_command import find_calling_command, leaves_files, merges_files
from support.git_repos import Repo


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("switch -m other", True),
        ("switch --merge other", True),
        ("checkout -qm other", True),
        ("checkout --conflict=diff3 other", True),
        ("switch other", False),
        ("checkout -bmain", False),
        ("switch -ctmp", False),
        ("checkout -- -m", False),
        ("commit -m other", False),
        ("", False),
    ],
)
def test_a_switch_that_takes_changed_files_along(words: str, expected: bool) -> None:
    assert merges_files(words.split()) is expected


def test_which_commands_leave_files_as_they_are() -> None:
    assert leaves_files(["add", "."])
    assert not leaves_files(["switch", "-m", "other"])
    assert not leaves_files([]), "not known"


def test_the_command_is_found_above_a_shell_and_behind_git_s_own_options(bare: Repo) -> None:
    code = f"import sys; sys.path[:] = {sys.path!r}; from mistral_nb.git.calling_command import *; "
    code += "print(find_calling_command(), file=sys.stderr); sys.stdout.write(sys.stdin.read())"
    bare.git("config", "filter.asks.clean", shlex.join([sys.executable, "-c", code]))
    bare.write(".gitattributes", b"*.txt filter=asks\n")
    bare.write("a.txt", b"text")
    done = bare.run("-c", "core.quotePath=false", "--no-pager", "add", "--force", "a.txt")
    assert done.stderr == "['add', '--force', 'a.txt']\n"
    assert find_calling_command()[:1] != ["add"]
