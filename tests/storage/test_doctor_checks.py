"""What `doctor` says of index and stores: each finding with its repair."""

import os

import pytest

from mistral_nb import config
from mistral_nb.api_key import Secret
from mistral_nb.errors import StoreUnavailable
from mistral_nb.storage import doctor_checks, open_stores
from mistral_nb.storage.index import Index, PendingDeletion
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.memory_store import MemoryStore
from mistral_nb.storage.vault import Vault
from support.crashes import CHEAP
from support.keys import make_key


class NoKeyring:
    name = "keyring"

    def unavailable_reason(self):
        return StoreUnavailable("No keyring works here.", "Set MISTRAL_NB_STORE=file.")


class Keyring(MemoryStore):
    name = "keyring"


@pytest.fixture
def check(tmp_path):
    """The rows by label, for the settings and stores given."""

    def run(keyring=None, **environ):
        settings = config.load({"MISTRAL_NB_HOME": str(tmp_path)} | environ, str(tmp_path))
        stores = {"keyring": keyring or Keyring(), "file": Vault(str(tmp_path), None, CHEAP)}
        rows = list(doctor_checks.checks(settings, stores))
        for row in rows:
            assert (row.state in ("warn", "bad")) == bool(row.repair), row
        return {row.label: row for row in rows}

    return run


def test_a_healthy_setup_has_no_findings(check, tmp_path):
    tmp_path.chmod(0o700)
    KeyManager(Index(str(tmp_path)), {"keyring": Keyring()}).keep("prod", make_key())
    assert {row.state for row in check().values()} <= {"ok", ""}


def test_a_keyring_that_does_not_work_is_worse_where_it_is_needed(check, tmp_path):
    assert check(NoKeyring())["keyring"].state == "warn"
    assert check(NoKeyring(), MISTRAL_NB_STORE="keyring")["keyring"].state == "bad"
    KeyManager(Index(str(tmp_path)), {"keyring": Keyring()}).keep("prod", make_key())
    row = check(NoKeyring())["keyring"]
    assert (row.state, row.value, row.repair) == ("bad", "No keyring works here.", "Set MISTRAL_NB_STORE=file.")


def test_a_damaged_index_is_named(check, tmp_path):
    (tmp_path / "workspaces.json").write_text("{")
    row = check()["index"]
    assert row.state == "bad"
    assert str(tmp_path / "workspaces.json") in row.value


def test_a_damaged_vault_is_found_without_its_passphrase(check, tmp_path):
    Vault(str(tmp_path), Secret("open sesame, please"), CHEAP).put("prod", "current", make_key())
    assert "locked" in check()["encrypted file"].value
    whole = (tmp_path / "vault").read_bytes()
    (tmp_path / "vault").write_bytes(whole[:-1])
    row = check()["encrypted file"]
    assert (row.state, "is truncated" in row.value) == ("bad", True)


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
    assert "/nowhere/passphrase" in check(MISTRAL_NB_PASSPHRASE_FILE="/nowhere/passphrase")["passphrase file"].value


@pytest.mark.parametrize(
    ("passphrase", "words"),
    [
        ("old one", "it is not removed from outputs"),
        ("elevenchars", "has fewer than 12 characters"),
        ("twelve chars", ""),
    ],
)
def test_a_short_passphrase_is_named_with_the_command_that_changes_it(check, tmp_path, passphrase, words):
    (tmp_path / "vault").write_bytes(b"of earlier days")
    (tmp_path / "passphrase").write_text(passphrase)
    for given in ({"MISTRAL_NB_PASSPHRASE": passphrase}, {"MISTRAL_NB_PASSPHRASE_FILE": str(tmp_path / "passphrase")}):
        row = check(**given).get("passphrase")
        assert (row is not None) == bool(words)
        if row:
            assert words in row.value
            assert row.repair == "Set a longer one: mistral-nb passphrase"


def test_leftovers_are_named_and_left_alone(check, tmp_path):
    index = Index(str(tmp_path))
    with index.edit() as contents:
        contents.pending_deletions.append(PendingDeletion("keyring", "prod", "next"))
    assert "prod" in check()["leftovers"].value
    assert len(index.read().pending_deletions) == 1


def test_opening_the_stores_opens_and_reads_nothing(tmp_path):
    home = tmp_path / "home"
    settings = config.load({"MISTRAL_NB_HOME": str(home), "MISTRAL_NB_PASSPHRASE_FILE": "/nowhere"}, str(tmp_path))
    stores = open_stores(settings, interactive=False)
    assert {name: store.name for name, store in stores.items()} == {name: name for name in stores}
    assert list(stores) == ["keyring", "file", "memory"]
    assert not os.path.exists(home)
