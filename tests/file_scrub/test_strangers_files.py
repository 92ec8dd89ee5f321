"""Which files are rewritten, by whom, and where links lead: one table, in the code, in docs/saving.md, and here."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.command_context import Context
from mistral_nb.file_scrub import file_types
from mistral_nb.file_scrub.clean_file import CleanOptions, clean_file
from mistral_nb.file_scrub.file_types import RULES
from mistral_nb.watchlist import Watchlist
from support.commands import act
from support.git_repos import notebook, uses
from support.keys import make_key

DOCS = Path(__file__).parents[2] / "docs/saving.md"
HOOK, FOLDER, FILE = "hook", "folder", "file"
ANYONE, SCRUB, ONLY_NAMED, NOBODY = (
    frozenset({HOOK, FOLDER, FILE}),
    frozenset({FOLDER, FILE}),
    frozenset({FILE}),
    frozenset(),
)
NAMES = {  # a file's name → who takes a known key out of it
    **dict.fromkeys(("a.ipynb", "A.IPYNB", "a.py", "a.md", "a.qmd", "a.R", "a.Rmd", "a.jl"), ANYONE),
    **dict.fromkeys(("a.html", "a.slides.html", "a.tex", "a.rst", "a.asciidoc"), ANYONE),
    **dict.fromkeys(("a.txt", "a.csv", "a.log", "Makefile", "a"), SCRUB),
    **dict.fromkeys(("a.json", "a.yaml", "a.yml", "a.toml", "a.ini", "a.cfg", "a.conf", "a.properties"), ONLY_NAMED),
    **dict.fromkeys((".bashrc", ".profile", ".zshenv", ".netrc", ".pypirc", ".Rprofile", "activate.sh"), ONLY_NAMED),
    **dict.fromkeys(("ipython_config.py", "jupyter_server_config.py", "sitecustomize.py", "credentials"), ONLY_NAMED),
    **dict.fromkeys((".env", ".env.local", ".envrc", "prod.env"), NOBODY),
}


def clean(file: Path, who: str, key: Key) -> None:
    order = CleanOptions(write=True, is_explicit=who != HOOK, is_named=who == FILE)
    clean_file(str(file), Watchlist(known=(key,)), order)


@pytest.mark.parametrize("who", [HOOK, FOLDER, FILE])
@pytest.mark.parametrize("name", NAMES)
def test_who_takes_a_key_out_of_which_file(name, who, tmp_path):
    key, file = make_key(), tmp_path / name
    file.write_text(uses(key))
    clean(file, who, key)
    assert (key.reveal() not in file.read_text()) == (who in NAMES[name])
    assert file_types.can_be_rewritten(str(file)) == (HOOK in NAMES[name])


@pytest.mark.parametrize("variable", ["PRE_COMMIT", "GIT_INDEX_FILE"])
def test_scrub_in_a_commit_s_hook_is_a_hook(variable, environ, tmp_path, monkeypatch):
    key = make_key()
    for name in ("a.json", "b.json", "a.py"):
        (tmp_path / name).write_text(uses(key))
    paths = [str(tmp_path / name) for name in ("a.json", "a.py")]
    environ["MISTRAL_API_KEY"] = key.reveal()
    done = act(Context(environ=environ | {variable: "1"}), "scrub", paths=paths)
    assert done.report.exit_code == 1
    assert key.reveal() in (tmp_path / "a.json").read_text()
    assert key.reveal() not in (tmp_path / "a.py").read_text()
    act(Context(environ=environ), "scrub", paths=[str(tmp_path / "b.json")])  # the control
    assert key.reveal() not in (tmp_path / "b.json").read_text()


def test_the_page_names_every_extension_of_the_table():
    rows = [line for line in DOCS.read_text().splitlines() if line.startswith("|")]
    for kind, rule in RULES.items():
        row = next((row for row in rows if rule.extensions and f"{rule.extensions[0]} " in row), "")
        if kind not in (file_types.NOTEBOOK, file_types.ENV) and rule.extensions:
            named = set(re.findall(r"\.[a-z0-9]+\b", row.split("|")[1]))
            assert named - {".bashrc"} == set(rule.extensions), kind


LEADS_TO = ((".bashrc", False), ("settings.toml", False), (".env", False), ("b.ipynb", True), ("b.txt", True))


@pytest.mark.parametrize(("target", "rewritten"), LEADS_TO)
def test_what_a_file_is_is_decided_by_where_it_leads(target, rewritten, tmp_path):
    """`scrub *.ipynb` took the only copy of a key out of a start-up file."""
    key, link = make_key(), tmp_path / "notes.ipynb"
    (tmp_path / target).write_text(f"export MISTRAL_API_KEY={key.reveal()}\n")
    link.symlink_to(target)
    clean(link, FOLDER, key)
    assert (key.reveal() not in (tmp_path / target).read_text()) == rewritten
    assert link.is_symlink()


def test_a_link_from_a_start_up_file_to_a_notebook_is_one_too(tmp_path):
    """The stricter of both names: the program that reads `.bashrc` reads what it leads to."""
    key = make_key()
    (tmp_path / "b.ipynb").write_text(uses(key))
    (tmp_path / ".bashrc").symlink_to("b.ipynb")
    clean(tmp_path / ".bashrc", HOOK, key)
    assert key.reveal() in (tmp_path / "b.ipynb").read_text()


@pytest.fixture
def named(tmp_path: Path, key: Key) -> Path:
    """A folder with links: within it, out of it to a file and to a folder; each target has a key."""
    folder, outside = tmp_path / "named", tmp_path / "outside"
    for place in (folder / "deep", outside / "more"):
        place.mkdir(parents=True)
    for file in (folder / "deep/own.ipynb", outside / "other.ipynb", outside / "more/third.ipynb"):
        file.write_bytes(notebook(uses(key)))
    (folder / "within.ipynb").symlink_to("deep/own.ipynb")
    (folder / "out.ipynb").symlink_to(outside / "other.ipynb")
    (folder / "out").symlink_to(outside / "more")
    (folder / "gone.ipynb").symlink_to(outside / "nothing.ipynb")
    return folder


def scrub(environ: dict[str, str], *paths: Path, **flags: Any) -> Any:
    return act(Context(environ=environ), "scrub", paths=[str(path) for path in paths], **flags)


def test_a_link_out_of_a_folder_is_counted_and_not_followed(named, environ, key):
    done = scrub(environ, named)
    assert done.report.exit_code == 0  # nothing of what was named is left
    links = [each["path"] for each in done.report.data["passed_over"] if each["reason"] == "link"]
    assert links == [str(named / name) for name in ("gone.ipynb", "out", "out.ipynb", "within.ipynb")]
    assert MARKER in (named / "deep/own.ipynb").read_text()
    for file in ("other.ipynb", "more/third.ipynb"):
        assert key.reveal() in (named.parent / "outside" / file).read_text()


@pytest.mark.slow
def test_a_named_link_out_of_its_folder_is_reported_with_the_path_to_give(named, environ, key):
    done = scrub(environ, named / "out.ipynb", named / "within.ipynb")
    target = named.parent / "outside/other.ipynb"
    assert done.report.exit_code == 3
    assert f"out.ipynb: could not be cleaned: it is a link to {target}; give that path instead" in done.shown
    assert key.reveal() in target.read_text()
    assert MARKER in (named / "deep/own.ipynb").read_text()  # the control: a link within is followed
    assert scrub(environ, target).report.exit_code == 0
    assert MARKER in target.read_text()


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="extended attributes of Linux")
def test_mode_and_extended_attributes_stay(tmp_path, environ, key):
    file = tmp_path / "a.ipynb"
    file.write_bytes(notebook(uses(key)))
    file.chmod(0o640)
    try:
        os.setxattr(file, "user.note", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    scrub(environ, file)
    assert MARKER in file.read_text()
    assert os.getxattr(file, "user.note") == b"mine"
    assert file.stat().st_mode & 0o777 == 0o640


def test_papermill_s_parameters_and_their_copy_in_the_metadata_are_cleaned(tmp_path, key):
    """`papermill -p api_key KEY` writes the key into a cell and twice into the metadata."""
    document = json.loads(notebook(f'api_key = "{key.reveal()}"', "from mistralai import Mistral"))
    document["metadata"]["papermill"] = {"parameters": {"api_key": key.reveal()}, "environment_variables": {}}
    document["cells"][0]["metadata"] = {"tags": ["injected-parameters"]}
    file = tmp_path / "out.ipynb"
    for known in (Watchlist(known=(key,)), Watchlist()):  # as after a first cell's guard, and in another process
        file.write_text(json.dumps(document))
        clean_file(str(file), known, CleanOptions(write=True, is_explicit=False))
        assert key.reveal() not in file.read_text()
