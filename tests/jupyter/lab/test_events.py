"""The event that pages get: valid by its schema, emitted in the loop, without a key or its fingerprint."""

import asyncio
import json

import jsonschema
import pytest
from jupyter_events.logger import EventLogger

from mistral_nb.jupyter.lab.events import SCHEMA, SCHEMA_ID, RemovalEvents, make_event
from mistral_nb.key_records import NOT_STORED, STORED, KeyRecord
from mistral_nb.storage.index import Index, Workspace
from support.keys import make_key


class Loop(list):
    """Calls that wait for the server's loop."""

    def call(self, function, *args):
        self.append((function, args))

    def run(self):
        for function, args in self:
            function(*args)


def record(key, kept=STORED):
    path = "cells[2].source"
    return KeyRecord("/folder/a.ipynb", "known", key.fingerprint, key.tail, kept, path, 3, "c3", "source", None)


def test_the_event_names_the_workspace_and_holds_no_key(tmp_path):
    key, stranger = make_key(), make_key()
    index = Index(str(tmp_path))
    index.remember(key)
    with index.edit() as contents:
        contents.workspaces["dev"] = Workspace("keyring", "current", key.fingerprint, key.tail)
    event = make_event("folder/a.ipynb", [record(key), record(stranger, NOT_STORED)], index.read())
    jsonschema.validate(event, SCHEMA)
    assert [(entry["workspace"], entry["length"]) for entry in event["keys"]] == [("dev", 32), ("", 0)]
    assert (event["name"], event["left"]) == ("folder/a.ipynb", False)
    assert event["keys"][0]["cell_id"] == "c3"
    text = json.dumps(event)
    assert [part for k in (key, stranger) for part in (k.reveal(), k.fingerprint) if part in text] == []
    assert key.fingerprint in json.dumps(record(key)._asdict())  # negative control: the search finds it


def test_keys_that_are_left_are_told_as_such():
    event = make_event("a.py", [record(make_key(), NOT_STORED)], None, are_left=True)
    jsonschema.validate(event, SCHEMA)
    assert event["left"]
    assert "was left in" in event["message"]


@pytest.mark.parametrize("damaged", [False, True])
def test_it_is_emitted_in_the_loop(tmp_path, damaged):
    key, loop, seen, warned = make_key(), Loop(), [], []
    index = Index(str(tmp_path))
    with index.edit() as contents:
        contents.workspaces["dev"] = Workspace("keyring", "current", key.fingerprint, key.tail)
    if damaged:
        (tmp_path / "workspaces.json").write_text("{")
    logger = EventLogger()
    events = RemovalEvents(logger, loop.call, lambda *words: warned.append(words), {"MISTRAL_NB_HOME": str(tmp_path)})

    async def listen(logger, schema_id, data):
        seen.append((schema_id, data))

    logger.add_listener(schema_id=SCHEMA_ID, listener=listen)
    events.tell("folder/a.ipynb", [record(key)], are_left=False)
    assert (seen, warned) == ([], [])

    async def run():
        loop.run()
        await logger.gather_listeners()

    asyncio.run(run())
    [(schema_id, data)] = seen
    assert (schema_id, data["path"]) == (SCHEMA_ID, "folder/a.ipynb")
    assert data["keys"][0]["workspace"] == ("" if damaged else "dev")


def test_a_failure_to_tell_does_not_reach_the_save(tmp_path):
    key, warned = make_key(), []

    def closed(*_):
        raise RuntimeError(key.reveal())

    environ = {"MISTRAL_NB_HOME": str(tmp_path)}
    RemovalEvents(EventLogger(), closed, lambda *words: warned.append(words), environ).tell(
        "a", [record(key)], are_left=False
    )
    assert warned == [("mistral_nb: open pages were not told of a removed key: %s", "RuntimeError")]
