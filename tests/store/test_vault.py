"""The encrypted file: whole, or one of three sentences, and never written over when it is not."""

import os
import random
import stat
import struct
import subprocess
import sys

import pytest
from crashes import CHEAP
from desktops import HERE
from disks import fill, read_only, small_disk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keys import make_key

from mistral_nb.errors import (
    PassphraseNeeded,
    StoreError,
    StoreTimedOut,
    VaultDamaged,
    VaultTruncated,
    WrongPassphrase,
)
from mistral_nb.files import locked
from mistral_nb.key import Secret
from mistral_nb.store import envelope
from mistral_nb.store.envelope import Kdf
from mistral_nb.store.passphrase import read_passphrase
from mistral_nb.store.vault import Vault

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


def test_truncated_at_any_length_its_end_is_missing(kept):
    folder, _ = kept
    file = folder / "vault"
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(VaultTruncated) as caught:
            opened(folder).get("prod", "current")
        assert caught.value.failed == f"The end of the encrypted file {file} is missing."
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
        assert "have changed since they were written" in caught.value.failed
    refuses(folder, VaultDamaged)


def test_bytes_after_its_end_are_damage(kept):
    folder, _ = kept
    with open(folder / "vault", "ab") as file:
        file.write(b"x")
    refuses(folder, VaultDamaged)


def test_a_wrong_passphrase_is_neither(kept):
    folder, _ = kept
    error = refuses(folder, WrongPassphrase, Secret("incorrect horse"))
    assert error.failed == f"This passphrase does not open the encrypted file {folder / 'vault'}."


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
    sealed = envelope.unpack(file.read_bytes(), "", "")
    file.write_bytes(envelope.pack(sealed._replace(**fields)))


@pytest.mark.parametrize(
    "kdf",
    [Kdf(memory=100 << 20), Kdf(iterations=1 << 20), Kdf(lanes=1 << 20), Kdf(0, 1, 1), Kdf(8, 0, 1), Kdf(8, 1, 0)],
    ids=str,
)
def test_a_file_that_asks_for_absurd_work_is_refused_before_the_work(kept, kdf):
    folder, _ = kept
    _change(folder / "vault", kdf=kdf)
    assert "absurd amount of work" in refuses(folder, VaultDamaged).failed


@pytest.mark.parametrize("change", [{"kdf": Kdf(16, 1, 1)}, {"salt": bytes(16)}, {"nonce": bytes(12)}], ids=str)
def test_the_encryption_vouches_for_the_header_too(kept, change):
    folder, _ = kept
    _change(folder / "vault", **change)
    refuses(folder, WrongPassphrase)


def test_a_newer_version_is_refused_by_name(kept):
    folder, _ = kept
    file = folder / "vault"
    data = file.read_bytes()
    head = bytearray(data[: envelope._HEAD.size])
    struct.pack_into(">H", head, len(envelope.MAGIC), envelope.VERSION + 1)
    file.write_bytes(bytes(head) + envelope._check(bytes(head)) + data[envelope._START :])
    assert "newer mistral_nb" in refuses(folder, StoreError).failed


def test_closed_it_says_so_and_what_to_do(kept):
    folder, key = kept
    vault = opened(folder, None)
    with pytest.raises(PassphraseNeeded) as caught:
        vault.get("prod", "current")
    assert "MISTRAL_NB_PASSPHRASE_FILE" in caught.value.todo
    assert isinstance(vault.why_not(), PassphraseNeeded)
    vault.unlock(PASSPHRASE)
    assert vault.get("prod", "current") == key
    assert vault.why_not() is None


def test_a_wrong_passphrase_leaves_it_closed(kept):
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
    opened(tmp_path, Secret("caf\u00e9")).put("prod", "current", key)
    assert opened(tmp_path, Secret("cafe\u0301")).get("prod", "current") == key


def test_the_key_is_derived_once_a_process(tmp_path):
    """By time: the KDF of the default strength is what costs."""
    vault = opened(tmp_path, kdf=Kdf())
    vault.put("prod", "current", make_key())
    before = os.times().user
    for _ in range(20):
        vault.get("prod", "current")
    assert os.times().user - before < 0.2


def test_a_weaker_file_is_written_back_at_full_strength(tmp_path):
    key = make_key()
    opened(tmp_path).put("prod", "current", key)
    stronger = Kdf(64, 2, 1)
    opened(tmp_path, kdf=stronger).put("prod", "next", make_key())
    sealed = envelope.unpack((tmp_path / "vault").read_bytes(), "", "")
    assert sealed.kdf == stronger
    assert opened(tmp_path).get("prod", "current") == key


def test_no_two_writes_share_a_nonce(tmp_path):
    vault, nonces = opened(tmp_path), set()
    for _ in range(20):
        vault.put("prod", "current", make_key())
        nonces.add(envelope.unpack((tmp_path / "vault").read_bytes(), "", "").nonce)
    assert len(nonces) == 20


def test_its_files_are_private_and_hold_no_key(kept):
    folder, key = kept
    for name in ("vault", "vault.previous"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        data = (folder / name).read_bytes()
        assert key.reveal().encode() not in data
    vault = opened(folder)
    sealed = vault._read()
    plain = vault._aead(sealed.salt, sealed.kdf, PASSPHRASE).decrypt(sealed.nonce, sealed.ciphertext, sealed.header)
    assert key.reveal().encode() in plain  # unsealed, the search finds it


@pytest.mark.parametrize("damage", [b"[]", b"not json", b'{"prod": {"current": "short"}}', b'{"prod": 1}'])
def test_an_error_about_what_is_inside_carries_nothing_of_it(tmp_path, damage):
    vault = opened(tmp_path)
    vault.put("prod", "current", make_key())
    sealed = vault._read()
    aead = vault._aead(sealed.salt, sealed.kdf, PASSPHRASE)
    _change(tmp_path / "vault", ciphertext=aead.encrypt(sealed.nonce, damage, sealed.header))
    error = refuses(tmp_path, VaultDamaged)
    assert damage.decode() not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=9), st.sampled_from(["current", "next"])))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_names_all_keys_come_back(tmp_path_factory, places):
    folder = tmp_path_factory.mktemp("vault")
    keys = {place: make_key() for place in places.items()}
    for (name, slot), key in keys.items():
        opened(folder).put(name, slot, key)
    assert {place: opened(folder).get(*place) for place in keys} == keys


WRITER = """
import sys
from crashes import CHEAP
from keys import make_key
from mistral_nb.key import Secret
from mistral_nb.store.vault import Vault
vault = Vault(sys.argv[1], Secret("correct horse"), CHEAP)
for number in range(200):
    vault.put(f"{sys.argv[2]} {number}", "current", make_key())
"""


def test_two_processes_that_write_200_keys_each_keep_400(tmp_path):
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([HERE, os.path.dirname(HERE)])}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], env=environ) for name in ("a", "b")
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    vault = opened(tmp_path)
    assert sum(bool(vault.get(f"{name} {number}", "current")) for name in "ab" for number in range(200)) == 400


def test_a_writer_gives_up_on_a_lock_that_is_held(kept):
    folder, _ = kept
    with locked(f"{folder / 'vault'}.lock", 1), pytest.raises(StoreTimedOut) as caught:
        opened(folder).put("prod", "next", make_key())
    assert "Another process holds the encrypted file" in caught.value.failed


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


def test_without_argon2_the_reason_is_said(tmp_path):
    """The import fails as it does with a cryptography that is too old."""
    script = """
import sys
sys.modules["cryptography.hazmat.primitives.kdf.argon2"] = None
from mistral_nb.key import Secret
from mistral_nb.store.vault import Vault
print(Vault(sys.argv[1], Secret("x")).why_not())
"""
    said = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "needs Argon2id" in said.stdout
