"""What a refused push and `protect` advise for each kind of file, done as it is said."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from support.git_repos import Repo, notebook, uses
from support.keys import make_key


@pytest.fixture
def leaking(bare: Repo, key: Key) -> Repo:
    """Pushes are scanned; the last commit, which is not pushed, has a key in files of all kinds."""
    bare.git("init", "-q", "--bare", "../the remote.git")
    bare.git("remote", "add", "origin", "../the remote.git")
    bare.write("old.ipynb", notebook("1"))
    bare.commit("the start")
    bare.git("push", "-q", "origin", "main")
    bare.write("old.ipynb", notebook(uses(key)))
    for name in (".env", "secrets.toml", "app/settings.yaml", "a file.json"):
        bare.write(name, f'MISTRAL_API_KEY = "{key.reveal()}"\n'.encode())
    bare.write("app/known.py", uses(key).encode())
    bare.write("app/suspected.py", uses(make_key()).encode())
    bare.commit("with a key")
    return bare


def follow(repo: Repo, said: str, folder: Path) -> None:
    """Type the commands of a report; a key that only a person can remove is removed by hand."""
    bin_folder = str(Path(sys.executable).parent)
    env = repo.env | {"PATH": f"{bin_folder}:{repo.env['PATH']}"}
    for line in said.splitlines():
        advice = line.strip().removeprefix("→ ")
        if advice.startswith("Remove it by hand"):
            repo.write("app/suspected.py", b"client = Mistral()\n")
        command = re.search(r"(?:mistral-nb (?:scrub|protect --renormalize)|git (?:add|rm)).*?(?=, and add|$)", advice)
        if command:
            subprocess.run(command[0], shell=True, cwd=folder, env=env, check=True, capture_output=True)
    repo.write(".gitignore", b".env\nsecrets.toml\nsettings.yaml\na file.json\n")
    repo.git("add", ".gitignore")
    repo.git("commit", "-q", "--amend", "--no-edit")


def test_a_refused_push_says_what_lets_it_through(leaking: Repo, key: Key) -> None:
    leaking.protect()
    refused = leaking.run("push", "origin", "main")
    assert refused.returncode != 0
    follow(leaking, refused.stderr, leaking.path)
    leaking.git("push", "-q", "origin", "main")
    for name in (".env", "secrets.toml", "app/settings.yaml", "a file.json", "old.ipynb"):
        assert key.reveal().encode() in leaking.read(name), f"{name} is kept here, with its key"


def test_protect_says_what_takes_keys_out_of_tracked_files(leaking: Repo) -> None:
    """Also from a folder below the top, and what is kept as no key is not named again."""
    app = leaking.path / "app"
    below = Repo(app, leaking.env, make=False)
    assert len(below.protect().report.data["tracked"]) == 7
    follow(leaking, below.act("protect", status=True).shown, app)
    assert below.act("protect", status=True).report.data["tracked"] == []
    leaking.git("push", "-q", "origin", "main")


@pytest.mark.parametrize("how", ["comment", "list"])
def test_what_is_no_key_is_kept_as_the_refusal_says(how: str, leaking: Repo) -> None:
    leaking.git("reset", "-q", "--hard", "origin/main")
    no_key = make_key()
    leaking.write("a.py", uses(no_key).encode())
    leaking.commit("looks like a key")
    leaking.protect(local=True)
    refused = leaking.run("push", "origin", "main")
    assert refused.returncode != 0
    assert "# mistral-nb: keep" in refused.stderr
    if how == "comment":
        leaking.write("a.py", f"{uses(no_key)}  # mistral-nb: keep\n".encode())
        leaking.git("add", "a.py")
        leaking.git("commit", "-q", "--amend", "--no-edit")
    else:
        found = re.search(r"\b[0-9a-f]{32}\b", refused.stderr)
        assert found
        leaking.write("pyproject.toml", f'[tool.mistral-nb]\nkeep = ["{found[0]}"]\n'.encode())
    leaking.git("push", "-q", "origin", "main")


def test_no_command_names_a_file_that_is_gone(leaking: Repo) -> None:
    leaking.protect()
    leaking.git("rm", "-q", "-f", "app/known.py")
    leaking.git("commit", "-q", "-m", "without it")
    said = leaking.run("push", "origin", "main").stderr
    assert "of app/known.py" in said
    assert "git add -- app/suspected.py" in said
    assert "-- app/known.py" not in said
