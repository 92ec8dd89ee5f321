"""The hooks that other repositories name in their settings, run by the real pre-commit on a real repository."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.storage.index import Index
from support.commands import PASSPHRASE
from support.git_repos import git_environment
from support.jupyter_servers import notebook
from support.kernels import clean_environment
from support.keys import make_key, make_text
from support.own_copy import make_copy, offline_pip
from support.patience import PATIENCE
from support.requirements import need

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("mistral-nb")
HOOKS = ("mistral-nb-scrub", "mistral-nb-scan")


@pytest.fixture(scope="module")
def hooks() -> list[dict[str, Any]]:
    """The manifest's hooks as local ones, run by this environment's script: nothing is installed."""
    import yaml

    manifest = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    entry = {hook["id"]: hook["entry"].replace("mistral-nb", f"'{SCRIPT}'", 1) for hook in manifest}
    return [{**hook, "language": "system", "entry": entry[hook["id"]]} for hook in manifest]


def read_printed_settings(page: str) -> str:
    """The settings of pre-commit that a page of the documentation shows."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (settings,) = [part.partition("```")[0] for part in text.split("```yaml\n")[1:] if "pre-commit-config" in part]
    return settings


class Repository:
    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env = folder, env

    def git(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
            check=False,
        )

    def commit(self) -> subprocess.CompletedProcess[str]:
        return self.git("commit", "-q", "-m", "work")

    def committed(self, name: str) -> str:
        return self.git("show", f"HEAD:{name}").stdout

    def staged(self, name: str) -> str:
        return self.git("show", f":{name}").stdout


@pytest.fixture
def make_repository(tmp_path: Path, hooks: list[dict[str, Any]]) -> Any:
    need("git")

    def make(*names: str) -> Repository:
        env = clean_environment(tmp_path) | {"PRE_COMMIT_HOME": str(tmp_path / "pre-commit")}
        env = {name: value for name, value in env.items() if not name.startswith("GIT_")} | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "MISTRAL_NB_STORE": "file",
            "MISTRAL_NB_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        }
        (tmp_path / "passphrase").write_text(PASSPHRASE)
        repository = Repository(tmp_path / "a repository", env)
        repository.folder.mkdir()
        for words in (("init", "-q"), ("config", "user.name", "t"), ("config", "user.email", "t@example.org")):
            assert repository.git(*words).returncode == 0
        if names:
            chosen = {"repos": [{"repo": "local", "hooks": [hook for hook in hooks if hook["id"] in names]}]}
            (repository.folder / ".pre-commit-config.yaml").write_text(json.dumps(chosen))
            subprocess.run(
                [sys.executable, "-m", "pre_commit", "install"],
                cwd=repository.folder,
                env=env,
                check=True,
                timeout=60 * PATIENCE,
            )
        return repository

    return make


@pytest.fixture
def key(tmp_path: Path) -> Key:
    key = make_key()
    Index(str(tmp_path / "mistral-nb")).remember(key)
    return key


def holding(text: str, *more: str) -> str:
    return json.dumps(notebook("import mistralai", f'key = "{text}"', *more), indent=1) + "\n"


NAMES = ["a.ipynb", "with spaces and é.ipynb", "deep/er/b.ipynb", "notes.md", "app.py", "--json.py"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_scrub_removes_the_key_and_allows_the_second_commit(name: str, make_repository: Any, key: Key) -> None:
    repository = make_repository("mistral-nb-scrub")
    file = repository.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(holding(key.reveal()))
    repository.git("add", ".")
    first = repository.commit()
    assert first.returncode != 0
    assert f"…{key.tail} (remembered)" in first.stdout + first.stderr
    assert file.read_text() == holding(MARKER)
    assert key.reveal() not in first.stdout + first.stderr
    repository.git("add", ".")
    second = repository.commit()
    assert second.returncode == 0, second.stdout + second.stderr
    assert repository.committed(name) == holding(MARKER)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "config.yaml", ".env"])
def test_scan_refuses_the_commit_and_changes_nothing(name: str, make_repository: Any, key: Key) -> None:
    repository = make_repository("mistral-nb-scan")
    file = repository.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(holding(key.reveal()))
    repository.git("add", ".")
    done = repository.commit()
    assert done.returncode != 0
    assert f"Mistral key …{key.tail}" in done.stdout + done.stderr
    assert key.reveal() not in done.stdout + done.stderr
    assert file.read_text() == holding(key.reveal())
    assert repository.committed(name) == ""


@pytest.mark.parametrize("name", NAMES)
def test_without_the_hooks_the_key_is_committed(name: str, make_repository: Any, key: Key) -> None:
    repository = make_repository()
    file = repository.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(holding(key.reveal()))
    repository.git("add", ".")
    assert repository.commit().returncode == 0
    assert key.reveal() in repository.committed(name)


def test_a_suspected_key_is_caught_with_no_key_known_here(make_repository: Any) -> None:
    repository, text = make_repository(*HOOKS), make_text()
    (repository.folder / "a.ipynb").write_text(holding(text))
    repository.git("add", ".")
    assert repository.commit().returncode != 0
    repository.git("add", ".")
    assert repository.commit().returncode == 0
    assert text not in repository.committed("a.ipynb")


@pytest.mark.slow
def test_only_the_staged_part_of_a_partly_staged_file_counts(make_repository: Any, key: Key) -> None:
    """The key is staged, further work is not: the commit is refused, and the work is still there."""
    repository = make_repository(*HOOKS)
    file = repository.folder / "partly staged.ipynb"
    file.write_text(holding("nothing"))
    repository.git("add", ".")
    assert repository.commit().returncode == 0
    file.write_text(holding(key.reveal()))
    repository.git("add", ".")
    file.write_text(holding(key.reveal(), "# work that is not staged"))
    done = repository.commit()
    assert done.returncode != 0
    assert key.reveal() not in repository.committed("partly staged.ipynb")
    assert "# work that is not staged" in file.read_text()
    assert "# work that is not staged" not in repository.staged("partly staged.ipynb")


@pytest.mark.slow
def test_a_key_in_the_part_that_is_not_staged_does_not_stop_the_commit(make_repository: Any, key: Key) -> None:
    repository = make_repository(*HOOKS)
    file = repository.folder / "partly staged.ipynb"
    file.write_text(holding("nothing"))
    repository.git("add", ".")
    file.write_text(holding(key.reveal()))
    done = repository.commit()
    assert done.returncode == 0, done.stdout + done.stderr
    assert file.read_text() == holding(key.reveal())
    assert repository.committed("partly staged.ipynb") == holding("nothing")


def test_the_manifest_is_valid_and_named_in_the_docs() -> None:
    subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", ".pre-commit-hooks.yaml"], cwd=ROOT, check=True
    )
    for name in HOOKS:
        assert f"id: {name}" in (ROOT / "docs/git.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_settings_for_an_active_environment_work_as_they_are_printed(make_repository: Any, key: Key) -> None:
    settings = read_printed_settings("docs/git.md")
    repository = make_repository(*HOOKS)
    repository.env["PATH"] = f"{SCRIPT.parent}{os.pathsep}{repository.env['PATH']}"
    (repository.folder / ".pre-commit-config.yaml").write_text(settings)
    (repository.folder / "a.ipynb").write_text(holding(key.reveal()))
    (repository.folder / ".env").write_text(f"MISTRAL_API_KEY={key.reveal()}")
    repository.git("add", ".")
    done = repository.commit()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert said.count("Failed") == 2
    assert key.reveal() not in said
    assert MARKER in (repository.folder / "a.ipynb").read_text()
    (repository.folder / ".env").unlink()
    repository.git("add", "-A")
    assert repository.commit().returncode == 0
    assert key.reveal() not in repository.committed("a.ipynb")


@pytest.mark.slow
def test_the_readme_s_settings_install_the_hooks_and_work_as_they_are_printed(
    make_repository: Any, key: Key, tmp_path: Path
) -> None:
    """pre-commit clones the named repository and installs it; only the address is another."""
    copy = make_copy(tmp_path / "copy", git_environment(tmp_path))
    settings = read_printed_settings("README.md")
    assert settings.count("\n") == 5
    repository = make_repository(*HOOKS)
    repository.env |= offline_pip()
    settings = settings.replace("https://example.org/mistral_nb", copy.path.as_uri())
    (repository.folder / ".pre-commit-config.yaml").write_text(settings)
    (repository.folder / "a.ipynb").write_text(holding(key.reveal()))
    (repository.folder / "b.toml").write_text(f'mistral_api_key = "{key.reveal()}"\n')
    repository.git("add", ".")
    done = repository.commit()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert said.count("Failed") == 2, said
    assert key.reveal() not in said
    assert MARKER in (repository.folder / "a.ipynb").read_text()
    (repository.folder / "b.toml").write_text("x = 1\n")
    repository.git("add", ".")
    (repository.folder / "b.toml").write_text(f'mistral_api_key = "{key.reveal()}"\n')  # this is not staged
    done = repository.commit()
    assert done.returncode == 0, done.stdout + done.stderr
    assert key.reveal() not in repository.committed("a.ipynb") + repository.committed("b.toml")
    assert key.reveal() in (repository.folder / "b.toml").read_text()
