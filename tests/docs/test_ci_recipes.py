"""The README's recipes for CI: the action and the template they name, as scripts, in real repositories."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mistral_nb.api_key import Key
from mistral_nb.storage.index import COMPROMISED, Index
from support.git_repos import Repo, git_environment, notebook
from support.keys import make_key
from support.own_copy import ROOT, offline_pip
from support.patience import PATIENCE
from support.requirements import need
from support.scans import schema

SCRIPTS = Path(sys.executable).parent


def readme_blocks() -> dict[str, Any]:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in page.split("```yaml\n")[1:]]
    return {block.splitlines()[0].removeprefix("# "): yaml.safe_load(block) for block in blocks}


def action() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def template() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "templates/mistral-keys.yml").read_text(encoding="utf-8"))["mistral-keys"]


class Runner:
    """A runner that has never seen a key. The install step is left out, save where it is what is tested."""

    def __init__(self, tmp_path: Path) -> None:
        need("git")
        self.temp = tmp_path / "temp"
        self.temp.mkdir()
        self.summary, self.outputs = self.temp / "summary", self.temp / "outputs"
        env = git_environment(tmp_path / "runner")
        self.env = env | {
            "PATH": f"{SCRIPTS}{os.pathsep}{env['PATH']}",
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_PATH": str(self.temp / "path"),
            "GITHUB_OUTPUT": str(self.outputs),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "CI_BUILDS_DIR": str(self.temp),
        }

    def github(self, repo: Repo, **inputs: str) -> "subprocess.CompletedProcess[str]":
        """The action's scan with these inputs, as a runner runs a script of bash."""
        (step,) = (step for step in action()["runs"]["steps"] if step["name"] == "Scan")
        given = {name: entry["default"] for name, entry in action()["inputs"].items()} | inputs
        env = {name: given[value.split("inputs.")[1].removesuffix(" }}")] for name, value in step["env"].items()}
        return self.run(step["run"], repo, **env)

    def gitlab(self, repo: Repo, **variables: str) -> "subprocess.CompletedProcess[str]":
        job = template()
        lines = [line for line in job["script"] if "venv" not in line and "pip install" not in line]
        given = {name: str(value) for name, value in job["variables"].items()} | variables
        return self.run("\n".join(lines), repo, **given)

    def run(self, script: str, repo: Repo, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script],
            cwd=repo.path,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def revoked() -> Key:
    return make_key()


@pytest.fixture
def repo(tmp_path: Path, revoked: Key) -> Repo:
    """A colleague's repository with the fingerprint of a revoked key; nothing in it says Mistral."""
    mine = Repo(tmp_path / "mine", git_environment(tmp_path))
    Index(mine.env["MISTRAL_NB_HOME"]).remember(revoked, COMPROMISED)
    mine.act("export-fingerprints")
    mine.commit("with the fingerprints")
    assert revoked.reveal().encode() not in mine.objects()
    return mine


def test_the_readme_s_recipes_are_short_and_name_what_is_here() -> None:
    blocks = readme_blocks()
    job = blocks[".github/workflows/keys.yml"][True] and blocks[".github/workflows/keys.yml"]["jobs"]["keys"]
    checkout, ours = job["steps"]
    assert checkout["with"] == {"fetch-depth": 0}
    assert ours["uses"].partition("@")[0].endswith("/mistral_nb")
    assert action()["runs"]["using"] == "composite"
    included = blocks[".gitlab-ci.yml"]["include"]
    assert (ROOT / included.partition("/v0.1.0/")[2]).is_file()
    assert set(blocks[".gitlab-ci.yml"]["variables"]) <= set(template()["variables"])


def test_no_input_becomes_code() -> None:
    for step in action()["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_the_table_of_inputs_is_the_action_s() -> None:
    page = (ROOT / "docs/git.md").read_text(encoding="utf-8")
    for name, entry in action()["inputs"].items():
        default = f" `{entry['default']}`" if entry["default"] else ""
        assert f"| `{name}` |{default} | " in page


def test_the_action_finds_a_key_that_a_colleague_revoked(runner: Runner, repo: Repo, revoked: Key) -> None:
    clean = runner.github(repo)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "::error" not in clean.stdout
    assert json.loads(repo.read("mistral-nb.sarif"))["runs"][0]["results"] == []
    held = notebook(f"x = '{revoked.reveal()}'")
    repo.write("deep/er/nb.ipynb", held)
    repo.commit("with the key")
    found = runner.github(repo)
    assert found.returncode == 1, found.stdout + found.stderr
    annotations = [line for line in found.stdout.splitlines() if line.startswith("::error ")]
    assert len(annotations) == 2, "one of the file, one of the history"
    assert all(f"…{revoked.tail}" in line for line in annotations)
    assert f"…{revoked.tail}" in runner.summary.read_text()
    sarif = json.loads(repo.read("mistral-nb.sarif"))
    jsonschema.validate(sarif, schema("sarif.schema.json"))
    assert len(sarif["runs"][0]["results"]) == 1
    assert "sarif=mistral-nb.sarif" in runner.outputs.read_text()
    said = found.stdout + found.stderr + runner.summary.read_text() + json.dumps(sarif)
    assert revoked.reveal()[:15] not in said
    assert repo.read("deep/er/nb.ipynb") == held, "it reports, and changes nothing"
    (repo.path / "deep/er/nb.ipynb").unlink()
    repo.commit("without it again")
    assert runner.github(repo, sarif="").returncode == 1, "it is in the history still"
    assert runner.github(repo, **{"git-history": "false"}, sarif="").returncode == 0


@pytest.mark.slow
def test_the_action_s_inputs_do_what_they_say(runner: Runner, repo: Repo, revoked: Key) -> None:
    repo.write("a $(touch ran);b.ipynb", notebook(f"x = '{revoked.reveal()}'"))
    repo.commit("with the key")
    for words in ((), ("--git-history",)):
        runner.run(f"mistral-nb scan {' '.join(words)} --baseline old.json --update-baseline", repo)
    assert runner.github(repo, baseline="old.json").returncode == 0
    assert runner.github(repo, paths="old.json\na $(touch ran);b.ipynb", sarif="").returncode == 1
    assert runner.github(repo, paths="old.json", **{"git-history": "HEAD..HEAD"}, sarif="").returncode == 0
    assert runner.github(repo, paths="gone.py", **{"git-history": "false"}, sarif="").returncode == 3
    assert runner.github(repo, paths="gone.py", sarif="").returncode == 3, "of two scans the worst counts"
    (repo.path / "folder.sarif").mkdir()
    for place in ("gone/x.sarif", "folder.sarif"):
        assert runner.github(repo, sarif=place, **{"git-history": "false"}, baseline="old.json").returncode == 3
    assert not (repo.path / "ran").exists()


@pytest.mark.slow
def test_the_template_for_gitlab_leaves_a_report(runner: Runner, repo: Repo, revoked: Key) -> None:
    report = template()["artifacts"]["reports"]["secret_detection"]
    assert runner.gitlab(repo).returncode == 0
    assert json.loads(repo.read(report))["vulnerabilities"] == []
    repo.write("nb.ipynb", notebook(f"x = '{revoked.reveal()}'"))
    repo.commit("with the key")
    found = runner.gitlab(repo)
    assert found.returncode == 1, found.stdout + found.stderr
    (told,) = json.loads(repo.read(report))["vulnerabilities"]
    assert told["location"]["commit"]["sha"] == repo.git("rev-parse", "HEAD").strip()
    assert revoked.reveal() not in found.stdout + found.stderr + repo.read(report).decode()
    for words in ("", "--git-history"):
        runner.run(f"mistral-nb scan {words} --baseline old.json --update-baseline", repo)
    assert runner.gitlab(repo, MISTRAL_NB_OPTIONS="--baseline old.json").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "file", "typo"),
    [
        ("github-actions", "action.yml", ("using: composite", "using: composite-steps")),
        ("gitlab-ci", "templates/mistral-keys.yml", ("  script:", "  scripts:")),
    ],
)
def test_they_follow_the_schemas_of_github_and_gitlab(
    kind: str, file: str, typo: tuple[str, str], tmp_path: Path
) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{kind}"]
    words += ["--data-transform", "gitlab-ci"] if kind == "gitlab-ci" else []
    (tmp_path / "as it is.yml").write_text(text)
    (tmp_path / "wrong.yml").write_text(text.replace(*typo))
    codes = {
        each.stem: subprocess.run([*words, str(each)], capture_output=True, timeout=60 * PATIENCE).returncode
        for each in tmp_path.glob("*.yml")
    }
    assert codes == {"as it is": 0, "wrong": 1}


@pytest.mark.slow
def test_the_action_installs_its_own_copy(runner: Runner, repo: Repo) -> None:
    (step,) = (step for step in action()["runs"]["steps"] if "install" in step["name"].lower())
    done = runner.run(step["run"], repo, **offline_pip())
    assert done.returncode == 0, done.stdout + done.stderr
    programs = (runner.temp / "path").read_text().strip()
    version = runner.run(f"'{programs}/mistral-nb' --version", repo, **offline_pip())
    assert version.stdout.startswith("mistral_nb ")
