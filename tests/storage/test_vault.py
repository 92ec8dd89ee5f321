"""The encrypted file: intact, or one of three errors, and never overwritten when it is damaged."""

import contextlib
import os
import random
import stat
import struct
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mistral_nb.api_key import Secret
from mistral_nb.errors import (
    PassphraseNeeded,
    PassphraseTooShort,
    StoreError,
    StoreTimedOut,
    VaultDamaged,
    VaultTruncated,
    WrongPassphrase,
)
from mistral_nb.file_io import hold_lock
from mistral_nb.storage import vault as vault_module
from mistral_nb.storage import vault_format
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_format import KdfParameters
from mistral_nb.storage.vault_passphrase import read_passphrase
from support import TESTS
from support.crashes import CHEAP
from support.disks import fill, read_only, small_disk
from support.keys import for_child, make_key
from support.patience import PATIENCE
from support.processes import started
from support.profiles import examples

PASSPHRASE = Secret("correct horse")


def opened(home, passphrase=PASSPHRASE, kdf=CHEAP, **more):
    return Vault(str(home), passphrase, kdf, **more)


@pytest.fixture
def kept(tmp_path):
    """A folder with a vault, and the key in it."""
    key = make_key()
    opened(tmp_path).put("prod", "current", make_key())
    opened(tmp_path).put("prod", "current", key)
    return tmp_path, key


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".lock"}


def refuses(folder, error, passphrase=PASSPHRASE):
    """Reading and writing raise ``error``, and the folder is as it was; the error's two sentences."""
    before = content(folder)
    with pytest.raises(error) as caught:
        opened(folder, passphrase).get("prod", "current")
    with pytest.raises(error):
        opened(folder, passphrase).put("prod", "next", make_key())
    with pytest.raises(error):
        opened(folder, passphrase).delete("prod", "current")
    with pytest.raises(error):
        opened(folder, Secret("x")).unlock(passphrase)
    assert content(folder) == before
    assert type(caught.value) is error
    return caught.value


def test_truncation_at_any_length_is_detected(kept):
    folder, _ = kept
    file = folder / "vault"
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(VaultTruncated) as caught:
            opened(folder).get("prod", "current")
        assert caught.value.failed == f"The encrypted file {file} is truncated."
    refuses(folder, VaultTruncated)


def test_a_flipped_bit_anywhere_is_damage(kept):
    folder, _ = kept
    file = folder / "vault"
    whole = file.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << random.randrange(8)
        file.write_bytes(changed)
        with pytest.raises(VaultDamaged) as caught:
            opened(folder).get("prod", "current")
        assert "is corrupted" in caught.value.failed
    refuses(folder, VaultDamaged)


def test_bytes_after_its_end_are_damage(kept):
    folder, _ = kept
    with open(folder / "vault", "ab") as file:
        file.write(b"x")
    refuses(folder, VaultDamaged)


def test_a_wrong_passphrase_is_neither_truncation_nor_damage(kept):
    folder, _ = kept
    error = refuses(folder, WrongPassphrase, Secret("incorrect horse"))
    assert error.failed == f"Wrong passphrase for the encrypted file {folder / 'vault'}."


def test_the_three_sentences_differ_and_name_the_last_generation(kept):
    folder, _ = kept
    whole = (folder / "vault").read_bytes()
    (folder / "vault").write_bytes(whole[:-1])
    truncated = refuses(folder, VaultTruncated)
    (folder / "vault").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    damaged = refuses(folder, VaultDamaged)
    assert len({truncated.failed, damaged.failed}) == 2
    assert str(folder / "vault.previous") in truncated.todo
    assert str(folder / "vault.previous") in damaged.todo
    (folder / "vault.previous").unlink()
    assert "vault.previous" not in refuses(folder, VaultDamaged).todo


def test_the_last_generation_opens_in_its_place(tmp_path):
    old, new = make_key(), make_key()
    opened(tmp_path).put("prod", "current", old)
    opened(tmp_path).put("prod", "current", new)
    (tmp_path / "vault").write_bytes(b"")
    os.replace(tmp_path / "vault.previous", tmp_path / "vault")
    assert opened(tmp_path).get("prod", "current") == old


def test_a_deleted_key_is_in_neither_generation(tmp_path):
    key = make_key()
    opened(tmp_path).put("prod", "current", key)
    opened(tmp_path).put("prod", "next", make_key())
    opened(tmp_path).delete("prod", "current")
    assert opened(tmp_path).get("prod", "current") is None
    os.replace(tmp_path / "vault.previous", tmp_path / "vault")
    assert opened(tmp_path).get("prod", "current") is None


def test_a_deletion_that_was_killed_halfway_is_completed_by_the_next(tmp_path):
    """The key is out of the file and still in its last generation."""
    opened(tmp_path).put("prod", "current", make_key())
    with_key = (tmp_path / "vault").read_bytes()
    opened(tmp_path).delete("prod", "current")
    (tmp_path / "vault.previous").write_bytes(with_key)
    opened(tmp_path).delete("prod", "current")
    assert (tmp_path / "vault.previous").read_bytes() != with_key


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path):
    left = tmp_path / ".mistral-nb-vault-abc.tmp"
    other = tmp_path / ".mistral-nb-workspaces.json-abc.tmp"
    left.write_bytes(b"")
    other.write_bytes(b"")
    opened(tmp_path).put("prod", "current", make_key())
    assert not left.exists()
    assert other.exists(), "another file's writer may be at work on it"


def _change(file, **fields):
    sealed = vault_format.unpack(file.read_bytes(), "", "")
    file.write_bytes(vault_format.pack(sealed._replace(**fields)))


@pytest.mark.parametrize(
    "kdf",
    [
        KdfParameters(memory=100 << 20),
        KdfParameters(iterations=1 << 20),
        KdfParameters(lanes=1 << 20),
        KdfParameters(0, 1, 1),
        KdfParameters(8, 0, 1),
        KdfParameters(8, 1, 0),
    ],
    ids=str,
)
def test_a_file_with_excessive_kdf_parameters_is_refused_before_deriving(kept, kdf):
    folder, _ = kept
    _change(folder / "vault", kdf=kdf)
    assert "outside the allowed range" in refuses(folder, VaultDamaged).failed


@pytest.mark.parametrize(
    "change", [{"kdf": KdfParameters(16, 1, 1)}, {"salt": bytes(16)}, {"nonce": bytes(12)}], ids=str
)
def test_the_encryption_vouches_for_the_header_too(kept, change):
    folder, _ = kept
    _change(folder / "vault", **change)
    refuses(folder, WrongPassphrase)


def test_a_newer_version_is_refused_by_name(kept):
    folder, _ = kept
    file = folder / "vault"
    data = file.read_bytes()
    head = bytearray(data[: vault_format._HEAD.size])
    struct.pack_into(">H", head, len(vault_format.MAGIC), vault_format.VERSION + 1)
    file.write_bytes(bytes(head) + vault_format._checksum(bytes(head)) + data[vault_format._START :])
    assert "newer mistral_nb" in refuses(folder, StoreError).failed


def test_a_locked_vault_says_so_and_what_to_do(kept):
    folder, key = kept
    vault = opened(folder, None)
    with pytest.raises(PassphraseNeeded) as caught:
        vault.get("prod", "current")
    assert "MISTRAL_NB_PASSPHRASE_FILE" in caught.value.todo
    assert isinstance(vault.unavailable_reason(), PassphraseNeeded)
    vault.unlock(PASSPHRASE)
    assert vault.get("prod", "current") == key
    assert vault.unavailable_reason() is None


def test_a_wrong_passphrase_leaves_it_locked(kept):
    folder, key = kept
    vault = opened(folder)
    with pytest.raises(WrongPassphrase):
        vault.unlock(Secret("incorrect horse"))
    assert vault.get("prod", "current") == key, "the right one stays"


def test_without_a_file_nothing_is_in_it_and_none_is_made(tmp_path):
    vault = opened(tmp_path / "not yet", None)
    assert vault.get("prod", "current") is None
    vault.delete("prod", "current")
    assert not vault.exists
    assert not (tmp_path / "not yet").exists()


def test_the_passphrase_is_the_same_however_its_accents_were_typed(tmp_path):
    key = make_key()
    opened(tmp_path, Secret("the little caf\u00e9")).put("prod", "current", key)
    assert opened(tmp_path, Secret("the little cafe\u0301")).get("prod", "current") == key


def test_the_key_is_derived_once_per_process(tmp_path, monkeypatch):
    vault = opened(tmp_path)
    vault.put("prod", "current", make_key())
    derived = []
    monkeypatch.setattr(vault_module, "derive_key", lambda *given: derived.append(given))
    for _ in range(20):
        assert vault.get("prod", "current") is not None
    assert derived == []


def test_a_weaker_file_is_written_back_at_full_strength(tmp_path):
    key = make_key()
    opened(tmp_path).put("prod", "current", key)
    stronger = KdfParameters(64, 2, 1)
    opened(tmp_path, kdf=stronger).put("prod", "next", make_key())
    sealed = vault_format.unpack((tmp_path / "vault").read_bytes(), "", "")
    assert sealed.kdf == stronger
    assert opened(tmp_path).get("prod", "current") == key


def test_no_two_writes_share_a_nonce(tmp_path):
    vault, nonces = opened(tmp_path), set()
    for _ in range(20):
        vault.put("prod", "current", make_key())
        nonces.add(vault_format.unpack((tmp_path / "vault").read_bytes(), "", "").nonce)
    assert len(nonces) == 20


def test_its_files_are_private_and_contain_no_key(kept):
    folder, key = kept
    for name in ("vault", "vault.previous"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        data = (folder / name).read_bytes()
        assert key.reveal().encode() not in data
    vault = opened(folder)
    sealed = vault._read()
    plain = vault._make_cipher(sealed.salt, sealed.kdf, PASSPHRASE).decrypt(
        sealed.nonce, sealed.ciphertext, sealed.header
    )
    assert key.reveal().encode() in plain  # unsealed, the search finds it


@pytest.mark.parametrize("damage", [b"[]", b"not json", b'{"prod": {"current": "short"}}', b'{"prod": 1}'])
def test_an_error_about_what_is_inside_carries_nothing_of_it(tmp_path, damage):
    vault = opened(tmp_path)
    vault.put("prod", "current", make_key())
    sealed = vault._read()
    aead = vault._make_cipher(sealed.salt, sealed.kdf, PASSPHRASE)
    _change(tmp_path / "vault", ciphertext=aead.encrypt(sealed.nonce, damage, sealed.header))
    error = refuses(tmp_path, VaultDamaged)
    assert damage.decode() not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.slow
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=9), st.sampled_from(["current", "next"])))
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_names_all_keys_come_back(tmp_path_factory, places):
    folder = tmp_path_factory.mktemp("vault")
    keys = {place: make_key() for place in places.items()}
    for (name, slot), key in keys.items():
        opened(folder).put(name, slot, key)
    assert {place: opened(folder).get(*place) for place in keys} == keys


WRITER = """
import sys
from support.crashes import CHEAP
from support.keys import make_key
from mistral_nb.api_key import Secret
from mistral_nb.storage.vault import Vault
vault = Vault(sys.argv[1], Secret("correct horse"), CHEAP)
for number in range(200):
    vault.put(f"{sys.argv[2]} {number}", "current", make_key())
"""


def _writer(home, name):
    return started([sys.executable, "-c", WRITER, home, name], env=os.environ | {"PYTHONPATH": TESTS} | for_child())


@pytest.mark.slow
def test_two_processes_that_write_200_keys_each_keep_400(tmp_path):
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(_writer(str(tmp_path), name)) for name in ("a", "b")]
        assert [writer.wait(120 * PATIENCE) for writer in writers] == [0, 0]
    vault = opened(tmp_path)
    assert sum(bool(vault.get(f"{name} {number}", "current")) for name in "ab" for number in range(200)) == 400


def test_a_writer_times_out_on_a_held_lock(kept):
    folder, _ = kept
    vault = opened(folder)
    vault.lock_seconds = 0.2
    with hold_lock(f"{folder / 'vault'}.lock", 1), pytest.raises(StoreTimedOut) as caught:
        vault.put("prod", "next", make_key())
    assert "is locked by another process" in caught.value.failed


def test_on_a_full_disk_it_says_so_and_stays_as_it_was(tmp_path):
    with small_disk(str(tmp_path)):
        key = make_key()
        opened(tmp_path).put("prod", "current", key)
        before = (tmp_path / "vault").read_bytes()
        fill(str(tmp_path))
        with pytest.raises(StoreError) as caught:
            opened(tmp_path).put("prod", "next", make_key())
        assert caught.value.failed.endswith("could not be written: No space left on device.")
        assert (tmp_path / "vault").read_bytes() == before
        assert opened(tmp_path).get("prod", "current") == key
        assert not list(tmp_path.glob(".mistral-nb-*"))


def test_in_a_read_only_folder_it_says_so_and_can_be_read(tmp_path):
    with small_disk(str(tmp_path)):
        key = make_key()
        opened(tmp_path).put("prod", "current", key)
        with read_only(str(tmp_path)):
            with pytest.raises(StoreError) as caught:
                opened(tmp_path).put("prod", "next", make_key())
            assert caught.value.failed.endswith("could not be written: Read-only file system.")
            assert "MISTRAL_NB_HOME" in caught.value.todo
            assert opened(tmp_path).get("prod", "current") == key


@pytest.mark.parametrize(
    ("data", "passphrase"),
    [(b"abc\n", "abc"), (b"abc\r\n", "abc"), (b"abc", "abc"), (b" a b \n\n", " a b \n"), ("é\n".encode(), "é")],
)
def test_a_passphrase_file_is_read_but_for_one_newline_at_its_end(tmp_path, data, passphrase):
    (tmp_path / "file").write_bytes(data)
    assert read_passphrase(str(tmp_path / "file")) == Secret(passphrase)


@pytest.mark.parametrize("data", [None, b"", b"\n", b"\xff\xfe\x00"])
def test_a_passphrase_file_that_can_not_be_used_is_named(tmp_path, data):
    path = tmp_path / "file"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(PassphraseNeeded) as caught:
        read_passphrase(str(path))
    assert str(path) in caught.value.failed
    assert caught.value.__context__ is None or isinstance(caught.value.__context__, OSError)


def test_a_passphrase_file_opens_it(kept):
    folder, key = kept
    (folder / "passphrase").write_text("correct horse\n")
    assert opened(folder, None, passphrase_file=str(folder / "passphrase")).get("prod", "current") == key


def test_without_argon2_the_reason_is_reported(tmp_path):
    """The import fails as it does with a cryptography that is too old."""
    script = """
import sys
sys.modules["cryptography.hazmat.primitives.kdf.argon2"] = None
from mistral_nb.api_key import Secret
from mistral_nb.storage.vault import Vault
print(Vault(sys.argv[1], Secret("x")).unavailable_reason())
"""
    said = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "needs Argon2id" in said.stdout


def make_old_vault(folder, monkeypatch, passphrase):
    """As it was made before there was a least length."""
    key = make_key()
    with monkeypatch.context() as patched:
        patched.setattr("mistral_nb.storage.vault.check_new_passphrase", lambda _: None)
        Vault(str(folder), passphrase, CHEAP).put("prod", "current", key)
    return key


def test_a_new_file_needs_a_passphrase_of_12_characters(tmp_path):
    short, file = Secret("elevenchars"), tmp_path / "passphrase"
    file.write_text(short.reveal())
    for vault in (Vault(str(tmp_path), short, CHEAP), Vault(str(tmp_path), None, CHEAP, passphrase_file=str(file))):
        with pytest.raises(PassphraseTooShort):
            vault.put("prod", "current", make_key())
        with pytest.raises(PassphraseTooShort):
            vault.unlock(short)
        assert not vault.exists
    vault = Vault(str(tmp_path), Secret("twelve chars"), CHEAP)
    key = make_key()
    vault.put("prod", "current", key)
    with pytest.raises(PassphraseTooShort):
        vault.change_passphrase(short)
    assert Vault(str(tmp_path), Secret("twelve chars"), CHEAP).get("prod", "current") == key


def test_a_file_with_a_shorter_passphrase_still_opens_and_can_be_changed(tmp_path, monkeypatch):
    old, new, more = Secret("old"), Secret("a longer passphrase"), make_key()
    key = make_old_vault(tmp_path, monkeypatch, old)
    vault = Vault(str(tmp_path), None, CHEAP)
    vault.unlock(old)
    vault.put("dev", "current", more)
    assert (vault.get("prod", "current"), vault.get("dev", "current")) == (key, more)
    vault.change_passphrase(new)
    assert Vault(str(tmp_path), new, CHEAP).get("prod", "current") == key


def test_each_passphrase_that_opens_it_is_reported_and_a_wrong_one_is_not(tmp_path):
    right, wrong, new, heard = (
        Secret("the right passphrase"),
        Secret("a wrong passphrase"),
        Secret("the new one now"),
        [],
    )
    vault = Vault(str(tmp_path), right, CHEAP, on_opened=heard.append)
    vault.put("prod", "current", make_key())
    assert set(heard) == {right}
    vault.change_passphrase(new)
    assert set(heard) == {right, new}
    (tmp_path / "file").write_text(new.reveal())
    del heard[:]
    closed = Vault(str(tmp_path), None, CHEAP, on_opened=heard.append, passphrase_file=str(tmp_path / "file"))
    with pytest.raises(WrongPassphrase):
        closed.unlock(wrong)
    assert heard == []
    closed.get("prod", "current")
    assert heard == [new]
