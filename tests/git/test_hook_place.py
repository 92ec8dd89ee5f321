"""Where other tools run the hooks: the lines that `protect` prints, added to those tools' files."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.git.hook_place import HookPlace, find_place
from mistral_nb.git.run_git import Git
from support.git_repos import Repo, uses
from support.requirements import need

_READS_INPUT = 'cat > "$(git rev-parse --git-dir)/seen"\n'
_HUSKY_STUB = '#!/usr/bin/env sh\ns="$(dirname "$(dirname "$0")")/pre-push"\n[ ! -f "$s" ] || sh -e "$s" "$@"\n'
_LEFTHOOK = "pre-push:\n  commands:\n    reads-input:\n      run: cat > .git/seen\n      use_stdin: true\n"


def shared_folder(repo: Repo) -> Path:
    """As for all of a person's repositories."""
    folder = repo.path.parent / "shared hooks"
    repo.git("config", "core.hooksPath", str(folder))
    return folder / "pre-push"


def folder_of_the_repository(repo: Repo) -> Path:
    repo.git("config", "core.hooksPath", ".githooks")
    return repo.path / ".githooks/pre-push"


def husky(repo: Repo) -> Path:
    """As husky 9 sets it up: the hooks of its own folder call those above it."""
    stub = repo.path / ".husky/_/pre-push"
    stub.parent.mkdir(parents=True)
    stub.write_text(_HUSKY_STUB)
    stub.chmod(0o755)
    repo.git("config", "core.hooksPath", ".husky/_")
    return repo.path / ".husky/pre-push"


def two_hooks(repo: Repo) -> Path:
    hook = repo.path / ".git/hooks/pre-push"
    for file in (hook, hook.with_name("pre-push.before-mistral-nb")):
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    return hook


def add_lines(repo: Repo, place: HookPlace, more: str = "") -> None:
    """As a person does who reads what `protect` prints."""
    file = Path(place.caller)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text((file.read_text() if file.exists() else "") + place.lines + more)
    file.chmod(0o755)


def assert_pushes_are_scanned(repo: Repo, key: Key) -> None:
    """With git's own PATH alone, as from a graphical program; a clean push leaves the next command its input."""
    for name in ("plain.py", "key.py"):
        repo.write(name, b"x = 1\n" if name == "plain.py" else uses(key).encode())
        repo.git("add", name)
        repo.git("commit", "-q", "-m", name)
        pushed = repo.run("push", "origin", "main", PATH="/usr/bin:/bin")
        said = pushed.stdout + pushed.stderr
        assert (pushed.returncode == 0) == (name == "plain.py"), said
        assert key.reveal() not in said
        if name == "plain.py":
            assert (repo.path / ".git/seen").read_text().startswith("refs/heads/main ")
    assert f"…{key.tail}" in said


@pytest.mark.parametrize("prepare", [shared_folder, folder_of_the_repository, husky, two_hooks])
def test_the_lines_stop_a_push_with_a_key(prepare: Callable[[Repo], Path], with_remote: Repo, key: Key) -> None:
    caller = prepare(with_remote)
    done = with_remote.protect()
    assert done.report.exit_code == 1
    place = find_place(Git(str(with_remote.path), with_remote.env))
    assert place.caller == str(caller)
    assert f"{caller} does not start the scan yet" in done.shown
    assert place.lines in done.shown
    assert with_remote.act("protect", status=True).report.data["protected"], "the filter is set up all the same"
    assert "does not start the scan" in with_remote.act("protect", status=True).shown
    add_lines(with_remote, place, _READS_INPUT)
    assert f"pushes are scanned, by {caller}" in with_remote.act("protect", status=True).shown
    assert with_remote.protect().report.exit_code == 0
    assert_pushes_are_scanned(with_remote, key)
    with_remote.act("unprotect")
    with_remote.git("push", "-q", "origin", "main")  # the control; the lines are there still, and do nothing


def test_a_commented_line_is_no_call(with_remote: Repo) -> None:
    caller = folder_of_the_repository(with_remote)
    caller.parent.mkdir()
    place = find_place(Git(str(with_remote.path), with_remote.env))
    caller.write_text("".join(f"# {line}\n" for line in place.lines.splitlines()))
    assert not find_place(Git(str(with_remote.path), with_remote.env)).is_called


def test_without_the_scan_no_hook_is_written(with_remote: Repo) -> None:
    hooks = with_remote.path / ".git/hooks"
    before = sorted(hooks.iterdir())
    done = with_remote.protect(pre_push=False)
    assert done.report.exit_code == 0
    assert done.report.title.endswith("Pushes are not scanned.")
    assert sorted(hooks.iterdir()) == before
    assert with_remote.protect().report.title == "✓ Notebooks are stored without keys; pushes are scanned."


@pytest.mark.slow
@pytest.mark.parametrize("order", ["protect, install", "install, protect", "install, protect, install"])
def test_the_hook_of_pre_commit_beside_ours(order: str, with_remote: Repo, key: Key) -> None:
    """The real pre-commit, with a hook of its own before a push."""
    hook = "{id: its-own, name: its own, entry: 'true', language: system, stages: [pre-push], always_run: true}"
    with_remote.write(".pre-commit-config.yaml", f"repos: [{{repo: local, hooks: [{hook}]}}]\n".encode())
    with_remote.commit()
    for step in order.split(", "):
        if step == "protect":
            with_remote.protect()
        else:
            words = [sys.executable, "-m", "pre_commit", "install", "-t", "pre-push"]
            subprocess.run(words, cwd=with_remote.path, env=with_remote.env, capture_output=True, check=True)
    done = with_remote.run("push", "origin", "main")
    assert done.returncode == 0, done.stderr
    assert "its own" in done.stdout + done.stderr
    with_remote.write("key.py", uses(key).encode())
    with_remote.commit()
    refused = with_remote.run("push", "origin", "main")
    assert refused.returncode != 0
    assert f"…{key.tail}" in refused.stderr


@pytest.mark.manual  # it downloads from npm
@pytest.mark.parametrize("tool", ["husky", "lefthook"])
def test_the_real_tools(tool: str, with_remote: Repo, key: Key) -> None:
    need("npm")
    with_remote.write(".gitignore", b"node_modules\npackage*.json\n")
    for words in (["init", "-y"], ["install", "--silent", tool]):
        subprocess.run(["npm", *words], cwd=with_remote.path, env=with_remote.env, capture_output=True, check=True)
    if tool == "lefthook":
        with_remote.write("lefthook.yml", _LEFTHOOK.encode())
    install = {"husky": ["npx", "husky"], "lefthook": ["npx", "lefthook", "install"]}[tool]
    subprocess.run(install, cwd=with_remote.path, env=with_remote.env, capture_output=True, check=True)
    assert with_remote.protect().report.exit_code == 1
    place = find_place(Git(str(with_remote.path), with_remote.env))
    if tool == "husky":
        add_lines(with_remote, place, _READS_INPUT)
    else:
        command = place.lines.removeprefix("pre-push:\n  commands:\n")
        Path(place.caller).write_text(_LEFTHOOK + command)
    subprocess.run(install, cwd=with_remote.path, env=with_remote.env, capture_output=True, check=True)
    assert with_remote.protect().report.exit_code == 0
    with_remote.commit("hooks")
    assert shutil.which("node")
    assert_pushes_are_scanned(with_remote, key)
