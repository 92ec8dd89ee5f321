"""The examples of the README and its pages are run: in a real kernel, and in a real shell with real git."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import Index
from support.git_repos import Repo, git_environment, notebook
from support.kernels import start_kernel
from support.keys import make_key
from support.patience import PATIENCE
from support.requirements import need

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a page in one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line.strip()]


@pytest.mark.slow
def test_the_first_cell_gives_a_client_that_works(environ: dict[str, str], sandbox: Sandbox) -> None:
    cell = blocks("README.md", "python")[0]
    assert cell.count("Mistral()") == 1
    cell = cell.replace("Mistral()", f"Mistral(server_url={sandbox.url!r})")
    key = sandbox.make_key("research")
    with start_kernel(environ) as kernel:
        ran = kernel.run(cell, answers=[key.reveal()])
        assert ran.status == "ok", ran.error
        assert sandbox.requests[-1].tail == key.tail
        assert "mistral-small-latest" in ran.results[-1]["text/plain"]
    with start_kernel(environ) as kernel:
        ran = kernel.run(cell, allow_stdin=False)
        assert ran.status == "ok", ran.error
    assert not any(key.reveal() in message for message in kernel.messages)


def test_the_life_of_a_key_as_it_is_shown(environ: dict[str, str], sandbox: Sandbox) -> None:
    (block,) = [block for block in blocks("docs/keys.md", "python") if "rotate prod" in block]
    old, new = sandbox.make_key("prod"), sandbox.make_key("prod")
    answers = {"login": [old.reveal()], "prod": ["yes"], "rotate": [new.reveal(), ""], "verify": []}
    answers["revoke"] = ["yes", "no"]
    with start_kernel(environ) as kernel:
        kernel.run("%load_ext mistral_nb")
        for line in lines(block):
            word = line.split()[1]
            ran = kernel.run(line, answers=answers[word])
            assert ran.status == "ok", (line, ran.error)
    seen = Index(environ["MISTRAL_NB_HOME"]).read().remembered
    assert [seen[key.fingerprint].state for key in (old, new)] == ["retired", "compromised"]


# What each command exits with in a repository whose notebooks and whose history hold a key.
CODES = {
    "mistral-nb login dev": 0,
    "mistral-nb status": 0,
    "mistral-nb run dev -- python app.py": 0,
    "mistral-nb scan": 1,
    "mistral-nb scrub analysis.ipynb": 0,
    "mistral-nb protect": 0,
    "mistral-nb protect --status": 1,  # tracked files hold one
    "mistral-nb scan --git-history": 1,
}
APP = "import os, sys; print('app.py was given', os.environ['MISTRAL_API_KEY'][-4:], file=sys.stderr)"


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/git.md"])
def test_the_shell_commands_work(page: str, environ: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    need("git")
    env = environ | git_environment(tmp_path / "git")
    env |= {name: environ[name] for name in environ if name.startswith("MISTRAL")}
    env |= {"PATH": f"{SCRIPTS}{os.pathsep}{env['PATH']}"}
    repo, key, stored = Repo(tmp_path / "repo", env), make_key(), sandbox.make_key("dev")
    repo.write("analysis.ipynb", notebook(f"MISTRAL_API_KEY = '{key.reveal()}'"))
    repo.write("app.py", APP.encode())
    repo.commit("with keys")
    said = {}
    (block,) = [block for block in blocks(page, "sh") if "mistral-nb protect" in block]
    for line in lines(block):
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=repo.path,
            env=env,
            input=stored.reveal(),
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
        )
        command = line.partition("#")[0].strip()
        said[command] = done.stdout + done.stderr
        assert done.returncode == CODES[command], (line, said[command])
        assert not any(one.reveal() in said[command] for one in (key, stored))
    other = make_key()
    repo.write("new.ipynb", notebook(f"MISTRAL_API_KEY = '{other.reveal()}'"))
    repo.commit("protected by now")
    assert MARKER.encode() in repo.blob("HEAD:new.ipynb")
    assert other.reveal().encode() in repo.read("new.ipynb")
    if page == "README.md":
        assert len(said) == 6
        assert f"app.py was given {stored.tail}" in said["mistral-nb run dev -- python app.py"]
        assert MARKER.encode() in repo.read("analysis.ipynb")


@pytest.mark.slow
def test_a_key_from_a_password_manager_is_read_from_standard_input(
    environ: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    text = (ROOT / "docs/installation.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"`(op read [^`]+)`", " ".join(text.split()))
    key = sandbox.make_key("dev")
    manager = tmp_path / "bin" / "op"
    manager.parent.mkdir()
    manager.write_text(f"#!/bin/sh\necho {key.reveal()}\n")
    manager.chmod(0o700)
    environ["PATH"] = os.pathsep.join([str(manager.parent), str(SCRIPTS), environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", line], env=environ, capture_output=True, text=True, timeout=60 * PATIENCE, check=False
    )
    assert (done.returncode, f"dev …{key.tail}" in done.stdout) == (0, True), done.stderr


def test_every_block_is_tested_or_excluded_with_a_reason() -> None:
    """Not run above: installation, and what only a notebook page shows."""
    elsewhere = ("pip install", "c.Exporter.preprocessors")  # and test_card, test_exporter
    elsewhere += ("app.py was not started", "importtime")  # test_reference_pages
    elsewhere += ("--update-baseline",)  # test_baseline
    elsewhere += ("mistral_nb.share(client)", "--preload mistral_nb.worker")  # test_dask_share, test_dask_preload
    elsewhere += ("spark.executorEnv", "worker_process_setup_hook")  # test_spark_recipe, test_ray_recipe
    elsewhere += ("client=httpx2.Client(auth=auth",)  # test_long_jobs_sdk
    tried = ("rotate prod", "mistral-nb protect", "Mistral()")
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for language in ("sh", "python"):
            for block in blocks(str(page.relative_to(ROOT)), language):
                assert any(part in block for part in (*tried, *elsewhere)), block
