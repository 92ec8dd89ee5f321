"""Keys that were committed before: they stay, with one warning, until their removal is requested."""

from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER, Key
from support.git_repos import Repo, notebook, python, uses
from support.keys import make_key


@pytest.fixture
def holding(bare: Repo, key: Key) -> Repo:
    """A protected repository that held the key before."""
    for name in ("a.ipynb", "b.ipynb", "sub folder/c d.ipynb"):
        bare.write(name, notebook(uses(key), name))
    bare.commit("with a key")
    bare.protect()
    bare.commit("protected")
    return bare


@pytest.mark.slow
def test_status_stays_quiet_and_warns_once_a_command(holding: Repo) -> None:
    holding.touch()
    done = holding.run("status", "--porcelain")
    assert done.stdout == ""
    assert done.stderr.count("mistral-nb") == 1 + done.stderr.count("mistral-nb protect")
    assert "already committed" in done.stderr
    assert "and 2 more" in done.stderr


@pytest.mark.slow
def test_an_old_key_stays_and_a_new_one_beside_it_is_removed(holding: Repo, key: Key) -> None:
    new = make_key()
    holding.remember(new)
    data = notebook(uses(key), uses(new))
    holding.write("a.ipynb", data)
    holding.commit()
    assert holding.blob("HEAD:a.ipynb") == data.replace(new.reveal().encode(), MARKER.encode())
    assert holding.objects_with(new) == []


@pytest.mark.slow
def test_an_old_key_does_not_spread_to_another_file(holding: Repo, key: Key) -> None:
    holding.write("new.ipynb", notebook(uses(key)))
    holding.commit()
    assert MARKER.encode() in holding.blob("HEAD:new.ipynb")


@pytest.mark.slow
def test_a_suspected_key_that_was_committed_stays_also_when_its_context_comes_later(bare: Repo) -> None:
    unknown = make_key()
    bare.write("a.ipynb", notebook(f"token = '{unknown.reveal()}'"))
    bare.commit("nobody knows what it is")
    bare.protect()
    bare.write("a.ipynb", notebook(f"token = '{unknown.reveal()}'", "import mistralai"))
    bare.commit("now it looks like a key")
    assert unknown.reveal().encode() in bare.blob("HEAD:a.ipynb")
    bare.write("b.ipynb", notebook(f"token = '{unknown.reveal()}'", "import mistralai"))
    bare.commit("and here it is new")
    assert unknown.reveal().encode() not in bare.blob("HEAD:b.ipynb")


@pytest.mark.slow
def test_renormalising_removes_them_as_one_change(holding: Repo, key: Key) -> None:
    before = {name: holding.read(name) for name in ("a.ipynb", "b.ipynb", "sub folder/c d.ipynb")}
    report = holding.protect(renormalize=True).report
    assert holding.status() == 'M  a.ipynb\nM  b.ipynb\nM  "sub folder/c d.ipynb"\n'
    assert report.data["renormalized"] == list(before)
    assert report.data["tracked"] == []
    holding.git("commit", "-q", "-m", "keys out")
    holding.touch()
    assert holding.status() == ""
    for name, data in before.items():
        assert holding.read(name) == data  # the files are untouched
        assert key.reveal().encode() not in holding.blob(f"HEAD:{name}")
    assert holding.protect(renormalize=True).report.data["renormalized"] == []


@pytest.mark.slow
def test_renormalising_leaves_unstaged_changes_unstaged(holding: Repo, key: Key) -> None:
    holding.write("a.ipynb", notebook(uses(key), "unstaged"))
    holding.protect(renormalize=True)
    assert b"unstaged" not in holding.blob(":a.ipynb")
    assert holding.status().startswith("MM a.ipynb\n")


@pytest.mark.slow
def test_renormalising_in_a_merge_leaves_the_conflict_to_be_resolved(holding: Repo, key: Key) -> None:
    holding.git("switch", "-q", "-c", "topic")
    holding.write("a.ipynb", notebook(uses(key), "topic"))
    holding.commit()
    holding.git("switch", "-q", "main")
    holding.write("a.ipynb", notebook(uses(key), "main"))
    holding.commit()
    assert holding.run("merge", "topic").returncode == 1
    holding.protect(renormalize=True)
    assert "UU a.ipynb" in holding.status()


@pytest.mark.slow
def test_a_key_that_becomes_known_later_is_named_by_status(repo: Repo) -> None:
    late = make_key()
    repo.write("late.ipynb", notebook(f"x = '{late.reveal()}'"))
    repo.write("script.py", f"x = '{late.reveal()}'\n".encode())
    repo.commit("nothing is known of it")
    assert repo.act("protect", status=True).report.exit_code == 0
    repo.remember(late)
    report = repo.act("protect", status=True).report
    assert report.exit_code == 1
    assert {(entry["file"], entry["covered"]) for entry in report.data["tracked"]} == {
        ("late.ipynb", True),
        ("script.py", False),
    }
    assert "protect --renormalize" in str(report)
    assert late.reveal() not in str(report)


def test_protecting_reports_existing_keys(bare: Repo, key: Key) -> None:
    bare.write("a.ipynb", notebook(uses(key)))
    bare.git("add", ".")
    shown = bare.protect().shown
    assert "a.ipynb" in shown
    assert key.tail in shown
    assert "--renormalize" in shown
    assert key.reveal() not in shown


@pytest.mark.slow
def test_a_front_end_that_takes_paths_literally_sees_no_change_either(holding: Repo) -> None:
    """Magit gives --literal-pathspecs to every call of git, and git hands that on to the filter."""
    holding.touch()
    assert holding.git("--literal-pathspecs", "status", "--porcelain") == ""
    holding.git("branch", "other", "HEAD~1")
    holding.git("--literal-pathspecs", "switch", "-q", "other")


def test_an_old_key_behind_a_pointer_stays(bare: Repo, key: Key, tmp_path: Path) -> None:
    """As with LFS: what is in the index is not the content."""
    kept = tmp_path / "kept"
    bare.git("config", "filter.far.clean", python(f"open({str(kept)!r}, 'wb').write(data); data = b'pointer'"))
    bare.git("config", "filter.far.smudge", python(f"data = open({str(kept)!r}, 'rb').read()"))
    bare.write(".gitattributes", b"*.ipynb filter=far\n")
    bare.write("a.ipynb", notebook(uses(key)))
    bare.commit("with a key, elsewhere")
    bare.protect(wrap=True)
    bare.touch()
    assert bare.status() == ""
    assert key.reveal().encode() in kept.read_bytes()


def test_a_key_in_the_name_of_a_tracked_file_is_not_shown(bare: Repo, key: Key) -> None:
    bare.write(f"of {key.reveal()}.ipynb", notebook(uses(key)))
    bare.write(f"of {key.reveal()}.py", uses(key).encode())
    bare.commit()
    for flags in ({}, {"status": True}, {"renormalize": True}):
        done = bare.protect(**flags)
        assert f"of {MARKER}.py: …{key.tail}" in done.shown
        assert len(done.report.data["tracked"]) == (1 if flags == {"renormalize": True} else 2)
        assert key.reveal() not in done.shown + str(done.report.data)
