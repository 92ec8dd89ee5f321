"""The recipes for CI in README and docs/git.md, as scripts: clean repositories pass, one with a revoked key fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mistral_nb.storage.index import COMPROMISED, Index
from support.git_repos import Repo, git_environment, notebook
from support.keys import make_key
from support.requirements import need

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent


def recipes() -> dict[str, list[str]]:
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/git.md")]
    blocks = [part.partition("```")[0] for page in pages for part in page.split("```yaml\n")[1:]]
    documents = {block.splitlines()[0].removeprefix("# "): yaml.safe_load(block) for block in blocks}
    steps = documents[".github/workflows/keys.yml"]["jobs"]["scan"]["steps"]
    return {
        "GitHub Actions": [step["run"] for step in steps if "run" in step],
        "GitLab": documents[".gitlab-ci.yml"]["mistral-keys"]["script"],
    }


def run(lines: list[str], repo: Repo, ci: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """As a runner does: bash, which ends at the first line that fails. What is installed here is installed."""
    script = "\n".join(line for line in lines if line != "pip install mistral_nb")
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=repo.path, env=ci, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def ci(tmp_path: Path) -> dict[str, str]:
    """A runner that has never seen a key."""
    need("git")
    env = git_environment(tmp_path / "runner")
    return env | {"PATH": f"{SCRIPTS}{os.pathsep}{env['PATH']}"}


@pytest.mark.slow_except("GitHub")
@pytest.mark.parametrize("name", ["GitHub Actions", "GitLab"])
def test_ci_finds_a_key_revoked_by_a_colleague(name: str, tmp_path: Path, ci: dict[str, str]) -> None:
    lines = recipes()[name]
    assert lines[0] == "pip install mistral_nb"
    assert len(lines) == 3
    key = make_key()
    mine = Repo(tmp_path / "mine", git_environment(tmp_path))
    Index(mine.env["MISTRAL_NB_HOME"]).remember(key, COMPROMISED)
    mine.act("export-fingerprints")
    mine.commit("with the fingerprints")
    assert key.reveal().encode() not in mine.objects()
    clean = run(lines, mine, ci)
    assert clean.returncode == 0, clean.stdout + clean.stderr

    held = notebook(f"x = '{key.reveal()}'")  # nothing says Mistral here
    mine.write("deep/er/nb.ipynb", held)
    mine.commit("with the key")
    found = run(lines, mine, ci)
    assert found.returncode == 1
    assert f"…{key.tail}" in found.stdout + found.stderr
    assert key.reveal() not in found.stdout + found.stderr
    assert mine.read("deep/er/nb.ipynb") == held, "it reports, and changes nothing"

    (mine.path / "deep/er/nb.ipynb").unlink()
    mine.commit("without it again")
    assert run(lines, mine, ci).returncode == 1, "it is in the history still"
