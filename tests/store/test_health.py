"""What `doctor` says of index and stores: each finding with its repair."""

import os

import pytest
from crashes import CHEAP
from keys import make_key

from mistral_nb import config
from mistral_nb.errors import StoreUnavailable
from mistral_nb.key import Secret
from mistral_nb.store import health, open_stores
from mistral_nb.store.index import Index, Leftover
from mistral_nb.store.keep import Keeper
from mistral_nb.store.memory import MemoryStore
from mistral_nb.store.vault import Vault


class NoKeyring:
    name = "keyring"

    def why_not(self):
        return StoreUnavailable("No keyring works here.", "Set MISTRAL_NB_STORE=file.")


class Keyring(MemoryStore):
    name = "keyring"


@pytest.fixture
def check(tmp_path):
    """The rows by label, for the settings and stores given."""

    def run(keyring=None, **environ):
        settings = config.load({"MISTRAL_NB_HOME": str(tmp_path)} | environ, str(tmp_path))
        stores = {"keyring": keyring or Keyring(), "file": Vault(str(tmp_path), None, CHEAP)}
        rows = list(health.checks(settings, stores))
        for row in rows:
            assert (row.state in ("warn", "bad")) == bool(row.repair), row
        return {row.label: row for row in rows}

    return run


def test_where_all_is_well_nothing_is_found(check, tmp_path):
    tmp_path.chmod(0o700)
    Keeper(Index(str(tmp_path)), {"keyring": Keyring()}).keep("prod", make_key())
    assert {row.state for row in check().values()} <= {"ok", ""}


def test_a_keyring_that_does_not_work_is_worse_where_it_is_needed(check, tmp_path):
    assert check(NoKeyring())["keyring"].state == "warn"
    assert check(NoKeyring(), MISTRAL_NB_STORE="keyring")["keyring"].state == "bad"
    Keeper(Index(str(tmp_path)), {"keyring": Keyring()}).keep("prod", make_key())
    row = check(NoKeyring())["keyring"]
    assert (row.state, row.value, row.repair) == ("bad", "No keyring works here.", "Set MISTRAL_NB_STORE=file.")


def test_a_damaged_index_is_named(check, tmp_path):
    (tmp_path / "workspaces.json").write_text("{")
    row = check()["index"]
    assert row.state == "bad"
    assert str(tmp_path / "workspaces.json") in row.value


def test_a_damaged_vault_is_found_without_its_passphrase(check, tmp_path):
    Vault(str(tmp_path), Secret("open sesame"), CHEAP).put("prod", "current", make_key())
    assert "closed" in check()["encrypted file"].value
    whole = (tmp_path / "vault").read_bytes()
    (tmp_path / "vault").write_bytes(whole[:-1])
    row = check()["encrypted file"]
    assert (row.state, "is missing" in row.value) == ("bad", True)


@pytest.mark.parametrize("name", ["workspaces.json", "vault", "passphrase"])
def test_a_file_that_others_can_open_is_named_with_the_command_that_closes_it(check, tmp_path, name):
    tmp_path.chmod(0o700)
    path = tmp_path / name
    path.write_text('{"version": 1}')
    path.chmod(0o644)
    row = check(MISTRAL_NB_PASSPHRASE_FILE=str(tmp_path / "passphrase"))["permissions"]
    assert (row.state, row.repair) == ("warn", f"chmod 600 '{path}'")


def test_a_folder_that_others_can_open_is_named(check, tmp_path):
    tmp_path.chmod(0o755)
    assert check()["permissions"].repair == f"chmod 700 '{tmp_path}'"


def test_a_passphrase_file_that_is_not_there_is_named(check):
    assert "/nowhere" in check(MISTRAL_NB_PASSPHRASE_FILE="/nowhere")["passphrase file"].value


def test_leftovers_are_named_and_left_alone(check, tmp_path):
    index = Index(str(tmp_path))
    with index.edit() as contents:
        contents.unfinished.append(Leftover("keyring", "prod", "next"))
    assert "prod" in check()["leftovers"].value
    assert len(index.read().unfinished) == 1


def test_opening_the_stores_opens_and_reads_nothing(tmp_path):
    home = tmp_path / "home"
    settings = config.load({"MISTRAL_NB_HOME": str(home), "MISTRAL_NB_PASSPHRASE_FILE": "/nowhere"}, str(tmp_path))
    stores = open_stores(settings, interactive=False)
    assert {name: store.name for name, store in stores.items()} == {name: name for name in stores}
    assert list(stores) == ["keyring", "file", "memory"]
    assert not os.path.exists(home)
