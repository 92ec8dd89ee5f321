"""As editors call git: by its path, without a shell, from another folder, with hardly any environment."""

import shutil
import subprocess

from mistral_nb.api_key import MARKER, Key
from support.git_repos import Repo, notebook, uses
from support.keys import make_text


def test_an_editor_without_shell_or_path_stages_and_reads(repo: Repo, key: Key) -> None:
    git = shutil.which("git")
    assert git
    repo.write("nb.ipynb", notebook(uses(key)))
    env = {"HOME": repo.env["HOME"], "GIT_CONFIG_NOSYSTEM": "1"}
    here = ["-C", str(repo.path), "-c", "core.quotepath=false", "-c", "color.ui=false"]
    for words in (
        ["add", "-A", "--", "nb.ipynb"],
        ["status", "-z", "-uall"],
        ["commit", "--quiet", "--allow-empty-message", "--file", "-"],
        ["show", "--textconv", ":nb.ipynb"],
        ["checkout", "-q", "HEAD~1", "--", "."],
        ["checkout", "-q", "HEAD", "--", "."],
    ):
        done = subprocess.run([git, *here, *words], cwd="/", env=env, input=b"from an editor", capture_output=True)
        assert done.returncode == 0, done.stderr
        assert key.reveal().encode() not in done.stdout + done.stderr
    assert MARKER.encode() in repo.read("nb.ipynb")
    assert repo.objects_with(key) == []


def test_a_terminals_variables_make_no_difference(repo: Repo, key: Key) -> None:
    repo.write("nb.ipynb", notebook(uses(key), "x = 'a value that only one terminal knows, as a password'"))
    repo.commit()
    stored = repo.blob("HEAD:nb.ipynb")
    repo.touch()
    elsewhere = {
        "MISTRAL_API_KEY": make_text(),
        "MISTRAL_NB_PASSPHRASE": "a value that only one terminal knows",
        "MISTRAL_NB_HOME": "/nonexistent",
        "PYTHONPATH": "/nonexistent",
        "PYTHONHOME": "/nonexistent",
        "LC_ALL": "C",
    }
    assert repo.git("status", "--porcelain", **elsewhere) == ""
    repo.git("add", ".", **elsewhere)
    assert repo.blob(":nb.ipynb") == stored
