"""Keys that other tools hold: found by source, never a placeholder, never with an error."""

import os
import sys
import threading
import types

import pytest

from mistral_nb.storage import key_discovery
from mistral_nb.storage.key_discovery import (
    DiscoveredKey,
    MisnamedKey,
    discover_keys,
    find_misnamed_keys,
    project_env_files,
    read_env_file,
)
from support.desktops import desktop
from support.keys import make_key


def offers(tmp_path, folder=None, **environ):
    return discover_keys({"HOME": str(tmp_path / "home")} | environ, str(folder or tmp_path), keyring=False)


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "line",
    [
        "MISTRAL_API_KEY={}",
        "export MISTRAL_API_KEY={}",
        "  MISTRAL_API_KEY = '{}'  ",
        'MISTRAL_API_KEY="{}" # mine',
        "MISTRAL_API_KEY={} # mine",
        "\ufeffMISTRAL_API_KEY={}\r",
        "# a comment\nOTHER=1\nMISTRAL_API_KEY={}\nMORE=2",
        "MISTRAL_API_KEY=<YOUR MISTRAL API KEY>\nMISTRAL_API_KEY={}",
    ],
)
def test_a_line_of_a_dot_env_is_read(tmp_path, line):
    key = make_key()
    put(tmp_path / ".env", line.format(key.reveal()))
    assert read_env_file(str(tmp_path / ".env")) == key


@pytest.mark.parametrize(
    "line",
    ["", "MISTRAL_API_KEY=", "MISTRAL_API_KEY=<YOUR MISTRAL API KEY>", "MISTRAL_API_KEY=your_key_here", "\0\0\xff"],
)
def test_a_dot_env_without_a_key_offers_nothing(tmp_path, line):
    put(tmp_path / ".env", line)
    assert offers(tmp_path) == []


@pytest.mark.parametrize(
    "line", ["# MISTRAL_API_KEY={}", "MY_MISTRAL_API_KEY={}", "MISTRAL_API_KEY_OLD={}", "MISTRAL_API_KEY\n={}"]
)
def test_another_line_of_a_dot_env_is_none(tmp_path, line):
    put(tmp_path / ".env", line.format(make_key().reveal()))
    assert offers(tmp_path) == []


@pytest.mark.parametrize("name", ["MISTRALAI_API_KEY", "mistral_api_key", "CODESTRAL_API_KEY"])
def test_a_misnamed_key_is_found_in_the_environment_and_in_a_dot_env(tmp_path, name):
    set_here, written = make_key(), make_key()
    put(tmp_path / ".env", f"# {name}={make_key().reveal()}\nexport {name}='{written.reveal()}'\n")
    found = find_misnamed_keys({name: set_here.reveal(), "OTHER": make_key().reveal()}, str(tmp_path))
    assert found == [MisnamedKey(name, set_here), MisnamedKey(name, written, str(tmp_path / ".env"))]
    assert [each.place for each in found] == [name, f"{name} in {tmp_path / '.env'}"]
    assert {each.intended for each in found} == {"MISTRAL_API_KEY"}


def test_a_misnamed_key_beside_the_usual_variable_is_not_alone(tmp_path):
    environ = {"MISTRAL_KEY": make_key().reveal(), "MISTRAL_API_KEY": make_key().reveal()}
    assert [each.is_alone for each in find_misnamed_keys(environ, str(tmp_path))] == [False]
    del environ["MISTRAL_API_KEY"]
    assert [each.is_alone for each in find_misnamed_keys(environ, str(tmp_path))] == [True]


@pytest.mark.parametrize("value", ["", "your-mistral-key", "production-europe-west", "abcdefghijklmnop"])
def test_what_is_no_key_of_mistrals_shape_is_not_called_misnamed(tmp_path, value):
    assert find_misnamed_keys({"MISTRAL_KEY": value}, str(tmp_path)) == []


def test_a_dot_env_of_nothing_but_line_breaks_is_read_in_linear_time(tmp_path):
    """The time of a search from each line break over all that follow would be hours."""
    put(tmp_path / ".env", "\n" * (1 << 19) + " " * (1 << 18))
    assert find_misnamed_keys({}, str(tmp_path)) == []


def test_a_dot_env_is_looked_for_up_to_the_projects_root_and_no_further(tmp_path):
    deep = tmp_path / "project" / "notebooks" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").touch()
    inside, outside = make_key(), make_key()
    put(tmp_path / "project" / ".env", f"MISTRAL_API_KEY={inside.reveal()}")
    put(tmp_path / ".env", f"MISTRAL_API_KEY={outside.reveal()}")
    assert offers(tmp_path, deep) == [DiscoveredKey(str(tmp_path / "project" / ".env"), inside)]


def test_without_a_root_only_the_folder_itself_is_looked_at(tmp_path):
    """No folder above the temporary ones is a project's."""
    assert list(project_env_files(str(tmp_path))) == [str(tmp_path / ".env")]


@pytest.mark.parametrize("variable", [None, "VIBE_HOME"])
def test_vibes_own_file_is_offered(tmp_path, variable):
    key = make_key()
    home = tmp_path / "elsewhere" if variable else tmp_path / "home" / ".vibe"
    put(home / ".env", f"MISTRAL_API_KEY='{key.reveal()}'\n")
    found = offers(tmp_path, **({variable: str(home)} if variable else {}))
    assert found == [DiscoveredKey(f"Mistral Vibe's {home / '.env'}", key)]


def test_a_key_in_two_places_is_offered_once(tmp_path):
    line = f"MISTRAL_API_KEY={make_key().reveal()}"
    put(tmp_path / ".env", line)
    put(tmp_path / "home" / ".vibe" / ".env", line)
    assert [offer.source for offer in offers(tmp_path)] == [str(tmp_path / ".env")]


def test_an_offer_shows_the_tail_alone(tmp_path):
    key = make_key()
    put(tmp_path / ".env", f"MISTRAL_API_KEY={key.reveal()}")
    shown = repr(offers(tmp_path))
    assert key.tail in shown
    assert key.reveal()[:-4] not in shown


def test_unreadable_places_are_skipped(tmp_path):
    (tmp_path / ".env").mkdir()
    put(tmp_path / "home" / ".vibe" / ".env", "\0" * (3 << 20))
    assert offers(tmp_path) == []


def _module(monkeypatch, name, **names):
    module = types.ModuleType(name)
    vars(module).update(names)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_colabs_secret_is_offered(tmp_path, monkeypatch):
    key = make_key()
    userdata = types.SimpleNamespace(get={"MISTRAL_API_KEY": key.reveal()}.__getitem__)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    _module(monkeypatch, "google.colab", userdata=userdata)
    assert offers(tmp_path) == [DiscoveredKey("Colab's secrets", key)]


def test_a_host_that_does_not_answer_is_given_up(tmp_path, monkeypatch):
    userdata = types.SimpleNamespace(get=lambda _: threading.Event().wait())
    monkeypatch.setattr(key_discovery, "HOST_SECONDS", 0.05)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    _module(monkeypatch, "google.colab", userdata=userdata)
    assert offers(tmp_path) == []


def test_kaggles_secret_is_offered(tmp_path, monkeypatch):
    key = make_key()

    class UserSecretsClient:
        def get_secret(self, name):
            return {"MISTRAL_API_KEY": key.reveal()}[name]

    _module(monkeypatch, "kaggle_secrets", UserSecretsClient=UserSecretsClient)
    assert offers(tmp_path) == [DiscoveredKey("Kaggle's secrets", key)]


def test_a_host_that_refuses_its_secret_offers_none(tmp_path, monkeypatch):
    def get(name):
        raise RuntimeError("no access")

    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    _module(monkeypatch, "google.colab", userdata=types.SimpleNamespace(get=get))
    assert offers(tmp_path, KAGGLE_KERNEL_RUN_TYPE="Interactive") == []


VIBE = """
    import os, sys, time
    import keyring
    from support.keys import make_key
    from mistral_nb.storage.key_discovery import discover_keys
    if sys.argv[1] == "put":
        keyring.set_password("ai.mistral.vibe", "MISTRAL_API_KEY", make_key().reveal())
    print([offer.source for offer in discover_keys(os.environ, os.environ["HOME"], keyring=True)])
"""


@pytest.mark.slow
def test_vibes_keyring_item_is_offered_and_a_locked_keyring_is_not_opened_for_it(tmp_path):
    with desktop(tmp_path) as session:
        assert session.python(VIBE, "look") == "[]"
        assert session.python(VIBE, "put") == '["Mistral Vibe\'s keyring item"]'
        session.lock()
        assert session.python(VIBE, "look") == "[]"
        os.unlink(session.environ["DBUS_SESSION_BUS_ADDRESS"].split(",")[0].removeprefix("unix:path="))
        assert session.python(VIBE, "look") == "[]"
