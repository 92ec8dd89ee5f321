"""Commands that look at this process or at files remember the key in its variables, whatever else they find."""

from pathlib import Path
from typing import Any

import pytest

from mistral_nb import environment
from mistral_nb.command_context import Context
from support.commands import Acted, act
from support.git_repos import Repo, git_environment, notebook
from support.keys import make_key, make_text

COMMANDS: dict[str, dict[str, Any]] = {
    "status": {},
    "doctor": {},
    "scan": {"paths": ["."]},
    "scrub": {"paths": ["."]},
    "protect": {},
}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo", git_environment(tmp_path))
    made.write("a.ipynb", notebook(f"from mistralai import Mistral\nMistral(api_key='{make_text()}')"))
    return made


def run(repo: Repo, name: str, flags: dict[str, Any]) -> Acted:
    flags = {k: [str(repo.path)] if k == "paths" else v for k, v in flags.items()}
    return act(Context(environ=repo.env, folder=str(repo.path)), name, **flags)


def remembered(repo: Repo) -> set[str]:
    return set(Context(environ=repo.env).read_index().remembered)


@pytest.mark.parametrize(("name", "flags"), COMMANDS.items(), ids=COMMANDS)
def test_the_key_in_the_variable_is_remembered_and_what_files_hold_is_not(
    name: str, flags: dict[str, Any], repo: Repo
) -> None:
    key = make_key()
    run(repo, name, flags)
    assert remembered(repo) == set()  # negative control: the notebook's key stays suspected
    repo.env["MISTRAL_API_KEY"] = key.reveal()
    run(repo, name, flags)
    assert remembered(repo) == {key.fingerprint}


@pytest.mark.parametrize(("name", "flags"), COMMANDS.items(), ids=COMMANDS)
def test_an_index_that_cannot_be_written_fails_no_command(name: str, flags: dict[str, Any], repo: Repo) -> None:
    home = Path(repo.env["MISTRAL_NB_HOME"])
    (home / "workspaces.json.lock").mkdir(parents=True)
    repo.env["MISTRAL_API_KEY"] = make_key().reveal()
    (repo.path / "a.ipynb").write_bytes(notebook("x = 1"))
    assert run(repo, name, flags).report.exit_code == (1 if name == "doctor" else 0)
    assert remembered(repo) == set()
    said = "\n".join(environment.remember_problems())
    assert "could not be written" in said
    if name in ("status", "doctor"):
        assert said in run(repo, name, flags).shown
