"""What happens to a stored key later: rotated, retired, moved, renamed; in each kind of store."""

import pytest

from mistral_nb.api_key import Secret
from mistral_nb.errors import ConcurrentChange, StoreError, StoreTimedOut, WrongUsage
from mistral_nb.storage.index import COMPROMISED, LIVE, RETIRED, Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.memory_store import MemoryStore
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_format import KdfParameters
from support.keys import make_key

CHEAP = KdfParameters(memory=8, iterations=1, lanes=1)


class OtherVault(Vault):
    """A second persistent store, where a desktop has its keyring."""

    name = "keyring"


@pytest.fixture
def keeper(tmp_path):
    secret = Secret("a passphrase")
    stores = {
        "file": Vault(str(tmp_path), secret, CHEAP),
        "keyring": OtherVault(str(tmp_path / "other"), secret, CHEAP),
        "memory": MemoryStore(),
    }
    return KeyManager(Index(str(tmp_path)), stores)


def items(keeper):
    return {
        (name, slot): key
        for store in ("file", "keyring")
        for name, slots in keeper.stores[store].read_all().items()
        for slot, key in slots.items()
    }


@pytest.fixture(params=["file", "keyring", "memory"])
def store(request):
    return request.param


def test_a_new_key_is_pending_beside_the_old_one_until_it_is_accepted(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, {"name": "a"}, store)
    keeper.add_pending("prod", new, {"name": "b"}, old.fingerprint)
    assert (keeper.read("prod"), keeper.read_pending("prod")) == (old, new)
    entry = keeper.accept_pending("prod", new.fingerprint, {"expires": "2030-01-01", "expiry_known": True})
    assert keeper.read("prod") == new
    assert keeper.pending_keys() == {}
    assert (entry.name, entry.expires, entry.tail) == ("b", "2030-01-01", new.tail)
    (aside,) = keeper.retired_keys("prod")
    assert keeper.read_retired(aside) == old
    assert aside.state == RETIRED


def test_the_states_in_seen_follow(keeper):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store="file")
    keeper.add_pending("prod", new)
    assert keeper.index.read().remembered[new.fingerprint].state == LIVE
    keeper.accept_pending("prod", new.fingerprint)
    seen = keeper.index.read().remembered
    assert (seen[old.fingerprint].state, seen[new.fingerprint].state) == (RETIRED, LIVE)
    keeper.take_out_compromised("prod")
    assert keeper.index.read().remembered[new.fingerprint].state == COMPROMISED


def test_a_third_key_replaces_the_first(keeper, store):
    keys = [make_key() for _ in range(3)]
    keeper.keep("prod", keys[0], store=store)
    for key in keys[1:]:
        keeper.add_pending("prod", key)
        keeper.accept_pending("prod", key.fingerprint)
    assert keeper.read("prod") == keys[2]
    assert [keeper.read_retired(aside) for aside in keeper.retired_keys("prod")] == [keys[1]]


def test_dropping_a_pending_key_keeps_the_old_one(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.add_pending("prod", new)
    keeper.drop_pending("prod")
    assert keeper.read("prod") == old
    assert keeper.read_pending("prod") is None
    assert new not in items(keeper).values()


def test_staging_over_another_key_than_expected_is_an_error(keeper):
    old, new, theirs = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store="file")
    keeper.keep("prod", theirs, store="file")
    with pytest.raises(ConcurrentChange, match=f"…{theirs.tail}"):
        keeper.add_pending("prod", new, expected=old.fingerprint)
    assert keeper.read("prod") == theirs
    assert new not in items(keeper).values()


def test_accepting_another_key_than_the_pending_one_is_an_error(keeper):
    old, new, theirs = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store="file")
    keeper.add_pending("prod", new)
    keeper.add_pending("prod", theirs)
    with pytest.raises(ConcurrentChange):
        keeper.accept_pending("prod", new.fingerprint)
    keeper.accept_pending("prod", theirs.fingerprint)
    with pytest.raises(ConcurrentChange):
        keeper.accept_pending("prod", theirs.fingerprint)
    assert keeper.read("prod") == theirs


def test_a_pending_key_that_never_reached_its_store_is_not_accepted(keeper):
    keeper.keep("prod", make_key(), store="file")
    lost = make_key()
    entry = keeper.add_pending("prod", lost)
    keeper.stores["file"].delete("prod", entry.slot)
    assert keeper.read_pending("prod") is None
    with pytest.raises(StoreError, match="Rotate it again"):
        keeper.accept_pending("prod", lost.fingerprint)


def test_one_rotates_at_a_time(keeper):
    with keeper.hold_rotation_lock("prod"):
        with (
            pytest.raises(StoreTimedOut, match="Another process is rotating or editing"),
            keeper.hold_rotation_lock("prod"),
        ):
            pass
        with keeper.hold_rotation_lock("dev"):
            pass
    with keeper.hold_rotation_lock("prod"):
        pass


def test_adding_a_key_ends_a_pending_rotation_and_retires_its_key(keeper, store):
    old, new, added = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.add_pending("prod", new)
    keeper.keep("prod", added, store=store)
    assert keeper.pending_keys() == {}
    assert keeper.read("prod") == added
    assert [keeper.read_retired(aside) for aside in keeper.retired_keys("prod")] == [new]
    assert keeper.index.read().pending_deletions == []
    keeper.drop_retired(keeper.retired_keys("prod")[0])
    assert list(items(keeper).values()) == ([added] if store != "memory" else [])


def test_adding_the_old_key_again_does_not_lose_the_pending_one(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.add_pending("prod", new)
    keeper.keep("prod", old, store=store)
    assert keeper.read("prod") == old
    assert [keeper.read_retired(aside) for aside in keeper.retired_keys("prod")] == [new]


def test_a_key_that_comes_back_into_use_is_no_longer_retired(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.add_pending("prod", new)
    keeper.keep("prod", old, store=store)
    keeper.keep("prod", new, store=store)
    assert (keeper.read("prod"), keeper.retired_keys()) == (new, [])
    assert list(items(keeper).values()) == ([new] if store != "memory" else [])
    assert keeper.index.read().pending_deletions == []


def test_adding_the_new_key_itself_ends_the_rotation(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.add_pending("prod", new)
    keeper.keep("prod", new, store=store)
    assert (keeper.read("prod"), keeper.pending_keys(), keeper.retired_keys()) == (new, {}, [])


def test_a_pending_key_in_a_locked_store_stays_pending_if_the_added_one_goes_to_another_store(keeper, tmp_path):
    old, new, added = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store="keyring")
    keeper.add_pending("prod", new)
    broken = Vault(str(tmp_path / "nowhere"), Secret("a passphrase"), CHEAP)
    broken.get = lambda *_: (_ for _ in ()).throw(StoreError("It is away.", ""))  # type: ignore[method-assign]
    KeyManager(keeper.index, keeper.stores | {"keyring": broken}).keep("prod", added, store="file")
    assert (keeper.read("prod"), keeper.read_pending("prod")) == (added, new)


def test_while_a_key_is_pending_nothing_is_moved_or_renamed(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.keep("dev", make_key(), store=store)
    keeper.add_pending("prod", new)
    with pytest.raises(WrongUsage, match="is unfinished"):
        keeper.rename("prod", "b")
    with pytest.raises(WrongUsage, match="is unfinished"):
        keeper.move("prod", "file" if store != "file" else "keyring")
    keeper.take_out_compromised("prod")
    with pytest.raises(WrongUsage, match="is unfinished"):
        keeper.rename("dev", "prod")
    assert keeper.read_pending("prod") == new


def test_a_new_key_stays_pending_when_the_old_one_is_revoked(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.add_pending("prod", new)
    aside = keeper.take_out_compromised("prod")
    assert keeper.read_pending("prod") == new
    keeper.accept_pending("prod", new.fingerprint)
    assert (keeper.read("prod"), keeper.read_retired(aside)) == (new, old)


def test_a_key_under_two_names_is_retired_for_both(keeper, store):
    key = make_key()
    keeper.keep("one", key, store=store)
    keeper.keep("two", key, store=store)
    for name in ("one", "two"):
        keeper.take_out_compromised(name)
    assert [aside.former_workspace for aside in keeper.retired_keys()] == ["one", "two"]
    for aside in keeper.retired_keys():
        assert keeper.read_retired(aside) == key
        keeper.drop_retired(aside)
    assert items(keeper) == {}
    assert keeper.index.read().pending_deletions == []


def test_an_old_key_stored_under_a_second_name_is_not_retired(keeper):
    old, new = make_key(), make_key()
    keeper.keep("one", old, store="file")
    keeper.keep("two", old, store="file")
    keeper.add_pending("one", new)
    keeper.accept_pending("one", new.fingerprint)
    assert keeper.index.read().remembered[old.fingerprint].state == LIVE


def test_a_replaced_key_that_leaked_outlives_the_next_rotation(keeper, store):
    old, new, newest = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.add_pending("prod", new)
    keeper.accept_pending("prod", new.fingerprint)
    (aside,) = keeper.mark_compromised(old.fingerprint)
    assert (aside.former_workspace, aside.state) == ("prod", COMPROMISED)
    assert store == "memory" or keeper.index.read().remembered[old.fingerprint].state == COMPROMISED
    keeper.add_pending("prod", newest)
    keeper.accept_pending("prod", newest.fingerprint)
    assert keeper.read_retired(aside) == old
    assert keeper.mark_compromised(old.fingerprint) == [aside]
    assert keeper.index.read().pending_deletions == []


def test_a_revoked_key_is_in_no_workspace_and_can_still_be_verified(keeper, store):
    key = make_key()
    keeper.keep("prod", key, store=store)
    aside = keeper.take_out_compromised("prod")
    assert "prod" not in keeper.workspaces()
    with pytest.raises(WrongUsage):
        keeper.read("prod")
    assert keeper.read_retired(aside) == key
    assert not any(name == "prod" for name, _ in items(keeper))
    keeper.drop_retired(aside)
    assert keeper.retired_keys() == []
    assert items(keeper) == {}
    assert keeper.index.read().pending_deletions == []


def test_a_key_in_a_locked_store_is_revoked_anyway(keeper, tmp_path):
    key = make_key()
    keeper.keep("prod", key, store="file")
    closed = KeyManager(keeper.index, {"file": Vault(str(tmp_path), None, CHEAP)})
    assert closed.take_out_compromised("prod") is None
    contents = closed.index.read()
    assert contents.workspaces == {}
    assert contents.remembered[key.fingerprint].state == COMPROMISED
    assert contents.pending_deletions
    assert keeper.run_pending_deletions() == []
    assert items(keeper) == {}


def test_a_new_key_after_a_revoked_one_keeps_that_one_retired(keeper):
    leaked, new = make_key(), make_key()
    keeper.keep("prod", leaked, store="file")
    aside = keeper.take_out_compromised("prod")
    keeper.keep("prod", new, store="file")
    assert (keeper.read("prod"), keeper.read_retired(aside)) == (new, leaked)


def test_an_old_key_can_have_a_workspace_of_its_own(keeper, store):
    old, new = make_key(), make_key()
    entry = keeper.keep("prod", old, {"expires": "2030-01-01"}, store)
    keeper.add_pending("prod", new)
    keeper.accept_pending("prod", new.fingerprint)
    if store != "memory":
        with pytest.raises(ConcurrentChange):
            keeper.keep_retired(keeper.retired_keys("prod")[0], "prod", entry)
    kept = keeper.keep_retired(keeper.retired_keys("prod")[0], "prod-old", entry)
    assert (keeper.read("prod"), keeper.read("prod-old")) == (new, old)
    assert kept.expires == "2030-01-01"
    assert keeper.retired_keys() == []
    assert keeper.index.read().pending_deletions == []


@pytest.mark.parametrize(("here", "there"), [("file", "keyring"), ("keyring", "file"), ("memory", "file")])
def test_a_key_moves_with_its_details(keeper, here, there):
    key = make_key()
    keeper.keep("prod", key, {"name": "laptop", "expires": "2030-01-01", "ask_first": True}, here)
    entry = keeper.move("prod", there)
    assert keeper.read("prod") == key
    assert (entry.store, entry.name, entry.expires, entry.ask_first) == (there, "laptop", "2030-01-01", True)
    assert list(items(keeper).values()) == [key]
    assert keeper.index.read().pending_deletions == []
    assert keeper.index.read().remembered[key.fingerprint].state == LIVE


def test_no_key_moves_from_under_a_rotation(keeper):
    keeper.keep("prod", make_key(), store="file")
    with (
        keeper.hold_rotation_lock("prod"),
        pytest.raises(StoreTimedOut, match="Another process is rotating or editing"),
    ):
        keeper.move("prod", "keyring")
    assert keeper.move("prod", "keyring").store == "keyring"


def test_a_workspace_is_renamed_with_its_details(keeper, store):
    key, old = make_key(), make_key()
    keeper.keep("a", old, store=store)
    keeper.add_pending("a", key, {"name": "laptop"})
    keeper.accept_pending("a", key.fingerprint)
    keeper.keep("z", make_key(), store=store)
    entry = keeper.rename("a", "b")
    assert list(keeper.workspaces()) == ["b", "z"]
    assert keeper.read("b") == key
    assert entry.name == "laptop"
    assert keeper.index.read().pending_deletions == []
    assert [keeper.read_retired(aside) for aside in keeper.retired_keys("b")] == [old]


def test_a_taken_name_cannot_be_reused(keeper, store):
    mine, theirs = make_key(), make_key()
    keeper.keep("a", mine, store=store)
    keeper.keep("b", theirs, store=store)
    with pytest.raises(WrongUsage, match="already"):
        keeper.rename("a", "b")
    assert (keeper.read("a"), keeper.read("b")) == (mine, theirs)


def test_deleting_leaves_nothing_of_a_revoked_key(keeper):
    leaked, new = make_key(), make_key()
    keeper.keep("prod", leaked, store="file")
    keeper.take_out_compromised("prod")
    keeper.keep("prod", new, store="file")
    keeper.forget("prod")
    assert (items(keeper), keeper.index.read().pending_deletions) == ({}, [])


def test_deleting_removes_pending_and_retired_keys(keeper):
    keys = [make_key() for _ in range(3)]
    keeper.keep("prod", keys[0], store="file")
    keeper.add_pending("prod", keys[1])
    keeper.accept_pending("prod", keys[1].fingerprint)
    keeper.add_pending("prod", keys[2])
    keeper.forget("prod")
    assert items(keeper) == {}
    contents = keeper.index.read()
    assert (contents.pending, contents.retired, contents.pending_deletions) == ({}, [], [])
    assert set(contents.remembered) == {key.fingerprint for key in keys}
