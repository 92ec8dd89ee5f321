"""`passphrase`: by the real command line, and what it means for copies of the encrypted file."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk, PassphraseNeeded, PassphraseTooShort, StoreUnavailable, WrongPassphrase
from mistral_nb.storage.vault import Vault
from support.commands import act, mistral_nb, read

NewContext = Callable[..., Context]


@pytest.mark.slow
def test_the_passphrase_and_its_file_change_together(
    kept: dict[str, Key], environ: dict[str, str], new_context: NewContext, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    new.write_text("another passphrase\n")
    before = Path(environ["MISTRAL_NB_PASSPHRASE_FILE"]).read_text()
    done = mistral_nb(environ, "passphrase", "--new-file", str(new))
    assert done.returncode == 0, done.stderr
    assert Path(environ["MISTRAL_NB_PASSPHRASE_FILE"]).read_text() == "another passphrase"
    assert os.stat(environ["MISTRAL_NB_PASSPHRASE_FILE"]).st_mode & 0o77 == 0
    assert read(new_context) == kept
    for name in ("vault", "vault.previous"):
        os.replace(os.path.join(environ["MISTRAL_NB_HOME"], name), tmp_path / "vault")
        with pytest.raises(WrongPassphrase):
            Vault(str(tmp_path), Secret(before)).read_all()
        Vault(str(tmp_path), Secret("another passphrase")).read_all()


def test_the_passphrase_is_typed_twice(kept: dict[str, Key], environ: dict[str, str], new_context: NewContext) -> None:
    passphrase = Path(environ.pop("MISTRAL_NB_PASSPHRASE_FILE")).read_text()
    answers = {
        "passphrase": passphrase,
        "new passphrase": ["too short", "the new phrase", "the new phrase"],
        "passphrase again": ["the new phrases", "the new phrase"],
    }
    acted = act(new_context(), "passphrase", answers)
    assert "Passphrases do not match." in acted.steps
    assert "The passphrase is too short: it needs at least 12 characters. Choose a longer one." in acted.steps
    with pytest.raises(WrongPassphrase, match="Wrong passphrase, 3 times. If it is forgotten"):
        act(new_context(), "verify", {"passphrase": [passphrase] * 3}, workspace="dev")
    environ["MISTRAL_NB_PASSPHRASE"] = "the new phrase"
    assert read(new_context) == kept
    with pytest.raises(PassphraseNeeded):
        act(new_context(), "passphrase", {"new passphrase": [""] * 3, "passphrase again": [""] * 3})
    with pytest.raises(CannotAsk, match="--new-file"):
        act(new_context(), "passphrase")


def test_a_short_passphrase_in_a_file_changes_nothing(
    kept: dict[str, Key], environ: dict[str, str], new_context: NewContext, tmp_path: Path
) -> None:
    before = {file.name: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    (tmp_path / "new").write_text("elevenchars\n")
    with pytest.raises(PassphraseTooShort, match="at least 12 characters"):
        act(new_context(), "passphrase", new_file=str(tmp_path / "new"))
    (tmp_path / "new").unlink()
    assert {file.name: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert read(new_context) == kept


def test_without_an_encrypted_file_there_is_no_passphrase(new_context: NewContext) -> None:
    with pytest.raises(StoreUnavailable):
        act(new_context(), "passphrase")


def test_a_copy_of_vault_and_index_opens_elsewhere_with_the_passphrase_of_its_day(
    kept: dict[str, Key], environ: dict[str, str], new_context: NewContext, tmp_path: Path
) -> None:
    """As docs/keys.md says: both files together."""
    new_context().key_manager.update("prod", ask_first=True)
    home, copy, old = environ["MISTRAL_NB_HOME"], str(tmp_path / "copy"), tmp_path / "old"
    shutil.copy(environ["MISTRAL_NB_PASSPHRASE_FILE"], old)
    os.mkdir(copy)
    for name in ("vault", "workspaces.json"):
        shutil.copy(os.path.join(home, name), copy)
    (tmp_path / "new").write_text("another passphrase")
    act(new_context(), "passphrase", new_file=str(tmp_path / "new"))
    environ["MISTRAL_NB_HOME"] = copy
    with pytest.raises(WrongPassphrase):
        read(new_context)
    environ["MISTRAL_NB_PASSPHRASE_FILE"] = str(old)
    assert read(new_context) == kept
    entry = new_context().key_manager.workspaces()["prod"]
    assert (entry.name, entry.expires, entry.ask_first) == ("prod's", "2028-02-29", True)
