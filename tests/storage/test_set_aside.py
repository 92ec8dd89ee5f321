"""Keys that no store held when they were taken out of a file: set aside without asking, listed, taken and dropped."""

import json
import os
import re
from datetime import date, timedelta

import pytest

from mistral_nb.api_key import MARKER, Secret
from mistral_nb.config import sets_aside
from mistral_nb.errors import ConcurrentChange, NotSetAside, StoreError, StoreLocked, StoreTimedOut
from mistral_nb.storage.index import Index, PendingDeletion
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.memory_store import MemoryIndex
from mistral_nb.storage.set_aside import KEPT_DAYS, MOST, RemovalPlace, SetAside, days_left
from mistral_nb.storage.vault import Vault
from support.crashes import CHEAP
from support.desktops import desktop
from support.fickle_store import Fickle
from support.keys import make_key

PASSPHRASE = Secret("open sesame, please")
TODAY = date(2026, 11, 27)
PLACE = RemovalPlace("analysis.ipynb", 3, "source")


class Day:
    def __init__(self):
        self.today, self.seconds = TODAY, 0.0

    def later(self, days):
        self.today = TODAY + timedelta(days=days)


@pytest.fixture
def day():
    return Day()


@pytest.fixture
def stores(tmp_path):
    return {"keyring": Fickle(), "file": Vault(str(tmp_path), PASSPHRASE, CHEAP)}


@pytest.fixture
def aside(tmp_path, stores, day):
    return open_aside(tmp_path, stores, day)


def open_aside(home, stores, day, wish="auto"):
    return SetAside(Index(str(home)), stores, wish, today=lambda: day.today, clock=lambda: day.seconds)


def test_a_key_that_is_set_aside_is_listed_and_can_be_taken(tmp_path, aside, stores, day):
    key = make_key()
    entry = aside.put(key, PLACE)
    assert (entry.fingerprint, entry.tail, entry.file, entry.cell) == (key.fingerprint, key.tail, "analysis.ipynb", 3)
    assert entry.expires == (TODAY + timedelta(days=KEPT_DAYS)).isoformat()
    [listed] = open_aside(tmp_path, stores, day).entries()
    assert listed == entry
    assert aside.take(listed) == key
    for name in (entry.id, key.tail, f"…{key.tail}", key.fingerprint):
        assert aside.find(name) == [entry]
    assert aside.find("none") == []
    assert key.reveal() not in (tmp_path / "workspaces.json").read_text()
    assert Index(str(tmp_path)).read().pending_deletions == []


def test_a_suspected_key_is_not_remembered_because_it_is_set_aside(tmp_path, aside):
    aside.put(make_key(), PLACE)
    assert Index(str(tmp_path)).read().remembered == {}


def test_it_works_in_memory_alone():
    key = make_key()
    store = Fickle()
    aside = SetAside(MemoryIndex(), {"keyring": store, "file": store})
    assert aside.take(aside.put(key, PLACE)) == key


def test_the_same_key_is_one_and_its_time_begins_anew(tmp_path, aside, day):
    key = make_key()
    first = aside.put(key, PLACE)
    for _ in range(9):
        last = aside.put(key, PLACE)
    assert aside.entries() == (last,)
    assert last._replace(taken=first.taken) == first
    day.later(5)
    again = aside.put(key, PLACE._replace(file="b.ipynb"))
    assert aside.entries() == (again,)
    assert (again.file, days_left(again, day.today)) == ("b.ipynb", KEPT_DAYS)


def test_the_latest_comes_first(aside):
    entries = [aside.put(make_key(), PLACE) for _ in range(3)]
    with aside._items.index.edit() as contents:
        contents.set_aside[:] = [e._replace(taken=f"2026-11-2{n}T00:00:00Z") for n, e in enumerate(contents.set_aside)]
    assert [entry.tail for entry in aside.entries()] == [entry.tail for entry in reversed(entries)]


def test_a_file_whose_name_holds_the_key_is_noted_without_it(tmp_path, aside):
    key = make_key()
    entry = aside.put(key, RemovalPlace(f"notes\n{key.reveal()}.py"))
    assert key.reveal() not in (tmp_path / "workspaces.json").read_text()
    assert entry.file == f"notes {MARKER}.py" or "\n" not in entry.file


def test_a_folder_s_file_is_named_as_people_do(aside):
    assert aside.put(make_key(), RemovalPlace(os.path.join(".", "a.ipynb"))).file == "a.ipynb"


def test_what_is_dropped_is_in_no_store(tmp_path, aside, stores):
    one, two = aside.put(make_key(), PLACE), aside.put(make_key(), PLACE)
    aside.drop(one)
    assert aside.entries() == (two,)
    assert [name for name, _ in stores["keyring"].items] == [two.item]
    aside.drop(one)  # no error


def test_a_drop_that_fails_is_finished_later(tmp_path, aside, stores):
    entry = aside.put(make_key(), PLACE)
    stores["keyring"].fails = {"delete"}
    with pytest.raises(StoreLocked):
        aside.drop(entry)
    assert aside.entries() == ()
    stores["keyring"].fails = set()
    KeyManager(Index(str(tmp_path)), stores).run_pending_deletions()
    assert stores["keyring"].items == {}


def test_what_is_set_aside_is_no_left_over(tmp_path, aside, stores):
    entry = aside.put(make_key(), PLACE)
    with Index(str(tmp_path)).edit() as contents:
        contents.pending_deletions.append(PendingDeletion(entry.store, entry.item, "current"))
    KeyManager(Index(str(tmp_path)), stores).run_pending_deletions()
    assert aside.take(entry).tail == entry.tail


def test_a_key_that_is_stored_is_set_aside_no_longer(tmp_path, aside, stores):
    key = make_key()
    entry = aside.put(key, PLACE)
    manager = KeyManager(Index(str(tmp_path)), stores)
    manager.keep("dev", key)
    assert aside.entries() == ()
    assert (entry.item, "current") not in stores["keyring"].items
    assert manager.read("dev") == key


def test_after_thirty_days_it_is_deleted(aside, stores, day):
    entry = aside.put(make_key(), PLACE)
    day.later(KEPT_DAYS)
    assert aside.drop_expired() == []
    day.later(KEPT_DAYS + 1)
    assert aside.drop_expired() == [entry]
    assert stores["keyring"].items == {}


def test_what_is_over_and_can_not_be_deleted_now_goes_later(tmp_path, aside, stores, day):
    entries = {aside.put(make_key(), PLACE) for _ in range(2)}
    day.later(KEPT_DAYS + 1)
    stores["keyring"].fails = {"delete"}
    assert set(aside.drop_expired()) == entries
    assert aside.entries() == ()
    stores["keyring"].fails = set()
    KeyManager(Index(str(tmp_path)), stores).run_pending_deletions()
    assert stores["keyring"].items == {}


def test_nothing_is_deleted_from_a_store_that_is_locked(tmp_path, aside, stores, day):
    entry = aside.put(make_key(), PLACE)
    day.later(KEPT_DAYS + 1)
    items = stores["keyring"].items
    stores["keyring"] = Locked()
    assert open_aside(tmp_path, stores, day).drop_expired() == []
    assert (aside.entries(), len(items)) == ((entry,), 1)


def test_what_another_process_works_on_is_not_said_to_be_deleted(tmp_path, aside, stores, day):
    entry = aside.put(make_key(), PLACE)
    day.later(KEPT_DAYS + 1)
    assert SetAside(BusyIndex(str(tmp_path)), stores, today=lambda: day.today).drop_expired() == []
    assert aside.drop_expired() == [entry]


@pytest.mark.parametrize(("wish", "store"), [("auto", "keyring"), ("keyring", "keyring"), ("file", "file")])
def test_the_store_is_the_one_for_new_keys(tmp_path, stores, day, wish, store):
    assert open_aside(tmp_path, stores, day, wish).put(make_key(), PLACE).store == store


def test_without_a_keyring_it_is_the_encrypted_file(tmp_path, stores, day):
    stores["keyring"] = Locked()
    assert open_aside(tmp_path, stores, day).put(make_key(), PLACE).store == "file"


class Locked(Fickle):
    probes = 0

    def unavailable_reason(self):
        self.probes += 1
        return StoreLocked("The keyring is locked.", "Unlock it.")


def test_without_a_store_it_is_refused_and_nothing_changes(tmp_path, day):
    stores = {"keyring": Locked(), "file": Vault(str(tmp_path), kdf=CHEAP)}
    aside = open_aside(tmp_path, stores, day)
    key = make_key()
    for _ in range(5):
        with pytest.raises(NotSetAside) as refused:
            aside.put(key, PLACE)
    assert "the keyring is locked" in refused.value.failed
    assert "MISTRAL_NB_SET_ASIDE=off" in refused.value.todo
    assert key.reveal() not in str(refused.value)
    assert refused.value.__cause__ is None
    assert stores["keyring"].probes == 1, "a store that can't be written was probed for each key"
    stores["keyring"] = Fickle()
    day.seconds = 31.0
    assert aside.put(key, PLACE).tail == key.tail


@pytest.mark.parametrize("wish", ["memory", "keyring"])
def test_only_the_chosen_store_is_written(tmp_path, stores, day, wish):
    stores["keyring"] = Locked()
    with pytest.raises(NotSetAside) as refused:
        open_aside(tmp_path, stores, day, wish).put(make_key(), PLACE)
    reason = {"memory": "MISTRAL_NB_STORE is memory.", "keyring": "the keyring is locked."}[wish]
    assert refused.value.failed.endswith(f"could not be set aside: {reason}")
    assert not stores["file"].exists


def test_a_store_that_fails_leaves_an_announcement_alone(tmp_path, aside, stores):
    stores["keyring"].fails = {"put"}
    with pytest.raises(NotSetAside):
        aside.put(make_key(), PLACE)
    assert aside.entries() == ()


def test_a_damaged_index_refuses(tmp_path, aside):
    (tmp_path / "workspaces.json").write_text("{")
    with pytest.raises(NotSetAside):
        aside.put(make_key(), PLACE)


def test_at_most_fifty_are_set_aside(tmp_path, aside, day):
    key = make_key()
    first = aside.put(key, PLACE)
    with Index(str(tmp_path)).edit() as contents:
        contents.set_aside.extend(
            first._replace(fingerprint=make_key().fingerprint, tail=f"{n:04}") for n in range(MOST - 1)
        )
    with pytest.raises(NotSetAside, match="50 keys"):
        aside.put(make_key(), PLACE)
    again = aside.put(key, PLACE)
    assert again.fingerprint == first.fingerprint
    aside.drop(again)
    assert aside.put(make_key(), PLACE)
    with pytest.raises(NotSetAside) as refused:
        aside.put(make_key(), PLACE)
    assert "logout --aside" in refused.value.todo
    day.later(KEPT_DAYS + 1)
    assert aside.put(make_key(), PLACE), "what is over takes room"


def test_a_key_that_left_its_store_is_told(aside, stores):
    entry = aside.put(make_key(), PLACE)
    stores["keyring"].items.clear()
    with pytest.raises(StoreError, match="no longer in its store"):
        aside.take(entry)


@pytest.mark.parametrize("days", [0, 3])
def test_a_key_whose_copy_is_gone_is_set_aside_anew(aside, stores, day, days):
    key = make_key()
    aside.put(key, PLACE)
    stores["keyring"].items.clear()
    day.later(days)
    entry = aside.put(key, PLACE)
    assert aside.take(entry) == key
    assert aside.entries() == (entry,)


def test_a_copy_in_an_encrypted_file_that_was_deleted_is_made_anew_or_refused(tmp_path, stores, day):
    key = make_key()
    open_aside(tmp_path, stores, day, "file").put(key, PLACE)
    os.unlink(stores["file"].path)
    locked = {"keyring": Locked(), "file": Vault(str(tmp_path), kdf=CHEAP)}
    with pytest.raises(NotSetAside):
        open_aside(tmp_path, locked, day).put(key, PLACE)
    aside = open_aside(tmp_path, stores, day)
    assert aside.take(aside.put(key, PLACE)) == key
    [entry] = aside.entries()
    assert entry.store == "keyring"


def test_a_copy_in_a_store_that_is_locked_is_taken_to_be_there(aside, stores):
    entry = aside.put(key := make_key(), PLACE)
    stores["keyring"].fails = {"get", "put"}
    assert aside.put(key, PLACE)._replace(taken=entry.taken) == entry


def test_a_key_that_is_noted_anew_while_it_expires_stays(tmp_path, aside, stores, day):
    key = make_key()
    before = aside.put(key, PLACE)
    day.later(KEPT_DAYS + 1)
    index = RenewingIndex(str(tmp_path), lambda: open_aside(tmp_path, stores, day).put(key, PLACE))
    assert SetAside(index, stores, today=lambda: day.today).drop_expired() == []
    [entry] = aside.entries()
    assert entry.expires > before.expires
    assert aside.take(entry) == key


def test_a_store_whose_child_process_can_not_be_started_is_refused_for_a_while(aside, stores, monkeypatch):
    def fail(*_):
        raise FileNotFoundError(2, "no such file", "python")

    monkeypatch.setattr(stores["keyring"], "put", fail)
    for _ in range(2):
        with pytest.raises(NotSetAside, match=r"the store failed \(FileNotFoundError\)"):
            aside.put(make_key(), PLACE)


@pytest.mark.parametrize("file", [PLACE.file, "b.ipynb"])
def test_a_key_that_is_noted_anew_while_a_person_is_asked_stays(tmp_path, aside, day, file):
    key = make_key()
    asked_about = aside.put(key, PLACE)
    new = aside.put(key, PLACE._replace(file=file))
    with pytest.raises(ConcurrentChange, match=rf"…{key.tail} was removed from {re.escape(file)} again"):
        aside.drop(asked_about)
    assert aside.take(new) == key


class RenewingIndex(Index):
    """Lets another process work right before the lock of an entry is taken."""

    def __init__(self, home, meanwhile):
        super().__init__(home)
        self.meanwhile = meanwhile

    def hold_workspace_lock(self, *details):
        self.meanwhile()
        return super().hold_workspace_lock(*details)


def test_what_is_over_leaves_room(tmp_path, aside, day):
    first = aside.put(make_key(), PLACE)
    with Index(str(tmp_path)).edit() as contents:
        contents.set_aside.extend(
            first._replace(fingerprint=make_key().fingerprint, tail=f"{n:04}") for n in range(MOST - 1)
        )
    day.later(KEPT_DAYS + 1)
    assert aside.put(make_key(), PLACE)
    assert len(aside.entries()) == MOST + 1, "deleted without a word"


def test_without_room_no_store_is_asked(tmp_path, stores, day):
    aside = open_aside(tmp_path, stores, day)
    first = aside.put(make_key(), PLACE)
    with Index(str(tmp_path)).edit() as contents:
        contents.set_aside.extend(first._replace(fingerprint=make_key().fingerprint) for _ in range(MOST))
    stores["keyring"] = Locked()
    with pytest.raises(NotSetAside, match="50 keys"):
        open_aside(tmp_path, stores, day).put(make_key(), PLACE)
    assert stores["keyring"].probes == 0


def test_a_refusal_names_settings_as_they_are_and_keys_by_their_tail(tmp_path, stores, day):
    key = make_key()
    with pytest.raises(NotSetAside, match=r": MISTRAL_NB_STORE is memory\."):
        open_aside(tmp_path, stores, day, "memory").put(key, PLACE)
    index = BusyIndex(str(tmp_path))
    with pytest.raises(NotSetAside, match=rf": another process is changing the key …{key.tail}\."):
        SetAside(index, stores).put(key, PLACE)


class BusyIndex(Index):
    """Whose locks others hold."""

    def hold_workspace_lock(self, workspace, purpose, seconds, busy: StoreTimedOut):
        raise busy


def test_what_a_newer_version_notes_stays(tmp_path, aside):
    aside.put(make_key(), PLACE)
    path = tmp_path / "workspaces.json"
    document = json.loads(path.read_text())
    document["set_aside"][0]["colour"] = "blue"
    path.write_text(json.dumps(document))
    aside.put(make_key(), PLACE)
    assert [entry.get("colour") for entry in json.loads(path.read_text())["set_aside"]] == ["blue", None]


@pytest.mark.parametrize("name", ["CI", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION"])
def test_in_ci_nothing_is_set_aside(name):
    assert sets_aside({})
    assert not sets_aside({name: "true"})
    assert sets_aside({name: "false"})


@pytest.mark.parametrize(("value", "on"), [("off", False), ("0", False), ("", True), ("on", True)])
def test_one_setting_turns_it_off(value, on):
    assert sets_aside({"MISTRAL_NB_SET_ASIDE": value}) is on


IN_A_KEYRING = """
    import os
    import keyring, secretstorage  # not while the keyring is waited for
    from mistral_nb.errors import NotSetAside
    from mistral_nb.storage.index import Index
    from mistral_nb.storage.keyring_store import KeyringStore
    from mistral_nb.storage.set_aside import RemovalPlace, SetAside
    from support.keys import make_key

    key = make_key()
    store = KeyringStore(60.0)
    aside = SetAside(Index(os.environ["MISTRAL_NB_HOME"]), {"keyring": store}, "keyring")
    try:
        entry = aside.put(key, RemovalPlace("a.ipynb"))
        print("set aside" if aside.take(entry) == key else "another key")
    except NotSetAside as error:
        print(error.failed.partition(": ")[2], store.unavailable_reason(), sep="|")
"""


def test_an_open_keyring_is_written_and_a_locked_one_opens_no_dialog(tmp_path):
    with desktop(tmp_path / "desktop") as session:
        assert session.python(IN_A_KEYRING, seconds=120) == "set aside"
        session.lock()
        said = session.python(IN_A_KEYRING, seconds=120, DISPLAY=":99")
        assert said == "the keyring is locked.|None", "where a person is asked, it could be used"
