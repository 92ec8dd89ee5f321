"""The index: no secret, private, locked, atomic, versioned; what can't be understood is never overwritten."""

import contextlib
import json
import os
import stat
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mistral_nb.api_key import Key
from mistral_nb.errors import IndexNotWritten, IndexTooNew, IndexUnreadable
from mistral_nb.file_io import hold_lock
from mistral_nb.storage.index import COMPROMISED, LIVE, RETIRED, Index, PendingDeletion, Workspace, make_remembered
from support import TESTS
from support.disks import fill, read_only, small_disk
from support.key_traces import traces
from support.keys import for_child, make_key, make_text
from support.patience import PATIENCE
from support.processes import started
from support.profiles import examples


@pytest.fixture
def index(tmp_path):
    return Index(str(tmp_path / "home"))


def entry(key, **fields):
    return Workspace(**{"store": "file", "slot": "current", "fingerprint": key.fingerprint, "tail": key.tail} | fields)


def write(index, text):
    os.makedirs(index.home, exist_ok=True)
    with open(index.path, "w") as file:
        file.write(text)


def test_without_a_file_nothing_is_known_and_none_is_made(index):
    assert index.read()[:4] == ({}, {}, [], {})
    assert not os.path.exists(index.home)


def test_what_is_edited_is_read_back(index):
    key = make_key()
    with index.edit() as contents:
        contents.workspaces["prod"] = entry(key, name="n", expires="2027-01-31")
        contents.pending_deletions.append(PendingDeletion("file", "prod", "next"))
        contents.choices["no_keyring"] = "file"
    read = index.read()
    assert read.workspaces == {"prod": entry(key, name="n", expires="2027-01-31")}
    assert read.pending_deletions == [PendingDeletion("file", "prod", "next")]
    assert read.choices == {"no_keyring": "file"}


def test_it_contains_no_key_and_is_private(index):
    key = make_key()
    index.remember(key)
    with open(index.path) as file:
        text = file.read()
    assert key.fingerprint in text
    assert not any(key.reveal()[start : start + 5] in text for start in range(28))
    assert key.tail in text  # four characters are meant to be there, and the search finds what is
    assert stat.S_IMODE(os.stat(index.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(index.home).st_mode) == 0o700


@pytest.mark.parametrize("field", ["name", "organisation", "mistral_workspace"])
@pytest.mark.parametrize("odd", [False, True])
def test_a_key_in_a_free_text_is_not_written_and_one_that_was_is_dropped(index, field, odd):
    key = Key(make_text()[:24].lower()) if odd else make_key()
    document = {"workspaces": {"prod": entry(key, **{field: f"my {key.reveal()}"})._asdict()}}
    write(index, json.dumps(document | {"pending": document["workspaces"]}))
    assert traces(key.reveal(), {"index": _bytes(index)}) == ["index"]  # as an earlier version wrote it
    with index.edit() as contents:
        contents.remembered[key.fingerprint] = make_remembered(key)
        contents.workspaces["prod"] = contents.workspaces["prod"]._replace(**{field: f"the {key.reveal()}"})
    assert traces(key.reveal(), {"index": _bytes(index)}) == []
    assert getattr(index.read().workspaces["prod"], field) is None


def _bytes(index):
    with open(index.path, "rb") as file:
        return file.read()


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        (LIVE, LIVE, LIVE),
        (LIVE, RETIRED, RETIRED),
        (RETIRED, LIVE, RETIRED),
        (COMPROMISED, RETIRED, COMPROMISED),
        (RETIRED, COMPROMISED, COMPROMISED),
    ],
)
def test_the_state_of_a_remembered_key_only_gets_worse(index, first, second, result):
    key = make_key()
    index.remember(key, first)
    index.remember(key, second)
    assert index.read().remembered[key.fingerprint].state == result
    assert len(index.read().remembered) == 1


def test_an_error_in_the_middle_of_an_edit_leaves_the_file_as_it_was(index):
    index.remember(make_key())
    with open(index.path, "rb") as file:
        before = file.read()
    with pytest.raises(ZeroDivisionError), index.edit() as contents:
        contents.remembered.clear()
        raise ZeroDivisionError
    with open(index.path, "rb") as file:
        assert file.read() == before


def test_fields_of_a_later_version_are_kept(index):
    key = make_key()
    with index.edit() as contents:
        contents.workspaces["prod"] = entry(key)
    with open(index.path) as file:
        document = json.load(file)
    document["later"] = {"a": 1}
    document["workspaces"]["prod"]["colour"] = "blue"
    write(index, json.dumps(document))
    with index.edit() as contents:
        contents.workspaces["prod"] = contents.workspaces["prod"]._replace(name="new")
    with open(index.path) as file:
        after = json.load(file)
    assert after["later"] == {"a": 1}
    assert after["workspaces"]["prod"]["colour"] == "blue"
    assert after["workspaces"]["prod"]["name"] == "new"


def test_a_workspace_that_an_earlier_version_noted_as_protected_still_asks_first(index):
    key = make_key()
    with index.edit() as contents:
        contents.workspaces["prod"] = entry(key, ask_first=True)
    with open(index.path) as file:
        document = json.load(file)
    document["workspaces"]["prod"]["protected"] = document["workspaces"]["prod"].pop("ask_first")
    write(index, json.dumps(document))
    assert index.read().workspaces["prod"].ask_first
    index.remember(make_key())
    with open(index.path) as file:
        after = json.load(file)["workspaces"]["prod"]
    assert (after["ask_first"], "protected" in after) == (True, False)


def test_a_newer_version_is_read_and_never_overwritten(index):
    text = json.dumps({"version": 99, "workspaces": {}, "seen": []})
    write(index, text)
    assert index.read().workspaces == {}
    with pytest.raises(IndexTooNew) as caught:
        index.remember(make_key())
    assert index.path in caught.value.failed
    with open(index.path) as file:
        assert file.read() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\0\0\0",
        '{"workspaces": []}',
        '{"workspaces": {"prod": {"store": "file"}}}',
        '{"seen": 1}',
        '{"version": "1"}',
        '{"version": null}',
    ],
)
def test_a_damaged_file_is_reported_with_a_fix_and_never_overwritten(index, text):
    write(index, text)
    with pytest.raises(IndexUnreadable) as caught:
        index.read()
    with pytest.raises(IndexUnreadable):
        index.remember(make_key())
    assert index.path in caught.value.failed
    assert "Rename that file" in caught.value.todo
    with open(index.path) as file:
        assert file.read() == text


@given(st.data())
@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_truncated_anywhere_it_is_unreadable_or_intact(tmp_path_factory, data):
    index = Index(str(tmp_path_factory.mktemp("home")))
    with index.edit() as contents:
        contents.workspaces["prod"] = entry(make_key())
    with open(index.path, "rb") as file:
        whole = file.read()
    length = data.draw(st.integers(0, len(whole) - 1))
    with open(index.path, "wb") as file:
        file.write(whole[:length])
    with pytest.raises(IndexUnreadable):
        index.read()


WRITER = """
import sys
from support.keys import make_key
from mistral_nb.storage.index import Index, Workspace
index = Index(sys.argv[1])
for number in range(200):
    with index.edit() as contents:
        contents.workspaces[f"{sys.argv[2]} {number}"] = Workspace("file", "current", make_key().fingerprint, "tail")
"""


def _writer(home, name):
    return started([sys.executable, "-c", WRITER, home, name], env=os.environ | {"PYTHONPATH": TESTS} | for_child())


@pytest.mark.slow
def test_two_processes_that_add_200_workspaces_each_keep_400(index):
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(_writer(index.home, name)) for name in ("a", "b")]
        assert [writer.wait(120 * PATIENCE) for writer in writers] == [0, 0]
    assert len(index.read().workspaces) == 400


def test_readers_wait_for_no_lock_and_writers_for_some_time(index):
    index.remember(make_key())
    index.lock_seconds = 0.2
    with hold_lock(f"{index.path}.lock", 1):
        assert len(index.read().remembered) == 1
        with pytest.raises(IndexNotWritten) as caught:
            index.remember(make_key())
    assert "it is locked by another process" in caught.value.failed


def test_on_a_full_disk_it_says_so_and_stays_as_it_was(tmp_path):
    with small_disk(str(tmp_path)):
        index = Index(str(tmp_path))
        index.remember(make_key())
        before = index.read()
        fill(index.home)
        with pytest.raises(IndexNotWritten) as caught:
            index.remember(make_key())
        assert "could not be written: No space left on device." in caught.value.failed
        assert index.read() == before


def test_in_a_read_only_folder_it_says_so_and_can_be_read(tmp_path):
    with small_disk(str(tmp_path)):
        index = Index(str(tmp_path))
        index.remember(make_key())
        with read_only(str(tmp_path)):
            with pytest.raises(IndexNotWritten) as caught:
                index.remember(make_key())
            assert "could not be written: Read-only file system." in caught.value.failed
            assert "MISTRAL_NB_HOME" in caught.value.todo
            assert len(index.read().remembered) == 1


def test_a_folder_that_is_a_file_is_reported(tmp_path):
    (tmp_path / "home").write_text("")
    index = Index(str(tmp_path / "home"))
    with pytest.raises(IndexUnreadable) as caught:
        index.remember(make_key())
    assert "Not a directory" in caught.value.failed
