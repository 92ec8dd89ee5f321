"""The hook that scans what is about to be pushed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.git.doctor_checks import protection_status
from mistral_nb.git.run_git import Git
from support.git_repos import Repo, notebook, uses
from support.keys import make_key

_EXISTING = '#!/bin/sh\n{ echo "$@"; cat; } >> "$(dirname "$0")/seen"\nexit %d\n'


@pytest.fixture
def pushing(with_remote: Repo) -> Repo:
    """Pushes are scanned; the filter is not in the way of committing a key."""
    with_remote.protect(local=True)
    (with_remote.path / ".git/info/attributes").unlink()
    return with_remote


def existing(repo: Repo, code: int) -> Path:
    file = repo.path / ".git/hooks/pre-push"
    file.write_text(_EXISTING % code)
    file.chmod(0o755)
    return file


def test_a_key_is_not_pushed_and_the_error_says_what_to_do(pushing: Repo, key: Key) -> None:
    pushing.git("push", "-q", "-u", "origin", "main")
    pushing.write("script.py", uses(key).encode())  # no notebook: the filter would not have seen it
    pushing.commit("with a key")
    refused = pushing.run("push")
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    for part in ("script.py", f"…{key.tail}", "git push --no-verify", "A Person", "Revoke"):
        assert part in refused.stderr
    assert key.reveal() not in said
    pushing.git("push", "-q", "--no-verify")
    pushing.write("more.txt", b"more")
    pushing.commit("what is there already is not scanned again")
    pushing.git("push", "-q")


def test_the_refusal_shows_no_key_of_a_name(pushing: Repo) -> None:
    """Of a key that only the pushed file tells of."""
    key = make_key()
    pushing.git("push", "-q", "-u", "origin", "main")
    pushing.write(f"a {key.reveal()}.py", uses(key).encode())
    pushing.git("add", ".")
    pushing.git("commit", "-q", "-m", "x", f"--author=x {key.reveal()} <a@example.com>")
    refused = pushing.run("push")
    assert refused.returncode != 0
    assert f"…{key.tail}" in refused.stderr
    assert key.reveal()[:15] not in refused.stdout + refused.stderr
    for place in ("--format=%an", "--format= --name-only"):
        assert key.reveal()[:15] in pushing.git("log", "-1", *place.split()), "the search finds it"


@pytest.mark.slow
def test_a_new_branch_a_tag_and_a_forced_push_are_scanned(pushing: Repo, key: Key) -> None:
    pushing.git("push", "-q", "origin", "main")
    pushing.git("switch", "-q", "-c", "topic")
    pushing.write("a.ipynb", notebook(uses(key)))
    pushing.commit()
    pushing.git("rm", "-q", "a.ipynb")
    pushing.git("commit", "-q", "-m", "it is only in the history now")
    pushing.git("tag", "-a", "-m", "x", "v1")
    for words in (("topic",), ("v1",), ("--all",), ("-f", "topic:main"), ("HEAD:refs/heads/new",)):
        assert pushing.run("push", "origin", *words).returncode != 0, words
    pushing.git("switch", "-q", "main")
    pushing.git("push", "-q", "origin", "main:fine")


@pytest.mark.parametrize("source", ["HEAD^{/a change}", "main@{0 days ago}", "a\u2028branch"], ids=ascii)
def test_what_is_pushed_may_be_named_in_any_way_that_git_knows(source: str, pushing: Repo, key: Key) -> None:
    pushing.git("push", "-q", "origin", "main")
    pushing.write("script.py", uses(key).encode())
    pushing.commit()
    pushing.git("branch", "a\u2028branch")
    refused = pushing.run("push", "origin", f"{source}:refs/heads/new\u2028name")
    assert refused.returncode != 0
    assert f"…{key.tail}" in refused.stderr
    pushing.git("push", "-q", "--no-verify", "origin", f"{source}:refs/heads/new\u2028name")


@pytest.mark.slow
def test_deleting_a_branch_and_pushing_nothing_are_let_through(pushing: Repo) -> None:
    pushing.git("push", "-q", "origin", "main", "main:other")
    pushing.git("push", "-q", "origin", ":other")
    pushing.git("push", "-q", "origin", "main")


@pytest.mark.slow
def test_pushing_to_an_address_without_a_name_is_scanned(pushing: Repo, key: Key) -> None:
    pushing.git("push", "-q", "../the remote.git", "main")
    pushing.write("a.ipynb", notebook(uses(key)))
    pushing.commit()
    assert pushing.run("push", "../the remote.git", "main").returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 7])
def test_an_existing_hook_runs_first_with_the_same_arguments(code: int, bare: Repo, key: Key) -> None:
    bare.git("init", "-q", "--bare", "../there.git")
    bare.write("nb.ipynb", notebook("1"))
    bare.commit()
    file = existing(bare, code)
    before = file.read_text()
    bare.protect()
    bare.protect()
    done = bare.run("push", "../there.git", "main")
    assert (done.returncode == 0) == (code == 0)
    seen = (bare.path / ".git/hooks/seen").read_text().splitlines()
    assert seen[0] == "../there.git ../there.git"
    assert seen[1].startswith("refs/heads/main ")
    bare.act("unprotect")
    assert file.read_text() == before
    assert not Path(f"{file}.before-mistral-nb").exists()


def test_if_the_scanner_is_missing_the_push_is_stopped_with_a_fix(pushing: Repo) -> None:
    hook = pushing.path / ".git/hooks/pre-push"
    hook.write_text(hook.read_text().replace("set -- ", "set -- /gone", 1))
    failed = pushing.run("push", "origin", "main")
    assert failed.returncode != 0
    assert "run mistral-nb protect" in failed.stderr
    assert "git push --no-verify" in failed.stderr


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda hook: None, "pushes are scanned"),
        (
            lambda hook: hook.write_text(hook.read_text().replace("set -- ", "set -- /gone", 1)),
            "the interpreter /gone/",
        ),
        (lambda hook: hook.write_text(hook.read_text().replace("set -- ", "set -- '", 1)), "no longer exists"),
        (lambda hook: hook.chmod(0o644), "is not executable"),
        (lambda hook: hook.unlink(), "pushes are not scanned"),
    ],
)
def test_the_state_of_the_hook_is_reported(pushing: Repo, harm: Callable[[Path], object], said: str) -> None:
    harm(pushing.path / ".git/hooks/pre-push")
    home = pushing.env["MISTRAL_NB_HOME"]
    row = next(
        row for row in protection_status(Git(str(pushing.path), pushing.env), home).rows if row.label == "pre-push"
    )
    assert said in row.value
    assert (row.state == "ok") == (said == "pushes are scanned")


@pytest.mark.slow
def test_a_remote_that_took_over_a_name_gets_no_key(pushing: Repo, key: Key) -> None:
    """What is noted of origin is of the repository that had that name before."""
    pushing.write("script.py", uses(key).encode())
    pushing.commit("with a key")
    pushing.git("push", "-q", "--no-verify", "origin", "main")
    pushing.git("init", "-q", "--bare", "../another.git")
    pushing.git("remote", "set-url", "origin", "../another.git")
    refused = pushing.run("push", "origin", "main")
    assert refused.returncode != 0
    assert f"…{key.tail}" in refused.stderr + refused.stdout
    another = Repo(pushing.path.parent / "another.git", pushing.env, make=False)
    assert another.objects_with(key) == []
    pushing.git("push", "-q", "--no-verify", "origin", "main")
    assert another.objects_with(key) == ["plain"], "the control: it was on its way there"


@pytest.mark.slow
def test_a_new_branch_is_compared_with_what_the_other_side_has(pushing: Repo, key: Key) -> None:
    pushing.write("script.py", uses(key).encode())
    pushing.commit("with a key, long ago")
    pushing.git("push", "-q", "--no-verify", "origin", "main")
    pushing.git("remote", "remove", "origin")  # nothing is noted of it any more
    pushing.git("switch", "-q", "-c", "topic")
    pushing.write("more.txt", b"more")
    pushing.commit("and no key")
    pushing.git("push", "-q", "../the remote.git", "topic")


@pytest.mark.slow
def test_a_key_behind_a_replacement_is_found(pushing: Repo, key: Key) -> None:
    """`git replace` changes what git shows here, not what is pushed."""
    pushing.write("a.ipynb", notebook(uses(key)))
    pushing.commit("with a key")
    clean = pushing.git("hash-object", "-w", "--stdin", given="{}").strip()
    pushing.git("replace", pushing.git("rev-parse", "HEAD:a.ipynb").strip(), clean)
    assert pushing.blob("HEAD:a.ipynb") == b"{}", "the control: git shows the replacement"
    assert pushing.run("push", "origin", "main").returncode != 0
    assert pushing.act("scan", paths=[], git_history="").report.exit_code == 1


@pytest.mark.slow
def test_unreadable_objects_are_not_pushed_silently(pushing: Repo, tmp_path: Path) -> None:
    pushing.git("push", "-q", "origin", "main")
    pushing.git("config", "uploadpack.allowFilter", "true", GIT_DIR=str(pushing.path.parent / "the remote.git"))
    url = (pushing.path.parent / "the remote.git").as_uri()
    pushing.git("clone", "-q", "--filter=blob:none", "--no-checkout", url, str(tmp_path / "partial"))
    partial = Repo(tmp_path / "partial", pushing.env, make=False)
    partial.protect(local=True)
    partial.git("init", "-q", "--bare", "../second.git")
    refused = partial.run("push", "../second.git", "main")
    assert refused.returncode != 0
    assert "not read" in refused.stdout + refused.stderr
    assert "--no-verify" in refused.stdout + refused.stderr


def test_an_original_hook_is_never_overwritten(bare: Repo) -> None:
    bare.protect(local=True)
    hook = bare.path / ".git/hooks/pre-push"
    hook.rename(hook.with_name("pre-push.legacy"))  # as pre-commit does where it finds a hook
    existing(bare, 0)
    again = bare.protect(local=True)
    assert again.report.exit_code == 0
    assert "seen" in hook.read_text()
    assert "pushes are scanned" in bare.act("protect", status=True).shown
    bare.act("unprotect")
    assert not hook.with_name("pre-push.legacy").exists()
    assert "seen" in hook.read_text()


def test_two_existing_hooks_are_left_alone(bare: Repo) -> None:
    first = existing(bare, 0).read_text()
    bare.protect(local=True)
    hook = bare.path / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\nexit 0\n")
    done = bare.protect(local=True).report
    assert done.exit_code == 1
    assert f"{hook} does not start the scan" in str(done)
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"
    assert hook.with_name("pre-push.before-mistral-nb").read_text() == first
