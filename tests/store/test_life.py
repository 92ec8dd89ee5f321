"""What happens to a kept key later: rotated, set aside, moved, renamed; in each kind of store."""

import pytest
from keys import make_key

from mistral_nb.errors import Overtaken, StoreError, StoreTimedOut, WrongUsage
from mistral_nb.key import Secret
from mistral_nb.store.envelope import Kdf
from mistral_nb.store.index import COMPROMISED, LIVE, RETIRED, Index
from mistral_nb.store.life import LifeKeeper
from mistral_nb.store.memory import MemoryStore
from mistral_nb.store.vault import Vault

CHEAP = Kdf(memory=8, iterations=1, lanes=1)


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
    return LifeKeeper(Index(str(tmp_path)), stores)


def items(keeper):
    return {
        (name, slot): key
        for store in ("file", "keyring")
        for name, slots in keeper.stores[store].everything().items()
        for slot, key in slots.items()
    }


@pytest.fixture(params=["file", "keyring", "memory"])
def store(request):
    return request.param


def test_a_new_key_waits_beside_the_old_one_until_it_is_accepted(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, {"name": "a"}, store)
    keeper.stage("prod", new, {"name": "b"}, old.fingerprint)
    assert (keeper.read("prod"), keeper.read_pending("prod")) == (old, new)
    entry = keeper.accept("prod", new.fingerprint, {"expires": "2030-01-01", "expiry_known": True})
    assert keeper.read("prod") == new
    assert keeper.pending() == {}
    assert (entry.name, entry.expires, entry.tail) == ("b", "2030-01-01", new.tail)
    (aside,) = keeper.asides("prod")
    assert keeper.read_aside(aside) == old
    assert aside.state == RETIRED


def test_the_states_in_seen_follow(keeper):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store="file")
    keeper.stage("prod", new)
    assert keeper.index.read().seen[new.fingerprint].state == LIVE
    keeper.accept("prod", new.fingerprint)
    seen = keeper.index.read().seen
    assert (seen[old.fingerprint].state, seen[new.fingerprint].state) == (RETIRED, LIVE)
    keeper.set_aside("prod")
    assert keeper.index.read().seen[new.fingerprint].state == COMPROMISED


def test_a_third_key_takes_the_place_of_the_first(keeper, store):
    keys = [make_key() for _ in range(3)]
    keeper.keep("prod", keys[0], store=store)
    for key in keys[1:]:
        keeper.stage("prod", key)
        keeper.accept("prod", key.fingerprint)
    assert keeper.read("prod") == keys[2]
    assert [keeper.read_aside(aside) for aside in keeper.asides("prod")] == [keys[1]]


def test_a_new_key_that_is_not_wanted_leaves_the_old_one(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.stage("prod", new)
    keeper.drop_pending("prod")
    assert keeper.read("prod") == old
    assert keeper.read_pending("prod") is None
    assert new not in items(keeper).values()


def test_who_stages_over_another_key_than_it_saw_is_told(keeper):
    old, new, theirs = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store="file")
    keeper.keep("prod", theirs, store="file")
    with pytest.raises(Overtaken, match=f"…{theirs.tail}"):
        keeper.stage("prod", new, expected=old.fingerprint)
    assert keeper.read("prod") == theirs
    assert new not in items(keeper).values()


def test_who_accepts_another_key_than_the_one_that_waits_is_told(keeper):
    old, new, theirs = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store="file")
    keeper.stage("prod", new)
    keeper.stage("prod", theirs)
    with pytest.raises(Overtaken):
        keeper.accept("prod", new.fingerprint)
    keeper.accept("prod", theirs.fingerprint)
    with pytest.raises(Overtaken):
        keeper.accept("prod", theirs.fingerprint)
    assert keeper.read("prod") == theirs


def test_a_waiting_key_that_never_reached_its_store_is_not_accepted(keeper):
    keeper.keep("prod", make_key(), store="file")
    lost = make_key()
    entry = keeper.stage("prod", lost)
    keeper.stores["file"].delete("prod", entry.slot)
    assert keeper.read_pending("prod") is None
    with pytest.raises(StoreError, match="Rotate it again"):
        keeper.accept("prod", lost.fingerprint)


def test_one_rotates_at_a_time(keeper):
    with keeper.rotating("prod"):
        with pytest.raises(StoreTimedOut, match="Another process is rotating"), keeper.rotating("prod"):
            pass
        with keeper.rotating("dev"):
            pass
    with keeper.rotating("prod"):
        pass


def test_adding_a_key_ends_a_rotation_that_waits_and_sets_its_key_aside(keeper, store):
    old, new, added = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.stage("prod", new)
    keeper.keep("prod", added, store=store)
    assert keeper.pending() == {}
    assert keeper.read("prod") == added
    assert [keeper.read_aside(aside) for aside in keeper.asides("prod")] == [new]
    assert keeper.index.read().unfinished == []
    keeper.drop_aside(keeper.asides("prod")[0])
    assert list(items(keeper).values()) == ([added] if store != "memory" else [])


def test_adding_the_old_key_again_loses_no_new_one(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.stage("prod", new)
    keeper.keep("prod", old, store=store)
    assert keeper.read("prod") == old
    assert [keeper.read_aside(aside) for aside in keeper.asides("prod")] == [new]


def test_a_key_that_comes_back_into_use_is_aside_no_longer(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.stage("prod", new)
    keeper.keep("prod", old, store=store)
    keeper.keep("prod", new, store=store)
    assert (keeper.read("prod"), keeper.asides()) == (new, [])
    assert list(items(keeper).values()) == ([new] if store != "memory" else [])
    assert keeper.index.read().unfinished == []


def test_adding_the_new_key_itself_ends_the_rotation(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.stage("prod", new)
    keeper.keep("prod", new, store=store)
    assert (keeper.read("prod"), keeper.pending(), keeper.asides()) == (new, {}, [])


def test_a_new_key_in_a_store_that_is_closed_goes_on_waiting_if_another_store_takes_the_added_one(keeper, tmp_path):
    old, new, added = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store="keyring")
    keeper.stage("prod", new)
    broken = Vault(str(tmp_path / "nowhere"), Secret("x"), CHEAP)
    broken.get = lambda *_: (_ for _ in ()).throw(StoreError("It is away.", ""))  # type: ignore[method-assign]
    LifeKeeper(keeper.index, keeper.stores | {"keyring": broken}).keep("prod", added, store="file")
    assert (keeper.read("prod"), keeper.read_pending("prod")) == (added, new)


def test_while_a_new_key_waits_nothing_is_moved_or_renamed(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.keep("dev", make_key(), store=store)
    keeper.stage("prod", new)
    with pytest.raises(WrongUsage, match="is not finished"):
        keeper.rename("prod", "b")
    with pytest.raises(WrongUsage, match="is not finished"):
        keeper.move("prod", "file" if store != "file" else "keyring")
    keeper.set_aside("prod")
    with pytest.raises(WrongUsage, match="is not finished"):
        keeper.rename("dev", "prod")
    assert keeper.read_pending("prod") == new


def test_a_new_key_waits_also_when_the_old_one_is_revoked(keeper, store):
    old, new = make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.stage("prod", new)
    aside = keeper.set_aside("prod")
    assert keeper.read_pending("prod") == new
    keeper.accept("prod", new.fingerprint)
    assert (keeper.read("prod"), keeper.read_aside(aside)) == (new, old)


def test_a_key_under_two_names_is_set_aside_for_both(keeper, store):
    key = make_key()
    keeper.keep("one", key, store=store)
    keeper.keep("two", key, store=store)
    for name in ("one", "two"):
        keeper.set_aside(name)
    assert [aside.of for aside in keeper.asides()] == ["one", "two"]
    for aside in keeper.asides():
        assert keeper.read_aside(aside) == key
        keeper.drop_aside(aside)
    assert items(keeper) == {}
    assert keeper.index.read().unfinished == []


def test_an_old_key_that_is_kept_under_a_second_name_is_not_retired(keeper):
    old, new = make_key(), make_key()
    keeper.keep("one", old, store="file")
    keeper.keep("two", old, store="file")
    keeper.stage("one", new)
    keeper.accept("one", new.fingerprint)
    assert keeper.index.read().seen[old.fingerprint].state == LIVE


def test_a_replaced_key_that_leaked_outlives_the_next_rotation(keeper, store):
    old, new, newest = make_key(), make_key(), make_key()
    keeper.keep("prod", old, store=store)
    keeper.stage("prod", new)
    keeper.accept("prod", new.fingerprint)
    (aside,) = keeper.condemn(old.fingerprint)
    assert (aside.of, aside.state) == ("prod", COMPROMISED)
    assert store == "memory" or keeper.index.read().seen[old.fingerprint].state == COMPROMISED
    keeper.stage("prod", newest)
    keeper.accept("prod", newest.fingerprint)
    assert keeper.read_aside(aside) == old
    assert keeper.condemn(old.fingerprint) == [aside]
    assert keeper.index.read().unfinished == []


def test_a_revoked_key_is_in_no_workspace_and_can_still_be_asked_about(keeper, store):
    key = make_key()
    keeper.keep("prod", key, store=store)
    aside = keeper.set_aside("prod")
    assert "prod" not in keeper.workspaces()
    with pytest.raises(WrongUsage):
        keeper.read("prod")
    assert keeper.read_aside(aside) == key
    assert not any(name == "prod" for name, _ in items(keeper))
    keeper.drop_aside(aside)
    assert keeper.asides() == []
    assert items(keeper) == {}
    assert keeper.index.read().unfinished == []


def test_a_key_whose_store_is_closed_is_revoked_all_the_same(keeper, tmp_path):
    key = make_key()
    keeper.keep("prod", key, store="file")
    closed = LifeKeeper(keeper.index, {"file": Vault(str(tmp_path), None, CHEAP)})
    assert closed.set_aside("prod") is None
    contents = closed.index.read()
    assert contents.workspaces == {}
    assert contents.seen[key.fingerprint].state == COMPROMISED
    assert contents.unfinished
    assert keeper.finish() == []
    assert items(keeper) == {}


def test_a_new_key_after_a_revoked_one_leaves_that_one_aside(keeper):
    leaked, new = make_key(), make_key()
    keeper.keep("prod", leaked, store="file")
    aside = keeper.set_aside("prod")
    keeper.keep("prod", new, store="file")
    assert (keeper.read("prod"), keeper.read_aside(aside)) == (new, leaked)


def test_an_old_key_can_have_a_workspace_of_its_own(keeper, store):
    old, new = make_key(), make_key()
    entry = keeper.keep("prod", old, {"expires": "2030-01-01"}, store)
    keeper.stage("prod", new)
    keeper.accept("prod", new.fingerprint)
    if store != "memory":
        with pytest.raises(Overtaken):
            keeper.keep_aside(keeper.asides("prod")[0], "prod", entry)
    kept = keeper.keep_aside(keeper.asides("prod")[0], "prod-old", entry)
    assert (keeper.read("prod"), keeper.read("prod-old")) == (new, old)
    assert kept.expires == "2030-01-01"
    assert keeper.asides() == []
    assert keeper.index.read().unfinished == []


@pytest.mark.parametrize(("here", "there"), [("file", "keyring"), ("keyring", "file"), ("memory", "file")])
def test_a_key_moves_with_what_is_noted_on_it(keeper, here, there):
    key = make_key()
    keeper.keep("prod", key, {"name": "laptop", "expires": "2030-01-01", "protected": True}, here)
    entry = keeper.move("prod", there)
    assert keeper.read("prod") == key
    assert (entry.store, entry.name, entry.expires, entry.protected) == (there, "laptop", "2030-01-01", True)
    assert list(items(keeper).values()) == [key]
    assert keeper.index.read().unfinished == []
    assert keeper.index.read().seen[key.fingerprint].state == LIVE


def test_no_key_moves_from_under_a_rotation(keeper):
    keeper.keep("prod", make_key(), store="file")
    with keeper.rotating("prod"), pytest.raises(StoreTimedOut, match="Another process is rotating"):
        keeper.move("prod", "keyring")
    assert keeper.move("prod", "keyring").store == "keyring"


def test_a_workspace_is_renamed_with_what_is_noted_on_it(keeper, store):
    key, old = make_key(), make_key()
    keeper.keep("a", old, store=store)
    keeper.stage("a", key, {"name": "laptop"})
    keeper.accept("a", key.fingerprint)
    keeper.keep("z", make_key(), store=store)
    entry = keeper.rename("a", "b")
    assert list(keeper.workspaces()) == (["b", "z"] if store != "memory" else ["z", "b"])
    assert keeper.read("b") == key
    assert entry.name == "laptop"
    assert keeper.index.read().unfinished == []
    assert [keeper.read_aside(aside) for aside in keeper.asides("b" if store != "memory" else "a")] == [old]


def test_a_name_that_is_taken_is_not_taken_away(keeper, store):
    mine, theirs = make_key(), make_key()
    keeper.keep("a", mine, store=store)
    keeper.keep("b", theirs, store=store)
    with pytest.raises(WrongUsage, match="already"):
        keeper.rename("a", "b")
    assert (keeper.read("a"), keeper.read("b")) == (mine, theirs)


def test_forgetting_leaves_nothing_of_a_revoked_key(keeper):
    leaked, new = make_key(), make_key()
    keeper.keep("prod", leaked, store="file")
    keeper.set_aside("prod")
    keeper.keep("prod", new, store="file")
    keeper.forget("prod")
    assert (items(keeper), keeper.index.read().unfinished) == ({}, [])


def test_forgetting_forgets_what_waits_and_what_is_aside(keeper):
    keys = [make_key() for _ in range(3)]
    keeper.keep("prod", keys[0], store="file")
    keeper.stage("prod", keys[1])
    keeper.accept("prod", keys[1].fingerprint)
    keeper.stage("prod", keys[2])
    keeper.forget("prod")
    assert items(keeper) == {}
    contents = keeper.index.read()
    assert (contents.pending, contents.aside, contents.unfinished) == ({}, [], [])
    assert set(contents.seen) == {key.fingerprint for key in keys}
