"""Settings: a variable, then the project's table, then the default; invalid values are reported."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_nb import config
from mistral_nb.errors import WrongUsage
from support.keys import make_key, make_text


@pytest.fixture
def project(tmp_path):
    """Writes the ``pyproject.toml`` of a project and returns its folder."""

    def write(text, folder="project"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "pyproject.toml").write_text(text)
        return str(tmp_path / folder)

    return write


def test_without_settings_the_defaults_apply(tmp_path):
    loaded = config.load({"MISTRAL_NB_HOME": str(tmp_path)}, str(tmp_path))
    assert (loaded.home, loaded.store, loaded.prompt) == (str(tmp_path), "auto", "getpass")
    assert loaded.api == "https://api.mistral.ai"
    assert loaded.passphrase is loaded.passphrase_file is loaded.workspace is loaded.key_file is None


def test_the_default_home_is_the_platforms_data_folder():
    assert os.path.basename(config.data_folder({})) == "mistral-nb"
    assert os.path.isabs(config.data_folder({}))


def test_the_home_may_be_written_with_a_tilde():
    assert config.data_folder({"MISTRAL_NB_HOME": "~/keys"}) == os.path.expanduser("~/keys")


@pytest.mark.parametrize(
    ("variable", "table", "expected"),
    [(None, None, 0), (None, 1, 1), (1, None, 1), (1, 0, 1), (0, 1, 0), ("", 1, 1)],
)
def test_a_variable_overrides_the_project_which_overrides_the_default(project, variable, table, expected):
    choices = config.PROMPTS
    env = {} if variable is None else {"MISTRAL_NB_PROMPT": choices[variable] if variable != "" else ""}
    line = "" if table is None else f'prompt = "{choices[table]}"'
    loaded = config.load(env, project(f"[tool.mistral-nb]\n{line}"))
    assert loaded.prompt == choices[expected]


@pytest.mark.parametrize("store", config.STORES)
def test_every_store_can_be_chosen(tmp_path, store):
    assert config.load({"MISTRAL_NB_STORE": store}, str(tmp_path)).store == store


@pytest.mark.parametrize(
    ("env", "table", "words"),
    [
        ({"MISTRAL_NB_STORE": "cloud"}, "", ["MISTRAL_NB_STORE", "auto, keyring, file, memory"]),
        ({"MISTRAL_NB_STORE": "KEYRING"}, "", ["MISTRAL_NB_STORE"]),
        ({"MISTRAL_NB_PROMPT": "popup"}, "", ["MISTRAL_NB_PROMPT", "getpass, widget"]),
        ({}, 'prompt = "cloud"', ["prompt in", "pyproject.toml"]),
        ({}, "prompt = 3", ["prompt in", "pyproject.toml"]),
        ({}, 'prompt = ["widget"]', ["prompt in", "pyproject.toml"]),
    ],
)
def test_a_value_outside_the_choices_is_wrong_usage_and_its_place_is_named(project, env, table, words):
    with pytest.raises(WrongUsage) as caught:
        config.load(env, project(f"[tool.mistral-nb]\n{table}"))
    assert all(word in caught.value.failed for word in words)
    assert caught.value.exit_code == 2
    assert "cloud" not in str(caught.value)  # a variable may hold a key by mistake


@pytest.mark.parametrize(
    ("variable", "field", "given", "expected"),
    [
        ("MISTRAL_NB_API", "api", "http://127.0.0.1:1/", "http://127.0.0.1:1"),
        ("MISTRAL_NB_API", "api", "", config.DEFAULT_API),
        ("MISTRAL_NB_WORKSPACE", "workspace", "prod", "prod"),
        ("MISTRAL_NB_WORKSPACE", "workspace", "", None),
        ("MISTRAL_API_KEY_FILE", "key_file", "/run/secrets/key", "/run/secrets/key"),
        ("MISTRAL_NB_PASSPHRASE_FILE", "passphrase_file", "", None),
        ("MISTRAL_NB_PASSPHRASE", "passphrase", "", None),
    ],
)
def test_an_empty_variable_counts_as_unset(tmp_path, variable, field, given, expected):
    assert getattr(config.load({variable: given}, str(tmp_path)), field) == expected


@pytest.mark.parametrize(
    ("env", "table", "guarded"),
    [
        ({}, "", False),
        ({}, "guard_terminal = true", True),
        ({}, "guard_terminal = false", False),
        ({"MISTRAL_NB_GUARD_TERMINAL": "1"}, "", True),
        ({"MISTRAL_NB_GUARD_TERMINAL": "0"}, "guard_terminal = true", False),
    ],
)
def test_the_terminal_is_guarded_where_a_variable_or_the_project_says_so(project, env, table, guarded):
    assert config.guards_terminal(env, project(f"[tool.mistral-nb]\n{table}")) is guarded


def test_a_passphrase_is_not_shown_by_the_settings(tmp_path):
    text = make_text()
    loaded = config.load({"MISTRAL_NB_PASSPHRASE": text}, str(tmp_path))
    assert loaded.passphrase.reveal() == text
    assert text not in f"{loaded} {loaded!r}"
    assert text in repr(loaded._replace(workspace=text))  # negative control: the search finds it


def test_the_nearest_project_counts(project):
    project('[tool.mistral-nb]\nworkspace = "outer"')
    inner = project('[tool.mistral-nb]\nworkspace = "inner"', "project/inner")
    project("[tool.other]", "project/inner/innermost")
    below = os.path.join(inner, "src", "deep")
    os.makedirs(below)
    found = config.find_project(below)
    assert found.table == {"workspace": "inner"}
    assert found.file == os.path.join(inner, "pyproject.toml")
    assert config.find_project(os.path.join(inner, "innermost")).table == {}


def test_without_a_project_there_is_no_file(tmp_path):
    found = config.find_project(str(tmp_path))
    assert found == config.ProjectSettings() or not found.file.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[tool.mistral-nb\nworkspace = 1", "could not be read"),
        ("tool = 3\n# mistral-nb", "could not be read"),
        ('[tool]\nmistral-nb = "prod"', "is not a table"),
        ("[[tool.mistral-nb]]\na = 1", "is not a table"),
    ],
)
def test_a_broken_project_is_a_problem_and_no_error(project, text, problem):
    loaded = config.load({}, project(text))
    assert problem in loaded.project.problem
    assert loaded.project.table == {}
    assert loaded.store == "auto"


def test_a_project_that_is_not_utf8_is_a_problem(project):
    folder = project("")
    with open(os.path.join(folder, "pyproject.toml"), "wb") as file:
        file.write(b"[tool.mistral-nb]\nworkspace = '\xff'")
    assert "could not be read" in config.find_project(folder).problem


def test_a_project_too_deep_to_read_is_a_problem(project):
    assert "could not be read" in config.find_project(project("mistral-nb = " + "[" * 50_000)).problem


def test_a_broken_project_without_our_section_is_ignored(project):
    assert config.find_project(project("[broken")).problem == ""


@given(st.binary())
def test_any_project_bytes_are_handled(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    (folder / "pyproject.toml").write_bytes(b"mistral-nb" + data)
    try:
        assert config.find_project(str(folder)).file
    finally:
        (folder / "pyproject.toml").unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not delete a working directory")
def test_a_deleted_working_directory_is_handled(tmp_path):
    code = (
        "import os, sys; os.rmdir(os.getcwd()); from mistral_nb import config, watchlist\n"
        "assert config.load({}).project == config.ProjectSettings()\n"
        "assert watchlist.build_watchlist(environ={'MISTRAL_NB_HOME': sys.argv[1]}).problems == ()"
    )
    gone = tmp_path / "gone"
    gone.mkdir()
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    done = subprocess.run(command, cwd=gone, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_keys_in_variables_are_found_by_name_also_misnamed_ones():
    key, other = make_key(), make_key()
    environ = {
        "MISTRAL_API_KEY": f'"{key.reveal()}"',
        "mistral_token": other.reveal(),
        "MISTRAL_KEY": "production-europe-west",
        "MISTRAL_SECRET": "your-mistral-api-key",
        "SOMETHING": make_text(),
        "MISTRAL_API_KEY_FILE": make_text(),
    }
    assert config.keys_in(environ) == {"MISTRAL_API_KEY": key, "mistral_token": other}


def test_of_a_name_that_programs_read_any_value_counts_that_can_be_a_key():
    assert list(config.keys_in({"MISTRAL_API_KEY": "production-europe-west"})) == ["MISTRAL_API_KEY"]
