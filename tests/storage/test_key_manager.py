"""Storing, reading, deleting and finishing, over index and stores; what is left when a store fails midway."""

import pytest

from mistral_nb.api_key import Secret
from mistral_nb.errors import (
    IndexNotWritten,
    PassphraseNeeded,
    StoreError,
    StoreLocked,
    StoreTimedOut,
    StoreUnavailable,
    WrongPassphrase,
    WrongUsage,
)
from mistral_nb.storage.index import COMPROMISED, LIVE, RETIRED, Index, PendingDeletion, Workspace
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.memory_store import MemoryStore
from mistral_nb.storage.vault import Vault
from support.crashes import CHEAP
from support.disks import fill, small_disk
from support.fickle_store import LOCKED, Fickle
from support.keys import make_key


@pytest.fixture
def keeper(tmp_path):
    home = str(tmp_path)
    stores = {"keyring": Fickle(), "file": Vault(home, Secret("open sesame, please"), CHEAP), "memory": MemoryStore()}
    return KeyManager(Index(home), stores)


def states(keeper):
    return {seen.tail: seen.state for seen in keeper.index.read().remembered.values()}


@pytest.mark.parametrize("store", ["keyring", "file", "memory"])
def test_a_stored_key_is_read_with_its_details(keeper, store):
    key = make_key()
    kept = keeper.keep("prod", key, {"name": "laptop", "expires": "2027-01-31"}, store)
    assert keeper.read("prod") == key
    assert keeper.workspaces() == {"prod": kept}
    assert (kept.store, kept.tail, kept.name, kept.expires) == (store, key.tail, "laptop", "2027-01-31")
    assert states(keeper) == {key.tail: LIVE}


def test_the_details_may_be_an_entry_whose_place_and_key_do_not_count(keeper):
    key, other = make_key(), make_key()
    kept = keeper.keep("prod", key, Workspace("", "next", other.fingerprint, other.tail, name="n"), "file")
    assert kept == Workspace("file", "current", key.fingerprint, key.tail, name="n")


@pytest.mark.parametrize(("store", "copies"), [("memory", 1), ("file", 0)])
def test_a_retired_key_in_use_again_loses_its_stored_copy_only_to_a_store(keeper, store, copies):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store="keyring")
    keeper.add_pending("prod", new)
    keeper.accept_pending("prod", new.fingerprint)
    keeper.keep("again", old, store=store)
    assert keeper.read("again") == old
    assert len(keeper.retired_keys()) == copies
    assert [keeper.read_retired(copy) for copy in keeper.retired_keys()] == [old] * copies


@pytest.mark.parametrize("store", ["keyring", "file"])
def test_a_replaced_key_is_retired_and_deleted(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.keep("prod", new, store=store)
    assert keeper.read("prod") == new
    assert states(keeper) == {old.tail: RETIRED, new.tail: LIVE}
    assert keeper.stores[store].get("prod", "current") is None
    assert keeper.index.read().pending_deletions == []


def test_a_key_that_another_workspace_holds_is_not_retired(keeper):
    shared, new = make_key(), make_key()
    keeper.keep("prod", shared)
    keeper.keep("dev", shared)
    keeper.keep("prod", new)
    assert states(keeper)[shared.tail] == LIVE


def test_a_retired_key_stored_again_is_live_and_a_compromised_one_is_not(keeper):
    one, two = make_key(), make_key()
    for key in (one, two, one):
        keeper.keep("prod", key)
    assert states(keeper) == {one.tail: LIVE, two.tail: RETIRED}
    keeper.index.remember(two, COMPROMISED)
    keeper.keep("prod", two)
    assert states(keeper)[two.tail] == COMPROMISED


def test_a_key_moves_from_store_to_store(keeper):
    key = make_key()
    keeper.keep("prod", key, store="keyring")
    keeper.keep("prod", key, store="file")
    assert keeper.read("prod") == key
    assert keeper.stores["keyring"].items == {}
    assert states(keeper) == {key.tail: LIVE}


def test_a_stored_name_is_refused_in_memory(keeper):
    kept, passing = make_key(), make_key()
    keeper.keep("prod", kept)
    with pytest.raises(WrongUsage, match="stored in the keyring"):
        keeper.keep("prod", passing, store="memory")
    assert keeper.read("prod") == kept
    assert keeper.memory_workspaces() == {}


def test_a_name_in_memory_leaves_it_when_a_key_is_stored_under_it(keeper):
    passing, new = make_key(), make_key()
    keeper.keep("prod", passing, store="memory")
    assert keeper.read("prod") == passing
    keeper.keep("prod", new)
    assert keeper.read("prod") == new
    assert keeper.memory_workspaces() == {}


def test_a_name_in_memory_hides_one_that_another_process_stored_since(keeper):
    passing, theirs = make_key(), make_key()
    keeper.keep("prod", passing, store="memory")
    KeyManager(keeper.index, {**keeper.stores, "memory": MemoryStore()}).keep("prod", theirs)
    assert keeper.read("prod") == passing
    keeper.forget("prod")
    assert keeper.read("prod") == theirs


def test_when_the_store_fails_the_old_key_stays_and_the_rest_is_cleaned_up_later(keeper):
    old, new = make_key(), make_key()
    keeper.keep("prod", old)
    keeper.stores["keyring"].fails = {"put", "delete"}
    with pytest.raises(StoreLocked):
        keeper.keep("prod", new)
    assert keeper.read("prod") == old
    assert keeper.run_pending_deletions() == [LOCKED]
    assert keeper.index.read().pending_deletions == [PendingDeletion("keyring", "prod", "next")]
    keeper.stores["keyring"].fails = set()
    assert keeper.run_pending_deletions() == []
    assert keeper.index.read().pending_deletions == []
    assert keeper.read("prod") == old
    assert states(keeper)[new.tail] == LIVE, "it entered this process, so it is looked for"


def test_if_only_the_deletion_fails_the_new_key_is_stored_anyway(keeper):
    old, new = make_key(), make_key()
    keeper.keep("prod", old)
    keeper.stores["keyring"].fails = {"delete"}
    keeper.keep("prod", new)
    assert keeper.read("prod") == new
    keeper.stores["keyring"].fails = set()
    keeper.keep("dev", make_key())
    assert ("prod", "current") in keeper.stores["keyring"].items
    keeper.run_pending_deletions()
    assert ("prod", "current") not in keeper.stores["keyring"].items


def test_forgetting_removes_the_key_and_keeps_its_fingerprint(keeper):
    key = make_key()
    keeper.keep("prod", key)
    assert keeper.forget("prod").fingerprint == key.fingerprint
    assert keeper.workspaces() == {}
    assert keeper.stores["keyring"].items == {}
    assert states(keeper) == {key.tail: LIVE}


@pytest.mark.parametrize("store", ["keyring", "file", "memory"])
def test_forgetting_with_trace_drops_the_fingerprint_too(keeper, store):
    keeper.keep("prod", make_key(), store=store)
    keeper.forget("prod", forget_fingerprint=True)
    assert states(keeper) == {}


def test_with_trace_the_fingerprint_stays_until_the_item_is_gone(keeper):
    key = make_key()
    keeper.keep("prod", key)
    keeper.stores["keyring"].fails = {"delete"}
    with pytest.raises(StoreLocked):
        keeper.forget("prod", forget_fingerprint=True)
    assert keeper.workspaces() == {}
    assert states(keeper) == {key.tail: LIVE}
    keeper.stores["keyring"].fails = set()
    keeper.run_pending_deletions()
    assert states(keeper) == {}


def test_with_trace_a_key_stored_again_meanwhile_stays_in_seen(keeper):
    key = make_key()
    keeper.keep("prod", key)
    keeper.stores["keyring"].fails = {"delete"}
    with pytest.raises(StoreLocked):
        keeper.forget("prod", forget_fingerprint=True)
    keeper.keep("dev", key)
    keeper.stores["keyring"].fails = set()
    keeper.run_pending_deletions()
    assert states(keeper) == {key.tail: LIVE}


def test_with_trace_a_key_of_another_workspace_stays_in_seen(keeper):
    key = make_key()
    keeper.keep("prod", key)
    keeper.keep("dev", key)
    keeper.forget("prod", forget_fingerprint=True)
    assert states(keeper) == {key.tail: LIVE}


def test_deleting_a_missing_key_returns_none(keeper):
    assert keeper.forget("prod") is None


def test_a_name_without_a_key_is_wrong_usage(keeper):
    with pytest.raises(WrongUsage) as caught:
        keeper.read("prod")
    assert "named prod" in caught.value.failed
    assert "Add one" in caught.value.todo
    with pytest.raises(WrongUsage):
        keeper.update("prod", name="n")


def test_a_missing_item_is_reported_with_workspace_tail_and_place(keeper):
    key = make_key()
    keeper.keep("prod", key)
    keeper.stores["keyring"].items.clear()
    with pytest.raises(StoreError) as caught:
        keeper.read("prod")
    assert caught.value.failed == f"The key of workspace prod (…{key.tail}) is not in the keyring."


def test_where_the_keyring_can_not_be_used_the_error_names_the_key_that_is_in_it(keeper, monkeypatch):
    key = make_key()
    keeper.keep("prod", key)

    def get(*_):
        raise StoreUnavailable("This container has no keyring.", "Start it with the key.")

    monkeypatch.setattr(keeper.stores["keyring"], "get", get)
    with pytest.raises(StoreUnavailable) as caught:
        keeper.read("prod")
    kept = f"The key of workspace prod (…{key.tail}) is in a keyring that can't be used from here."
    assert (caught.value.failed, caught.value.todo) == (
        f"{kept} This container has no keyring.",
        "Start it with the key.",
    )


def test_an_item_that_contains_another_key_is_not_returned(keeper):
    keeper.keep("prod", make_key())
    keeper.stores["keyring"].items["prod", "current"] = make_key()
    with pytest.raises(StoreError, match="is not in the keyring"):
        keeper.read("prod")


def test_the_right_key_in_the_other_slot_is_found(keeper):
    key = make_key()
    keeper.keep("prod", key)
    keeper.stores["keyring"].items = {("prod", "next"): key, ("prod", "current"): make_key()}
    assert keeper.read("prod") == key


def test_a_store_of_a_later_version_is_named(keeper):
    with keeper.index.edit() as contents:
        contents.workspaces["prod"] = Workspace("tpm", "current", make_key().fingerprint, "tail")
    with pytest.raises(StoreUnavailable) as caught:
        keeper.read("prod")
    assert "tpm" in caught.value.failed


def test_a_locked_vault_asks_for_its_passphrase_and_then_the_same_call_works(keeper, tmp_path):
    key = make_key()
    keeper.keep("prod", key, store="file")
    closed = KeyManager(keeper.index, {"file": Vault(str(tmp_path), None, CHEAP)})
    for call in (lambda: closed.read("prod"), lambda: closed.keep("prod", make_key(), store="file")):
        with pytest.raises(PassphraseNeeded):
            call()
    with pytest.raises(PassphraseNeeded):
        closed.forget("prod")
    closed.stores["file"].unlock(Secret("open sesame, please"))
    closed.forget("prod")
    assert closed.index.read().pending_deletions == []
    assert closed.stores["file"].get("prod", "current") is None


@pytest.mark.parametrize(("passphrase", "error"), [(None, PassphraseNeeded), (Secret("open barley"), WrongPassphrase)])
def test_a_write_refused_by_a_locked_vault_is_no_longer_announced(keeper, tmp_path, passphrase, error):
    old = make_key()
    keeper.keep("prod", old, store="file")
    closed = KeyManager(keeper.index, {"file": Vault(str(tmp_path), passphrase, CHEAP)})
    for workspace in ("prod", "dev"):
        with pytest.raises(error):
            closed.keep(workspace, make_key(), store="file")
        assert closed.index.read().pending_deletions == []
    assert keeper.read("prod") == old


def test_a_write_another_store_may_have_made_stays_announced(keeper):
    keeper.stores["keyring"].fails = {"put"}
    with pytest.raises(StoreLocked):
        keeper.keep("prod", make_key())
    assert keeper.index.read().pending_deletions == [PendingDeletion("keyring", "prod", "current")]


@pytest.mark.parametrize("store", ["keyring", "memory"])
def test_the_details_of_a_key_can_be_changed(keeper, store):
    key = make_key()
    keeper.keep("prod", key, store=store)
    assert keeper.update("prod", verified="2026-11-23T09:42:00Z").verified == "2026-11-23T09:42:00Z"
    assert keeper.workspaces()["prod"].verified == "2026-11-23T09:42:00Z"
    assert keeper.read("prod") == key


def test_finishing_skips_a_workspace_that_is_being_changed(keeper):
    with keeper.index.edit() as contents:
        contents.pending_deletions.append(PendingDeletion("keyring", "prod", "next"))
        contents.pending_deletions.append(PendingDeletion("keyring", "dev", "next"))
    with keeper._stored.lock("prod", 1):
        assert keeper.run_pending_deletions() == []
        assert keeper.index.read().pending_deletions == [PendingDeletion("keyring", "prod", "next")]
    keeper.run_pending_deletions()
    assert keeper.index.read().pending_deletions == []


@pytest.mark.slow
def test_two_changes_of_one_workspace_at_once_wait_for_one_another(keeper):
    with keeper._stored.lock("prod", 1):
        with pytest.raises(StoreTimedOut) as caught:
            keeper.forget("prod")
        keeper.keep("dev", make_key())
    assert caught.value.failed == "Another process is changing the key of workspace prod."


def test_finishing_never_deletes_the_item_that_the_index_points_to(keeper):
    key = make_key()
    keeper.keep("prod", key)
    with keeper.index.edit() as contents:
        contents.pending_deletions.append(PendingDeletion("keyring", "prod", "current"))
    keeper.run_pending_deletions()
    assert keeper.read("prod") == key
    assert keeper.index.read().pending_deletions == []


def test_on_a_full_disk_it_says_so_and_memory_still_takes_the_key(tmp_path):
    with small_disk(str(tmp_path)):
        stores = {"file": Vault(str(tmp_path), Secret("open sesame, please"), CHEAP), "memory": MemoryStore()}
        keeper = KeyManager(Index(str(tmp_path)), stores)
        old, new = make_key(), make_key()
        keeper.keep("prod", old, store="file")
        fill(str(tmp_path))
        with pytest.raises(IndexNotWritten):
            keeper.keep("prod", new, store="file")
        assert keeper.read("prod") == old
        keeper.keep("prod-new", new, store="memory")
        assert keeper.read("prod-new") == new
