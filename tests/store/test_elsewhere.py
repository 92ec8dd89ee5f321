"""Keys that other tools hold: found by source, never a placeholder, never with an error."""

import os
import sys
import types

import pytest
from desktops import desktop
from keys import make_key

from mistral_nb.store.elsewhere import Offer, find_offers, project_env_files, read_env_file


def offers(tmp_path, folder=None, **environ):
    return find_offers({"HOME": str(tmp_path / "home")} | environ, str(folder or tmp_path), keyring=False)


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


@pytest.mark.parametrize("line", ["# MISTRAL_API_KEY={}", "MY_MISTRAL_API_KEY={}", "MISTRAL_API_KEY_OLD={}"])
def test_another_line_of_a_dot_env_is_none(tmp_path, line):
    put(tmp_path / ".env", line.format(make_key().reveal()))
    assert offers(tmp_path) == []


def test_a_dot_env_is_looked_for_up_to_the_projects_root_and_no_further(tmp_path):
    deep = tmp_path / "project" / "notebooks" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").touch()
    inside, outside = make_key(), make_key()
    put(tmp_path / "project" / ".env", f"MISTRAL_API_KEY={inside.reveal()}")
    put(tmp_path / ".env", f"MISTRAL_API_KEY={outside.reveal()}")
    assert offers(tmp_path, deep) == [Offer(str(tmp_path / "project" / ".env"), inside)]


def test_without_a_root_only_the_folder_itself_is_looked_at(tmp_path):
    """No folder above the temporary ones is a project's."""
    assert list(project_env_files(str(tmp_path))) == [str(tmp_path / ".env")]


@pytest.mark.parametrize("variable", [None, "VIBE_HOME"])
def test_vibes_own_file_is_offered(tmp_path, variable):
    key = make_key()
    home = tmp_path / "elsewhere" if variable else tmp_path / "home" / ".vibe"
    put(home / ".env", f"MISTRAL_API_KEY='{key.reveal()}'\n")
    found = offers(tmp_path, **({variable: str(home)} if variable else {}))
    assert found == [Offer(f"Mistral Vibe's {home / '.env'}", key)]


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


def test_what_can_not_be_read_is_passed_over(tmp_path):
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
    assert offers(tmp_path) == [Offer("Colab's secrets", key)]


def test_kaggles_secret_is_offered(tmp_path, monkeypatch):
    key = make_key()

    class UserSecretsClient:
        def get_secret(self, name):
            return {"MISTRAL_API_KEY": key.reveal()}[name]

    _module(monkeypatch, "kaggle_secrets", UserSecretsClient=UserSecretsClient)
    assert offers(tmp_path) == [Offer("Kaggle's secrets", key)]


def test_a_host_that_refuses_its_secret_offers_none(tmp_path, monkeypatch):
    def get(name):
        raise RuntimeError("no access")

    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    _module(monkeypatch, "google.colab", userdata=types.SimpleNamespace(get=get))
    assert offers(tmp_path, KAGGLE_KERNEL_RUN_TYPE="Interactive") == []


VIBE = """
    import os, sys, time
    import keyring
    from keys import make_key
    from mistral_nb.store.elsewhere import find_offers
    if sys.argv[1] == "put":
        keyring.set_password("ai.mistral.vibe", "MISTRAL_API_KEY", make_key().reveal())
    start = time.monotonic()
    print([offer.source for offer in find_offers(os.environ, os.environ["HOME"], keyring=True)])
    assert time.monotonic() - start < 3.5
"""


def test_vibes_keyring_item_is_offered_and_a_locked_keyring_is_not_opened_for_it(tmp_path):
    with desktop(tmp_path) as session:
        assert session.python(VIBE, "look") == "[]"
        assert session.python(VIBE, "put") == '["Mistral Vibe\'s keyring item"]'
        session.lock()
        assert session.python(VIBE, "look") == "[]"
        os.unlink(session.environ["DBUS_SESSION_BUS_ADDRESS"].split(",")[0].removeprefix("unix:path="))
        assert session.python(VIBE, "look") == "[]"
