"""A newcomer, in a terminal and in JupyterLab: to a guarded, protected repository and out again, by one question."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.sandbox.sandbox import Sandbox
from support.browsers import open_notebook, start_browser, start_server
from support.commands import mistral_nb
from support.git_repos import Repo, git_environment, notebook, uses
from support.kernels import start_kernel
from support.key_traces import traces
from support.keyboard import Keyboard
from support.terminals import spawn

SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))


@pytest.fixture
def clone(environ: dict[str, str], tmp_path: Path) -> Repo:
    """Of what a colleague has pushed."""
    env = git_environment(tmp_path / "colleague")
    theirs = Repo(tmp_path / "theirs", env)
    theirs.write("analysis.ipynb", notebook("1 + 1"))
    theirs.commit("the start")
    theirs.git("clone", "-q", "--bare", ".", "../shared.git")
    mine = git_environment(tmp_path) | environ
    theirs.git("clone", "-q", "../shared.git", "../clone", **mine)
    return Repo(tmp_path / "clone", mine, make=False)


@pytest.mark.slow
def test_from_a_fresh_clone_to_a_protected_repository_and_out_again(
    clone: Repo, environ: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    key = sandbox.make_key("dev")

    with spawn([SCRIPT, "login", "dev"], clone.env, clone.path) as screen:
        assert screen.waits_masked(60)
        screen.types(key.reveal())
        assert screen.ends(60) == 0, "it waits at another question"
        assert screen.text.count("Paste the Mistral API key of workspace dev (") == 1
        assert f"…{key.tail}" in screen.text
        assert key.reveal() not in screen.raw

    with start_kernel(environ) as kernel:
        kernel.run("%load_ext mistral_nb")
        assert kernel.run("%mistral_key", allow_stdin=False).status == "ok"
        assert MARKER in kernel.run("import os; print(os.environ['MISTRAL_API_KEY'])").text
    assert not any(key.reveal() in message for message in kernel.messages)

    protect(clone)
    clone.write("analysis.ipynb", notebook(uses(key)))
    clone.commit("with a key in a cell")
    assert MARKER.encode() in clone.blob("HEAD:analysis.ipynb")
    assert clone.objects_with(key) == []
    clone.git("push", "-q")
    clone.write(".env", f"MISTRAL_API_KEY={key.reveal()}\n".encode())
    clone.commit("with a .env")
    refused = clone.run("push")
    assert refused.returncode != 0
    assert ".env" in refused.stdout + refused.stderr
    clone.git("reset", "-q", "--hard", "HEAD~1")
    assert mistral_nb(clone.env, "scan", str(clone.path)).returncode == 1, "the work file keeps its key"
    assert mistral_nb(clone.env, "scrub", str(clone.path / "analysis.ipynb")).returncode == 0
    assert mistral_nb(clone.env, "scan", str(clone.path)).returncode == 0

    with spawn([SCRIPT, "uninstall"], clone.env, clone.path) as screen:
        screen.sees("Remove all of it?")
        screen.types("yes")
        assert screen.ends(60) == 0
        for part in (str(clone.path), f"…{key.tail}", environ["MISTRAL_NB_HOME"]):
            assert part in screen.text
    assert_nothing_is_left(clone, environ)
    clone.write("analysis.ipynb", notebook(uses(key)))
    clone.commit("protected by nothing")
    assert key.reveal().encode() in clone.blob("HEAD:analysis.ipynb"), "what kept it out was protect"


@pytest.fixture
def keyboard(environ: dict[str, str], tmp_path: Path) -> Iterator[tuple[Keyboard, Repo]]:
    """At an empty notebook of JupyterLab, in a repository."""
    repo = Repo(tmp_path / "a folder", git_environment(tmp_path) | environ)
    repo.write(".gitignore", b".ipynb_checkpoints\n")
    with (
        start_browser() as browser,
        start_server(repo.env, repo.path) as server,
        open_notebook(browser, server, [""], lab=True, name="analysis.ipynb") as opened,
    ):
        yield Keyboard(opened), repo


@pytest.mark.slow
def test_from_load_ext_to_a_protected_notebook_and_out_again_without_a_mouse(
    keyboard: tuple[Keyboard, Repo], environ: dict[str, str], sandbox: Sandbox, record_property: Any
) -> None:
    hand, repo = keyboard
    key = sandbox.make_key("dev")
    begun = time.monotonic()

    hand.run("%load_ext mistral_nb")
    hand.run("%mistral_key", key.reveal(), shows=f"dev …{key.tail} · MISTRAL_API_KEY is set")
    record_property("seconds until the key is set", round(time.monotonic() - begun, 1))
    hand.run("import os; os.environ['MISTRAL_API_KEY']", shows=MARKER)
    hand.run("%mistral_key protect", shows="Notebooks are stored without keys")
    hand.run("def Mistral(api_key): pass")
    hand.run(uses(key), shows=f"…{key.tail} in plain text")
    hand.save()
    hand.run("!git add . && git commit -qm 'the first'")
    record_property("seconds until a commit without the key", round(time.monotonic() - begun, 1))

    places = {"file": hand.notebook.file.read_bytes(), "commit": repo.blob("HEAD:analysis.ipynb")}
    assert all(MARKER.encode() in held for held in places.values())
    assert traces(key.reveal(), places) == []
    assert traces(key.reveal(), {"control": notebook(uses(key))}) == ["control"]
    hand.run(f"!{SCRIPT} uninstall --yes", shows="Removed. Next: pip uninstall mistral_nb")
    assert hand.questions == 1
    assert_nothing_is_left(repo, environ)


def protect(repo: Repo) -> None:
    done = subprocess.run([SCRIPT, "protect"], cwd=repo.path, env=repo.env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    repo.commit("Notebooks are stored without keys")


def assert_nothing_is_left(repo: Repo, environ: dict[str, str]) -> None:
    assert b"mistral-nb" not in repo.read(".git/config")
    assert not (repo.path / ".git/hooks/pre-push").exists()
    assert not Path(environ["MISTRAL_NB_HOME"]).exists() or not list(Path(environ["MISTRAL_NB_HOME"]).iterdir())
