"""A user without a home folder: everything goes on, says so in one sentence and names MISTRAL_NB_HOME."""

import os
import sys
from pathlib import Path

import pytest

from mistral_nb.paths import NO_FOLDER, NO_HOME_TEXT, data_folder
from mistral_nb.sandbox.sandbox import Sandbox
from support.git_repos import notebook
from support.keys import make_key, make_text
from support.unknown_users import prefix, run_as_unknown_user

pytestmark = pytest.mark.skipif(prefix() is None, reason="no way here to become a user without an entry in passwd")
CLI = (sys.executable, "-m", "mistral_nb")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder in which that user may write, below folders that it may enter."""
    made = tmp_path / "work"
    made.mkdir()
    for place in (made, *made.parents):
        if place.stat().st_uid == os.getuid() and str(place).startswith(str(tmp_path.parents[2])):
            place.chmod(0o777)
    return str(made)


def test_there_is_no_home_in_these_tests(folder: str) -> None:
    """The negative control: it is what the tests are about."""
    code = "import os, pwd\ntry: pwd.getpwuid(os.getuid())\nexcept KeyError: print(os.path.expanduser('~'))"
    assert run_as_unknown_user([sys.executable, "-c", code], folder).stdout == "~\n"
    assert data_folder({"HOME": "/home/u"}) != NO_FOLDER


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("status", 1),
        ("list", 0),
        ("verify", None),
        ("doctor", None),
        ("protect --status", None),
        ("passphrase", None),
        ("usage", None),
        ("curl /v1/models", None),
        ("run -- true", None),
        ("scan .", 0),
        ("scan a.ipynb", 0),
        ("scan -", 0),
        ("scrub a.ipynb", 0),
        ("help", 0),
    ],
)
def test_every_command_goes_on(words: str, code: int | None, folder: str) -> None:
    Path(folder, "a.ipynb").write_bytes(notebook("1"))
    done = run_as_unknown_user([*CLI, *words.split()], folder, given="{}")
    said = done.stdout + done.stderr
    assert "Unexpected" not in said and "Traceback" not in said
    assert code is None or done.returncode == code, said
    if words != "help":
        assert said.count(NO_HOME_TEXT) == 1, said
    assert not os.path.exists(os.path.join(folder, "~"))


@pytest.mark.slow
def test_a_key_in_the_environment_is_found_and_used(folder: str) -> None:
    with Sandbox() as api:
        key = api.make_key()
        given = {"MISTRAL_API_KEY": key.reveal(), "MISTRAL_NB_API": api.url}
        assert "accepted" in run_as_unknown_user([*CLI, "verify"], folder, **given).stdout
        code = "import os; print(len(os.environ['MISTRAL_API_KEY']))"
        done = run_as_unknown_user([*CLI, "run", "--", sys.executable, "-c", code], folder, **given)
        assert done.stdout == "32\n", done.stderr
    file = Path(folder, "b.ipynb")
    file.write_bytes(notebook(f"print('{key.reveal()}')"))
    file.chmod(0o666)
    done = run_as_unknown_user([*CLI, "scrub", "b.ipynb"], folder, **given)
    assert key.reveal() not in file.read_text(), done.stderr


def test_with_a_folder_named_the_sentence_is_gone_and_keys_are_remembered(folder: str) -> None:
    home, key = os.path.join(folder, "kept"), make_text()
    done = run_as_unknown_user([*CLI, "run", "--", "true"], folder, MISTRAL_NB_HOME=home, MISTRAL_API_KEY=key)
    assert NO_HOME_TEXT not in done.stderr
    assert os.path.exists(os.path.join(home, "workspaces.json"))


@pytest.mark.slow
def test_the_extension_loads_and_its_commands_work(folder: str) -> None:
    key = make_key()
    code = "\n".join(
        [
            "from IPython.core.interactiveshell import InteractiveShell",
            "shell = InteractiveShell.instance()",
            "for line in ('load_ext mistral_nb', 'mistral_key', 'mistral_key status', 'mistral_key list'):",
            "    print(shell.run_line_magic(*line.partition(' ')[::2]))",
            "import os; print(len(os.environ['MISTRAL_API_KEY']))",
        ]
    )
    given = {"IPYTHONDIR": os.path.join(folder, "ipython"), "MISTRAL_API_KEY": key.reveal()}
    done = run_as_unknown_user([sys.executable, "-c", code], folder, **given)
    assert done.stdout.splitlines()[0] == NO_HOME_TEXT
    assert done.stdout.splitlines()[-1] == "32", done.stderr
    assert "Traceback" not in done.stderr
    assert key.reveal() not in done.stdout + done.stderr
