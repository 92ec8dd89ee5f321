"""Another filter inside ours: in the right order, with git's own rules for what fails."""

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.git.repository_protection import FilterConflict
from mistral_nb.git.wrapped_filter import substitute_path
from support.git_repos import Repo, notebook, python, uses
from support.requirements import absent

OTHER = b"*.ipynb filter=other\n"


@pytest.fixture
def wrapping(bare: Repo, tmp_path: Path) -> Repo:
    """Notebooks have a filter that keeps what it is given, and upper-cases a word; back it is lower-cased."""
    keep = f"open({str(tmp_path / 'kept')!r}, 'ab').write(data)"
    bare.git("config", "filter.other.clean", python(f"{keep}; data = data.replace(b'word', b'WORD')"))
    bare.git("config", "filter.other.smudge", python("data = data.replace(b'WORD', b'word')"))
    bare.write(".gitattributes", OTHER)
    return bare


@pytest.mark.slow
def test_both_run_and_the_other_one_never_gets_the_key(wrapping: Repo, key: Key, tmp_path: Path) -> None:
    wrapping.protect(wrap=True)
    assert wrapping.read(".gitattributes") == OTHER  # the others' is left to them
    data = notebook(uses(key), "a word")
    wrapping.write("nb.ipynb", data)
    wrapping.commit()
    stored = wrapping.blob("HEAD:nb.ipynb")
    assert b"a WORD" in stored
    assert MARKER.encode() in stored
    assert wrapping.objects_with(key) == []
    kept = (tmp_path / "kept").read_bytes()
    assert b"a word" in kept
    assert key.reveal().encode() not in kept
    assert wrapping.status() == ""
    (wrapping.path / "nb.ipynb").unlink()
    wrapping.git("checkout", "--", ".")
    assert b"a word" in wrapping.read("nb.ipynb")
    assert wrapping.status() == ""
    assert "other" in wrapping.act("protect", status=True).shown
    assert not wrapping.protect(wrap=True).report.data["changed"]
    assert wrapping.protect().report.data["wraps"] == "other"
    wrapping.act("unprotect")
    assert wrapping.git("check-attr", "filter", "nb.ipynb") == "nb.ipynb: filter: other\n"


@pytest.mark.slow
def test_a_key_added_by_the_other_filter_is_removed_too(wrapping: Repo, key: Key) -> None:
    wrapping.git("config", "filter.other.clean", python(f"data = data.replace(b'word', {key.reveal().encode()!r})"))
    wrapping.protect(wrap=True)
    wrapping.write("nb.ipynb", notebook("Mistral", "a word"))
    wrapping.commit()
    assert wrapping.objects_with(key) == []
    assert MARKER.encode() in wrapping.blob("HEAD:nb.ipynb")


def test_one_that_fails_and_is_required_stops_the_commit(wrapping: Repo, key: Key) -> None:
    wrapping.git("config", "filter.other.clean", python("sys.exit(3)"))
    wrapping.git("config", "filter.other.required", "true")
    wrapping.protect(wrap=True)
    wrapping.write("nb.ipynb", notebook(uses(key)))
    failed = wrapping.run("add", "nb.ipynb")
    assert failed.returncode != 0
    assert "The filter other failed at clean" in failed.stderr
    assert wrapping.objects_with(key) == []


def test_one_that_fails_and_is_not_required_is_skipped_with_a_warning(wrapping: Repo, key: Key) -> None:
    wrapping.git("config", "filter.other.clean", python("sys.exit(3)"))
    wrapping.protect(wrap=True)
    wrapping.write("nb.ipynb", notebook(uses(key), "a word"))
    added = wrapping.run("add", "nb.ipynb")
    assert added.returncode == 0
    assert "The filter other failed at clean" in added.stderr
    assert b"a word" in wrapping.blob(":nb.ipynb")
    assert wrapping.objects_with(key) == []


def test_a_filter_that_is_not_configured_here_runs_as_git_would_run_it(bare: Repo, key: Key) -> None:
    bare.write(".gitattributes", OTHER)
    bare.protect(wrap=True)
    bare.write("nb.ipynb", notebook(uses(key)))
    bare.commit()
    assert bare.objects_with(key) == []


def test_one_that_is_a_process_alone_is_refused(bare: Repo) -> None:
    bare.write(".gitattributes", OTHER)
    bare.git("config", "filter.other.process", "something")
    with pytest.raises(FilterConflict, match="process"):
        bare.protect(wrap=True)


def test_one_that_only_some_notebooks_have_is_refused(bare: Repo) -> None:
    bare.write("large/nb.ipynb", notebook("1"))
    bare.write("large/.gitattributes", OTHER)
    with pytest.raises(FilterConflict, match="some of the notebooks"):
        bare.protect(wrap=True)


@pytest.mark.slow
def test_the_real_nbstripout_inside(bare: Repo, key: Key) -> None:
    script = shutil.which("nbstripout", path=str(Path(sys.executable).parent)) or shutil.which("nbstripout")
    if not script:
        absent("nbstripout not installed")
    bare.git("config", "filter.nbstripout.clean", shlex.quote(str(script)))
    bare.git("config", "filter.nbstripout.smudge", "cat")
    bare.git("config", "filter.nbstripout.required", "true")
    bare.write(".gitattributes", b"*.ipynb filter=nbstripout\n")
    bare.protect(wrap=True)
    bare.write("nb.ipynb", notebook(uses(key), outputs=("an output",)))
    bare.commit()
    stored = bare.blob("HEAD:nb.ipynb")
    assert b"an output" not in stored
    assert MARKER.encode() in stored
    assert bare.objects_with(key) == []
    assert bare.status() == ""


@pytest.mark.parametrize(
    ("command", "path", "expected"),
    [
        ("x -- %f", "a b.ipynb", "x -- 'a b.ipynb'"),
        ("x %f", "it's", "x 'it'\"'\"'s'"),
        ("x 100%% %f", "n", "x 100% n"),
        ("x %%f", "n", "x %f"),
        ("x", "n", "x"),
    ],
)
def test_the_path_is_substituted_as_in_git(command: str, path: str, expected: str) -> None:
    assert substitute_path(command, path) == expected
