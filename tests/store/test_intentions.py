"""What an Admin key is about to do is in the index, and stays there whatever else is written."""

import json
from pathlib import Path

import pytest
from keys import make_key

from mistral_nb.store import intentions
from mistral_nb.store.index import Index
from mistral_nb.store.intentions import DELETE, Intention


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(str(tmp_path))


def made(name: str = "prod-1", workspace: str = "prod", **more: str) -> Intention:
    return Intention(workspace, name, "2026-11-23T10:00:00Z", "f" * 32, "Ug6Y", "id", **more)


def test_an_intention_is_replaced_by_its_name_and_dropped(index: Index) -> None:
    assert intentions.read(index) == []
    intentions.note(index, made())
    intentions.note(index, made("dev-1", "dev"))
    later = made()._replace(key_id="k", fingerprint="a" * 32, tail="abcd", step=DELETE)
    intentions.note(index, later)
    assert intentions.read(index) == [made("dev-1", "dev"), later]
    assert intentions.of(index, "prod") == later
    intentions.drop(index, later)
    assert intentions.of(index, "prod") is None
    assert intentions.read(index) == [made("dev-1", "dev")]


def test_one_whose_key_is_known_comes_before_one_whose_answer_was_lost(index: Index) -> None:
    intentions.note(index, made("known", key_id="k"))
    intentions.note(index, made("lost"))
    assert intentions.of(index, "prod") == made("known", key_id="k")


def test_other_writers_leave_it_alone(index: Index) -> None:
    intentions.note(index, made())
    index.remember(make_key())
    assert intentions.read(index) == [made()]


def test_what_a_newer_version_wrote_is_kept_and_what_is_no_intention_is_passed_over(index: Index) -> None:
    index.remember(make_key())
    document = json.loads(Path(index.path).read_text())
    entries = [made()._asdict() | {"more": [1]}, {"name": "no workspace"}, "text", None]
    Path(index.path).write_text(json.dumps(document | {"intentions": entries}))
    assert intentions.read(index) == [made()]
    intentions.note(index, made("another"))
    assert json.loads(Path(index.path).read_text())["intentions"][0]["more"] == [1]
    Path(index.path).write_text(json.dumps(document | {"intentions": {"of": "another kind"}}))
    assert intentions.read(index) == []


def test_it_follows_a_workspace_that_is_renamed(index: Index) -> None:
    intentions.note(index, made())
    intentions.note(index, made("dev-1", "dev"))
    with index.edit() as contents:
        intentions.follow(contents, "prod", "production")
    assert intentions.read(index) == [made(workspace="production"), made("dev-1", "dev")]
