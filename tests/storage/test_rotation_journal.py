"""What an Admin key is about to do is in the index, and stays there whatever else is written."""

import json
from pathlib import Path

import pytest

from mistral_nb.storage import rotation_journal
from mistral_nb.storage.index import Index
from mistral_nb.storage.rotation_journal import DELETE, RotationEntry
from support.keys import make_key


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(str(tmp_path))


def made(name: str = "prod-1", workspace: str = "prod", **more: str) -> RotationEntry:
    return RotationEntry(workspace, name, "2026-11-23T10:00:00Z", "f" * 32, "Ug6Y", "id", **more)


def test_an_intention_is_replaced_by_its_name_and_dropped(index: Index) -> None:
    assert rotation_journal.read_entries(index) == []
    rotation_journal.record_entry(index, made())
    rotation_journal.record_entry(index, made("dev-1", "dev"))
    later = made()._replace(key_id="k", fingerprint="a" * 32, tail="abcd", step=DELETE)
    rotation_journal.record_entry(index, later)
    assert rotation_journal.read_entries(index) == [made("dev-1", "dev"), later]
    assert rotation_journal.find_latest(index, "prod") == later
    rotation_journal.remove_entry(index, later)
    assert rotation_journal.find_latest(index, "prod") is None
    assert rotation_journal.read_entries(index) == [made("dev-1", "dev")]


def test_one_whose_key_is_known_comes_before_one_whose_answer_was_lost(index: Index) -> None:
    rotation_journal.record_entry(index, made("known", key_id="k"))
    rotation_journal.record_entry(index, made("lost"))
    assert rotation_journal.find_latest(index, "prod") == made("known", key_id="k")


def test_other_writers_leave_it_alone(index: Index) -> None:
    rotation_journal.record_entry(index, made())
    index.remember(make_key())
    assert rotation_journal.read_entries(index) == [made()]


def test_newer_fields_are_kept_and_invalid_intentions_are_skipped(index: Index) -> None:
    index.remember(make_key())
    document = json.loads(Path(index.path).read_text())
    entries = [made()._asdict() | {"more": [1]}, {"name": "no workspace"}, "text", None]
    Path(index.path).write_text(json.dumps(document | {"intentions": entries}))
    assert rotation_journal.read_entries(index) == [made()]
    rotation_journal.record_entry(index, made("another"))
    assert json.loads(Path(index.path).read_text())["intentions"][0]["more"] == [1]
    Path(index.path).write_text(json.dumps(document | {"intentions": {"of": "another kind"}}))
    assert rotation_journal.read_entries(index) == []


def test_it_follows_a_workspace_that_is_renamed(index: Index) -> None:
    rotation_journal.record_entry(index, made())
    rotation_journal.record_entry(index, made("dev-1", "dev"))
    with index.edit() as contents:
        rotation_journal.rename_workspace(contents, "prod", "production")
    assert rotation_journal.read_entries(index) == [made(workspace="production"), made("dev-1", "dev")]
