"""A key that no store holds is set aside before it is taken out of a file; where it can't be, the file stays."""

import json
import os
import subprocess
import sys

import pytest

from mistral_nb import exit_codes
from mistral_nb.api_key import MARKER
from mistral_nb.file_scrub.clean_file import CleanOptions, clean_file
from mistral_nb.storage.index import COMPROMISED, RETIRED, Index
from mistral_nb.storage.set_aside import RemovalPlace
from mistral_nb.watchlist import Watchlist
from support.commands import act
from support.git_repos import Repo, git_environment
from support.keys import make_key, make_text
from support.patience import PATIENCE
from support.processes import started


def document(text, cells=1):
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": ""}
    return json.dumps(
        {"cells": [*[cell] * cells, cell | {"source": text}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    )


def suspected(key):
    return f'MISTRAL_API_KEY = "{key.reveal()}"'


@pytest.fixture
def aside(environ):
    """What is set aside, with its key."""

    def read(context):
        return {context.set_aside.take(entry): entry for entry in context.set_aside.entries()}

    return read


@pytest.mark.slow
def test_a_suspected_key_is_set_aside_before_it_is_removed(new_context, folder, aside):
    key, file = make_key(), folder / "a b.ipynb"
    file.write_text(document(suspected(key), cells=2))
    acted = act(new_context("cli"), "scrub", paths=[str(file)])
    assert acted.report.exit_code == exit_codes.OK
    assert key.reveal() not in file.read_text()
    [(taken, entry)] = aside(new_context("cli")).items()
    assert taken == key
    assert (entry.file, entry.cell, entry.place) == (str(file), 3, "source")
    assert f"Set aside: …{key.tail}" in acted.shown
    assert "In no store" not in acted.shown
    [finding] = acted.report.data["findings"]
    assert (finding["kept"], finding["aside_id"]) == ("set aside", entry.id)


@pytest.mark.parametrize("where", ["off", "CI"])
def test_turned_off_or_in_ci_it_is_removed_and_named(new_context, environ, folder, aside, where):
    environ |= {"MISTRAL_NB_SET_ASIDE": "off"} if where == "off" else {"CI": "true"}
    key, file = make_key(), folder / "a.ipynb"
    file.write_text(document(suspected(key)))
    acted = act(new_context("cli"), "scrub", paths=[str(file)])
    assert MARKER in file.read_text()
    assert f"In no store here: …{key.tail}" in acted.shown
    assert aside(new_context("cli")) == {}


@pytest.mark.slow
def test_a_project_s_settings_do_not_turn_it_off(new_context, folder, aside):
    (folder / "pyproject.toml").write_text('[tool.mistral-nb]\nset_aside = false\nMISTRAL_NB_SET_ASIDE = "off"\n')
    key, file = make_key(), folder / "a.ipynb"
    file.write_text(document(suspected(key)))
    act(new_context("cli", folder=str(folder)), "scrub", paths=[str(file)])
    assert list(aside(new_context("cli"))) == [key]


def test_a_key_in_several_places_is_set_aside_once_and_its_first_place_is_noted(folder):
    key, asked = make_key(), []
    data = document(f"{suspected(key)}\n", cells=2).replace('"source": ""', f'"source": {json.dumps(suspected(key))}')
    (folder / "a.ipynb").write_text(data)

    def keep(taken, place):
        asked.append((taken, place))
        return "set aside"

    outcome = clean_file(str(folder / "a.ipynb"), Watchlist(), CleanOptions(write=True, keep_copy=keep))
    assert asked == [(key, RemovalPlace(str(folder / "a.ipynb"), 1, "source"))]
    assert [(record.cell, record.kept) for record in outcome.removed] == [(n, "set aside") for n in (1, 2, 3)]


@pytest.mark.slow
def test_one_key_in_several_files_is_one(new_context, folder, aside):
    key = make_key()
    for name in "abc":
        (folder / f"{name}.ipynb").write_text(document(suspected(key)))
    act(new_context("cli"), "scrub", paths=[str(folder)])
    assert list(aside(new_context("cli"))) == [key]


@pytest.mark.parametrize("state", [RETIRED, COMPROMISED])
def test_a_key_that_is_out_of_use_is_not(new_context, environ, folder, aside, state):
    key, file = make_key(), folder / "a.ipynb"
    Index(environ["MISTRAL_NB_HOME"]).remember(key, state)
    file.write_text(document(suspected(key)))
    act(new_context("cli"), "scrub", paths=[str(file)])
    assert key.reveal() not in file.read_text()
    assert aside(new_context("cli")) == {}


def test_a_stored_key_is_not(new_context, folder, aside):
    key, file = make_key(), folder / "a.ipynb"
    context = new_context("cli")
    context.key_manager.keep("dev", key, store="file")
    file.write_text(document(suspected(key)))
    assert "et aside" not in act(new_context("cli"), "scrub", paths=[str(file)]).shown
    assert key.reveal() not in file.read_text()
    assert aside(new_context("cli")) == {}


@pytest.mark.slow
def test_another_vendors_key_stays_and_is_not(new_context, folder, aside):
    text, key, file = make_text(), make_key(), folder / "a.ipynb"
    file.write_text(document(suspected(key)).replace('"source": ""', f'"source": "FOOBLE_API_KEY = \'{text}\'"'))
    act(new_context("cli"), "scrub", paths=[str(file)])
    assert text in file.read_text()
    assert list(aside(new_context("cli"))) == [key]


def test_a_key_of_the_environment_is_not(new_context, environ, folder, aside):
    key, file = make_key(), folder / "a.ipynb"
    environ["MISTRAL_API_KEY"] = key.reveal()
    file.write_text(document(suspected(key)))
    act(new_context("cli"), "scrub", paths=[str(file)])
    assert key.reveal() not in file.read_text()
    assert aside(new_context("cli")) == {}


class TestInAKernel:
    @pytest.fixture(autouse=True, params=["Jupyter", "VS Code"])
    def _child_of_a_kernel(self, request, environ):
        environ |= (
            {"JPY_PARENT_PID": "1"}
            if request.param == "Jupyter"
            else {"PAGER": "cat", "GIT_PAGER": "cat", "CLICOLOR_FORCE": "1"}
        )

    @pytest.mark.slow
    def test_a_key_of_the_environment_is_set_aside_since_its_cell_may_be_what_is_cleaned(
        self, new_context, environ, folder, aside
    ):
        key, file = make_key(), folder / "a.ipynb"
        environ["MISTRAL_API_KEY"] = key.reveal()
        file.write_text(document(f'os.environ["MISTRAL_API_KEY"] = "{key.reveal()}"'))
        acted = act(new_context("cli"), "scrub", paths=[str(file)])
        assert key.reveal() not in file.read_text()
        assert list(aside(new_context("cli"))) == [key]
        assert f"Set aside: …{key.tail}" in acted.shown

    @pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="Linux")
    def test_a_key_that_the_server_was_started_with_is_not(self, new_context, environ, folder, aside):
        """As containers and hubs give it. The same key is set aside above."""
        key, file = make_key(), folder / "a.ipynb"
        environ["MISTRAL_API_KEY"] = key.reveal()
        file.write_text(document(suspected(key)))
        given = {**os.environ, "MISTRAL_API_KEY": key.reveal()}
        with started([sys.executable, "-c", "input()"], env=given, stdin=subprocess.PIPE) as server:
            environ["JPY_PARENT_PID"] = str(server.pid)
            act(new_context("cli"), "scrub", paths=[str(file)])
        assert key.reveal() not in file.read_text()
        assert aside(new_context("cli")) == {}

    def test_a_key_of_a_file_or_a_store_is_not(self, new_context, environ, folder, aside):
        in_file, stored, file = make_key(), make_key(), folder / "a.ipynb"
        (folder / "key").write_text(in_file.reveal())
        new_context("cli").key_manager.keep("dev", stored, store="file")
        environ |= {"MISTRAL_API_KEY": stored.reveal(), "MISTRAL_API_KEY_FILE": str(folder / "key")}
        file.write_text(document(f"{suspected(in_file)} {suspected(stored)}"))
        act(new_context("cli"), "scrub", paths=[str(file)])
        assert not {in_file.reveal(), stored.reveal()} & set(file.read_text().split('"'))
        assert aside(new_context("cli")) == {}


@pytest.mark.slow
def test_a_key_that_is_encoded_is_set_aside_plain(new_context, key, folder, aside):
    import base64

    file = folder / "a.ipynb"
    coded = base64.b64encode(key.reveal().encode()).decode()
    file.write_text(document(f'x = "{coded}"'))
    act(new_context("cli"), "scrub", paths=[str(file)])
    assert coded not in file.read_text()
    assert list(aside(new_context("cli"))) == [key]


class TestWithoutAStore:
    @pytest.fixture(autouse=True)
    def _no_store(self, environ):
        environ |= {"MISTRAL_NB_STORE": "file"}
        del environ["MISTRAL_NB_PASSPHRASE_FILE"]

    def test_the_file_is_left_as_it_is(self, new_context, folder, aside):
        key, file = make_key(), folder / "a.ipynb"
        file.write_text(document(suspected(key)))
        before = file.read_bytes(), file.stat().st_mtime_ns
        acted = act(new_context("cli"), "scrub", paths=[str(folder)])
        assert (file.read_bytes(), file.stat().st_mtime_ns) == before
        assert acted.report.exit_code == exit_codes.INCOMPLETE
        assert f"…{key.tail} is in no store and could not be set aside" in acted.shown
        assert "MISTRAL_NB_SET_ASIDE=off" in acted.shown
        assert key.reveal() not in acted.shown
        assert [finding["tail"] for finding in acted.report.data["findings"]] == [key.tail]

    def test_other_files_are_cleaned(self, new_context, environ, folder):
        stored, lost = make_key(), make_key()
        with Index(environ["MISTRAL_NB_HOME"]).edit() as contents:
            contents.retired[:] = []
        Index(environ["MISTRAL_NB_HOME"]).remember(stored, RETIRED)
        (folder / "a.ipynb").write_text(document(suspected(stored)))
        (folder / "b.ipynb").write_text(document(suspected(lost)))
        acted = act(new_context("cli"), "scrub", paths=[str(folder)])
        assert acted.report.exit_code == exit_codes.INCOMPLETE
        assert stored.reveal() not in (folder / "a.ipynb").read_text()
        assert lost.reveal() in (folder / "b.ipynb").read_text()

    def test_turned_off_it_is_removed(self, new_context, environ, folder):
        environ["MISTRAL_NB_SET_ASIDE"] = "off"
        key, file = make_key(), folder / "a.ipynb"
        file.write_text(document(suspected(key)))
        assert act(new_context("cli"), "scrub", paths=[str(file)]).report.exit_code == exit_codes.OK
        assert key.reveal() not in file.read_text()

    def test_with_a_damaged_index_too(self, new_context, environ, folder):
        os.makedirs(environ["MISTRAL_NB_HOME"])
        Index(environ["MISTRAL_NB_HOME"])
        with open(os.path.join(environ["MISTRAL_NB_HOME"], "workspaces.json"), "w") as file:
            file.write("{")
        key, file = make_key(), folder / "a.ipynb"
        file.write_text(document(suspected(key)))
        acted = act(new_context("cli"), "scrub", paths=[str(file)])
        assert acted.report.exit_code == exit_codes.INCOMPLETE
        assert key.reveal() in file.read_text()

    def test_a_setting_outside_its_choices_leaves_the_file(self, new_context, environ, folder):
        environ["MISTRAL_NB_PROMPT"] = "disk"
        key, file = make_key(), folder / "a.ipynb"
        file.write_text(document(suspected(key)))
        acted = act(new_context("cli"), "scrub", paths=[str(file)])
        assert acted.report.exit_code == exit_codes.INCOMPLETE
        assert "MISTRAL_NB_PROMPT" in acted.shown
        assert key.reveal() in file.read_text()


class TestWithGit:
    @pytest.fixture
    def repo(self, tmp_path, environ):
        return Repo(tmp_path / "a repo", git_environment(tmp_path) | environ | {"MISTRAL_NB_SET_ASIDE": "on"})

    @pytest.mark.slow
    def test_what_the_last_commit_holds_is_not_set_aside(self, repo, new_context, aside):
        key, new = make_key(), make_key()
        repo.write("a.ipynb", document(suspected(key)).encode())
        repo.commit()
        repo.write("a.ipynb", document(suspected(key) + "\nm = Mistral(api_key='" + new.reveal() + "')").encode())
        context = new_context("cli")
        acted = act(context, "scrub", paths=[str(repo.path / "a.ipynb")])
        assert list(aside(new_context("cli"))) == [new]
        assert f"In no store here: …{key.tail}" in acted.shown
        assert f"Set aside: …{new.tail}" in acted.shown

    @pytest.mark.slow
    def test_what_is_only_staged_is_set_aside(self, repo, new_context, aside):
        key = make_key()
        repo.write("a.ipynb", document(suspected(key)).encode())
        repo.git("add", "a.ipynb")
        act(new_context("cli"), "scrub", paths=[str(repo.path / "a.ipynb")])
        assert list(aside(new_context("cli"))) == [key]

    @pytest.mark.slow
    def test_as_a_hook_it_leaves_the_file_and_the_commit_is_not_made(self, repo, environ):
        del repo.env["MISTRAL_NB_PASSPHRASE_FILE"]
        key = make_key()
        file = repo.path / "a.ipynb"
        repo.write("a.ipynb", document(suspected(key)).encode())

        def scrub(**more):
            words = [sys.executable, "-m", "mistral_nb", "scrub", "a.ipynb"]
            env = repo.env | {"PRE_COMMIT": "1"} | more
            return subprocess.run(words, env=env, cwd=repo.path, capture_output=True, text=True, timeout=60 * PATIENCE)

        done = scrub()
        assert done.returncode == exit_codes.INCOMPLETE
        assert key.reveal() in file.read_text()
        assert key.tail in done.stderr
        assert key.reveal() not in done.stderr + done.stdout
        assert scrub(MISTRAL_NB_SET_ASIDE="off").returncode == 0
        assert key.reveal() not in file.read_text()
