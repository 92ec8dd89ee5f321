"""Setting up and removing protection: what changes, what does not, and what is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.command_context import Context
from mistral_nb.commands import protect
from mistral_nb.errors import WrongUsage
from mistral_nb.git import filter_config
from mistral_nb.git.filter_config import ATTRIBUTES_LINE
from mistral_nb.git.repository_protection import FilterConflict, NoRepository
from mistral_nb.report import Step
from support.commands import act
from support.git_repos import Repo, notebook, uses
from support.keys import make_key

ATTRIBUTES = [
    None,
    b"",
    b"*.txt text\n",
    b"# ours\r\n*.txt text\r\n",
    b"*.ipynb diff=jupyternotebook -text",
    b"*.py filter=other\n# *.ipynb filter=commented\n",
]


def snapshot(repo: Repo) -> dict[str, bytes]:
    """What protection may change: attributes, configuration, hooks."""
    files = [repo.path / ".gitattributes", *(repo.path / ".git").glob("config"), repo.path / ".git/info/attributes"]
    files += (repo.path / ".git/hooks").glob("pre-push*")
    return {str(file): file.read_bytes() for file in files if file.exists()}


@pytest.mark.slow_except("None-False", "# ours", "commented")
@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("attributes", ATTRIBUTES)
def test_protect_is_idempotent_keeps_other_lines_and_is_undone_completely(
    attributes: bytes | None, local: bool, bare: Repo, key: Key
) -> None:
    name = ".git/info/attributes" if local else ".gitattributes"
    if attributes is not None:
        bare.write(name, attributes)
    before = snapshot(bare)
    assert bare.protect(local=local).report.data["changed"]
    assert bare.read(name).replace(ATTRIBUTES_LINE.encode(), b"").split() == (attributes or b"").split()
    assert ATTRIBUTES_LINE.encode() in bare.read(name).splitlines()
    once = snapshot(bare)
    assert not bare.protect(local=local).report.data["changed"]
    assert snapshot(bare) == once
    bare.write("nb.ipynb", notebook(uses(key)))
    bare.git("add", ".")
    assert bare.objects_with(key) == []
    bare.act("unprotect")
    assert snapshot(bare) == before
    bare.write("nb.ipynb", notebook(uses(key), "stored as it is"))
    bare.git("add", ".")
    assert bare.objects_with(key) == ["plain"]


def test_unprotect_undoes_the_line_of_each_file_it_was_put_into(bare: Repo) -> None:
    before = snapshot(bare)
    bare.act("protect")
    bare.act("protect", local=True)
    removed = bare.act("unprotect").shown
    assert ".gitattributes" in removed
    assert "info/attributes" in removed
    assert snapshot(bare) == before


def test_a_line_that_came_with_the_repository_stays_when_one_of_many_unprotects(bare: Repo, key: Key) -> None:
    bare.write(".gitattributes", f"{ATTRIBUTES_LINE}\n".encode())
    bare.commit()
    bare.protect()
    assert bare.status() == ""
    bare.write("nb.ipynb", notebook(uses(key)))
    bare.git("add", ".")
    assert bare.objects_with(key) == []
    assert "that mistral_nb did not add" in bare.act("unprotect").shown
    assert bare.read(".gitattributes") == f"{ATTRIBUTES_LINE}\n".encode()
    bare.git("add", ".")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["it's", 'a "quoted" one', "back\\slash $HOME `date` %f 100%", "ünï cödé", " lead"])
def test_names_with_quotes_and_spaces(name: str, env: dict[str, str], tmp_path: Path, key: Key) -> None:
    env["MISTRAL_NB_HOME"] = str(tmp_path / f"home of {name}")
    repo = Repo(tmp_path / name, env)
    repo.remember(key)
    repo.protect()
    repo.write(f"{name}/{name}.ipynb", notebook(uses(key)))
    repo.commit()
    repo.git("config", "--unset", "filter.mistral-nb.process")  # as an implementation that knows no process
    repo.write(f"{name}/another {name}.ipynb", notebook(uses(key)))
    repo.commit()
    assert repo.objects_with(key) == []
    repo.protect()
    (repo.path / name / f"{name}.ipynb").unlink()
    repo.git("checkout", "--", ".")
    assert repo.status() == ""
    Repo(tmp_path / "elsewhere", env)
    repo.git("push", "-q", str(tmp_path / "elsewhere"), "main:theirs")


@pytest.mark.slow
def test_one_shot_commands_do_what_the_process_does(repo: Repo, key: Key) -> None:
    data = notebook(uses(key))
    repo.write("nb.ipynb", data)
    repo.git("add", ".")
    stored = repo.blob(":nb.ipynb")
    repo.git("config", "--unset", "filter.mistral-nb.process")
    repo.git("add", "--renormalize", ".")
    assert repo.blob(":nb.ipynb") == stored
    (repo.path / "nb.ipynb").unlink()
    repo.git("checkout", "-q", "--", ".")
    assert repo.read("nb.ipynb") == stored


def test_a_terminal_is_told_at_once_that_it_is_at_work(bare: Repo) -> None:
    for status in (False, True):
        first, *_, last = bare.protect(status=status).steps
        assert first.startswith("\rLooking at this repository")
        assert last.strip() == ""
        with_magic = Context(host="magic", environ=bare.env, folder=str(bare.path))
        assert act(with_magic, "protect", status=status).steps == []


def test_an_error_is_not_told_behind_the_line_that_says_it_is_at_work(env: dict[str, str], tmp_path: Path) -> None:
    shown: list[str] = []
    with pytest.raises(NoRepository):
        for step in protect.action(Context(host="cli", environ=env, folder=str(tmp_path))):
            assert isinstance(step, Step)
            shown.append(step.text)
    first, last = shown
    assert first.startswith("\rLooking at this repository")
    assert last.strip() == ""
    assert last.endswith("\r")


def test_outside_a_repository_it_says_so(env: dict[str, str], tmp_path: Path) -> None:
    lonely = Repo(tmp_path / "lonely", env)
    shutil.rmtree(lonely.path / ".git")
    for name in ("protect", "unprotect"):
        with pytest.raises(NoRepository, match="not a git repository"):
            lonely.act(name)


def test_global_covers_every_repository_and_is_undone(env: dict[str, str], tmp_path: Path, key: Key) -> None:
    config = Path(env["HOME"], ".gitconfig")
    before = config.read_text()
    repo = Repo(tmp_path / "one of many", env)
    repo.remember(key)
    repo.protect(everywhere=True)
    assert not repo.protect(everywhere=True).report.data["changed"]
    repo.write("nb.ipynb", notebook(uses(key)))
    repo.commit()
    assert repo.objects_with(key) == []
    assert not (repo.path / ".gitattributes").exists()
    with pytest.raises(WrongUsage):
        repo.protect(everywhere=True, wrap=True)
    repo.act("unprotect", everywhere=True)
    assert config.read_text().strip() == before.strip()
    assert not Path(env["XDG_CONFIG_HOME"], "git/attributes").exists()


def test_global_with_a_custom_attributes_file(env: dict[str, str], tmp_path: Path) -> None:
    repo = Repo(tmp_path / "any", env)
    repo.git("config", "--global", "core.attributesFile", "~/my attributes")
    file = Path(env["HOME"], "my attributes")
    file.write_text("*.txt text\n")
    repo.protect(everywhere=True)
    assert file.read_text() == f"*.txt text\n{ATTRIBUTES_LINE}\n"
    repo.act("unprotect", everywhere=True)
    assert file.read_text() == "*.txt text\n"


@pytest.mark.slow
def test_unprotect_all_undoes_every_one_and_skips_missing_ones(env: dict[str, str], tmp_path: Path, key: Key) -> None:
    repos = [Repo(tmp_path / name, env) for name in ("one", "two", "gone", "moved away")]
    before = [snapshot(repo) for repo in repos]
    for repo in repos:
        repo.protect()
    repos[0].protect(everywhere=True)
    shutil.rmtree(repos[2].path)
    report = repos[3].act("unprotect", everything=True).report
    assert report.exit_code == 0, report
    assert [snapshot(repo) for repo in (repos[0], repos[1], repos[3])] == [before[0], before[1], before[3]]
    assert "is gone" in str(report)
    places = json.loads(Path(env["MISTRAL_NB_HOME"], "protected.json").read_text())
    assert places["places"] == []


@pytest.mark.slow
def test_a_linked_worktree_shares_the_filter(repo: Repo, key: Key) -> None:
    path = repo.path.parent / "linked"
    repo.git("worktree", "add", "-q", "-b", "topic", str(path))
    linked = Repo(path, repo.env, make=False)
    assert linked.act("protect", status=True).report.data["protected"]
    linked.protect()
    linked.write("nb.ipynb", notebook(uses(key)))
    linked.commit()
    assert repo.objects_with(key) == []
    linked.act("unprotect")
    assert not repo.act("protect", status=True).report.data["protected"]


def test_a_repository_without_a_commit_is_protected_from_its_first(bare: Repo, key: Key) -> None:
    bare.protect()
    bare.write("nb.ipynb", notebook(uses(key)))
    bare.commit("the first")
    assert bare.objects_with(key) == []
    assert bare.read(".gitattributes").decode() == f"{ATTRIBUTES_LINE}\n"


@pytest.mark.parametrize("relative", [False, True])
def test_a_bare_git_dir_with_a_work_tree_elsewhere(
    relative: bool, env: dict[str, str], tmp_path: Path, key: Key
) -> None:
    """As people keep their dotfiles."""
    tree = tmp_path / "tree"
    tree.mkdir()
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "dots.git")], env=env, check=True)
    folders = ("../dots.git", ".") if relative else (str(tmp_path / "dots.git"), str(tree))
    repo = Repo(tree, env | dict(zip(("GIT_DIR", "GIT_WORK_TREE"), folders, strict=True)), make=False)
    repo.remember(key)
    repo.protect()
    repo.write("nb.ipynb", notebook(uses(key)))
    repo.commit()
    assert repo.objects_with(key) == []
    assert repo.status() == ""
    repo.act("unprotect")


def test_a_bare_repository_takes_its_attributes_inside(env: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare.git")], env=env, check=True)
    repo = Repo(tmp_path / "bare.git", env, make=False)
    repo.protect()
    assert (repo.path / "info/attributes").read_text() == f"{ATTRIBUTES_LINE}\n"
    repo.act("unprotect")
    assert not (repo.path / "info/attributes").exists()


@pytest.mark.parametrize("where", [".gitattributes", ".git/info/attributes", "home"])
def test_another_filter_for_all_notebooks_is_found_wherever_it_is_set_and_refused(where: str, bare: Repo) -> None:
    line = b"*.ipynb filter=nbstripout\n"
    if where == "home":
        bare.write("../home/.config/git/attributes", line)
    else:
        bare.write(where, line)
    before = snapshot(bare)
    with pytest.raises(FilterConflict, match="nbstripout"):
        bare.protect()
    assert snapshot(bare) == before


def test_a_comment_or_another_pattern_is_not_another_filter(bare: Repo) -> None:
    bare.write(".gitattributes", b"# *.ipynb filter=nbstripout\n*.bin filter=lfs\n")
    assert bare.protect().report.data["uncovered"] == {}


@pytest.mark.slow
def test_status_finds_what_was_broken(repo: Repo) -> None:
    assert repo.act("protect", status=True).report.exit_code == 0
    for name, value, words in (
        ("filter.mistral-nb.required", "false", "configuration is modified"),
        ("filter.mistral-nb.process", "cat", "not in git's configuration"),
    ):
        repo.git("config", name, value)
        report = repo.act("protect", status=True).report
        assert words in str(report)
        assert report.exit_code == 1
        assert not report.data["protected"]
        repo.protect()
    repo.write(".git/info/attributes", b"*.ipynb filter=lfs\n")
    report = repo.act("protect", status=True).report
    assert "filter lfs" in str(report)
    assert not report.data["protected"]


def test_doctor_says_whether_the_repository_here_is_protected(bare: Repo) -> None:
    assert "not protected" in bare.act("doctor").shown
    bare.protect()
    shown = bare.act("doctor").shown
    assert "0 notebooks here use the filter" in shown
    assert "not protected" not in shown


def test_the_home_at_setup_is_the_one_used(bare: Repo, tmp_path: Path) -> None:
    """A key remembered in a home of one's own is caught from terminals that know nothing of that home."""
    own, key = str(tmp_path / "a home of my own"), make_key()
    default = bare.env.pop("MISTRAL_NB_HOME")
    there = Repo(bare.path, bare.env | {"MISTRAL_NB_HOME": own}, make=False)
    there.remember(key)
    there.protect()
    bare.write("nb.ipynb", notebook(f"x = '{key.reveal()}'"))
    bare.commit()
    assert bare.objects_with(key) == []
    assert MARKER.encode() in bare.blob("HEAD:nb.ipynb")
    bare.env["MISTRAL_NB_HOME"] = default
    assert "a home of my own" in bare.act("protect", status=True).shown


def test_the_command_line_prints_json(bare: Repo) -> None:
    words = [sys.executable, "-m", "mistral_nb", "protect", "--json"]
    done = subprocess.run(words, cwd=bare.path, env=bare.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["changed"] is True


def test_it_never_says_protected_if_something_else_overrides_it(bare: Repo, key: Key) -> None:
    bare.write("../home/.config/git/attributes", f"{ATTRIBUTES_LINE}\n*.ipynb -filter\n".encode())
    done = bare.protect(everywhere=True)
    assert done.report.exit_code == 1
    assert "NOT effective" in done.report.title
    bare.write("nb.ipynb", notebook(uses(key)))
    bare.git("add", ".")
    assert bare.objects_with(key) == ["plain"], "the control: git did not ask our filter"


def test_a_gitattributes_that_is_a_link_is_not_written_through(bare: Repo, key: Key, tmp_path: Path) -> None:
    elsewhere = tmp_path / "dotfiles"
    elsewhere.write_text("# somebody's\n")
    (bare.path / ".gitattributes").symlink_to(elsewhere)
    assert bare.protect().report.exit_code == 0
    assert elsewhere.read_text() == "# somebody's\n"
    bare.write("nb.ipynb", notebook(uses(key)))
    bare.git("add", ".")
    assert bare.objects_with(key) == []


def test_a_filter_attribute_without_a_value_counts_as_none(bare: Repo) -> None:
    bare.write(".gitattributes", b"*.ipynb filter=\n")
    assert bare.protect().report.exit_code == 0


def test_a_committed_attribute_line_is_reported_when_removed(bare: Repo) -> None:
    bare.protect()
    bare.commit("protected")
    shown = bare.act("unprotect").shown
    assert "commit the change of .gitattributes" in shown


@pytest.mark.slow
def test_a_sparse_checkout_stays_sparse_when_old_keys_are_removed(bare: Repo, key: Key) -> None:
    for name in ("in/a.ipynb", "out/b.ipynb"):
        bare.write(name, notebook(uses(key)))
    bare.commit("with a key")
    bare.git("sparse-checkout", "set", "in")
    bare.protect(renormalize=True, local=True)
    bare.git("commit", "-q", "-m", "without")
    assert bare.status() == ""
    assert MARKER.encode() in bare.blob("HEAD:out/b.ipynb")


def test_a_package_beside_ours_does_not_replace_the_standard_library(bare: Repo, key: Key, tmp_path: Path) -> None:
    """As where argparse was installed from PyPI: what git starts has the package's folder on its path."""
    root = tmp_path / "site"
    root.mkdir()
    (root / "mistral_nb").symlink_to(Path(filter_config.__file__).parents[1])
    for name in ("json", "argparse", "re"):
        (root / f"{name}.py").write_text("raise SystemError('not the one that was meant')\n")
    bare.protect()
    here = filter_config.own_driver(bare.env["MISTRAL_NB_HOME"])
    bare.driven_by(here._replace(root=str(root)))
    bare.write("nb.ipynb", notebook(uses(key)))
    bare.git("add", ".")
    assert bare.objects_with(key) == []
    assert MARKER.encode() in bare.blob(":nb.ipynb")
