"""A damaged workspaces.json: `IndexUnreadable` or values of the right kinds, and the quick reader is no less strict."""

import os
import random
import tempfile

from fuzz.harness import run, within
from mistral_nb.errors import IndexUnreadable
from mistral_nb.redaction.prefilter import Prefilter
from mistral_nb.redaction.redact import redact
from mistral_nb.storage import index_edits
from mistral_nb.storage.index import FILE_NAME, Index
from mistral_nb.watchlist import build_watchlist
from support.keys import make_text

SEEDS = (
    b'{"version": 1, "workspaces": {"prod": {"store": "file", "slot": "current", "fingerprint": "00", "tail": "abcd"}},'
    b' "seen": [{"fingerprint": "00", "length": 32, "tail": "abcd", "state": "live", "since": ""}]}',
    b'{"version": 1, "unfinished": [{"store": "file", "workspace": "a", "slot": "next"}], "choices": {"a": "b"}}',
    b'{"pending": {"a": {"store": "keyring", "slot": "next", "fingerprint": "11", "tail": "x"}}, "aside": []}',
)
_KEY_SHAPED = make_text(random.Random(5)).encode()
_DOCUMENT = b'{"cells": [{"source": "token = ' + _KEY_SHAPED + b'"}]}'
_FOLDER = tempfile.mkdtemp()


def one_input(data: bytes) -> None:
    with open(os.path.join(_FOLDER, FILE_NAME), "wb") as file:
        file.write(data)
    with within():
        quick = Prefilter(_FOLDER).is_clean(_DOCUMENT)
        try:
            contents = Index(_FOLDER).read()
        except IndexUnreadable:
            contents = None
        found = build_watchlist(_FOLDER, environ={"MISTRAL_NB_HOME": _FOLDER})
    assert found.strict == (contents is None)
    assert not quick or redact(_DOCUMENT, found).data is _DOCUMENT, "the quick reader finds less"
    if contents is None:
        return
    index_edits.stored_fingerprints(contents)
    for entry in contents.remembered.values():
        assert isinstance(entry.length, int) and isinstance(entry.tail, str) and isinstance(entry.fingerprint, str)
    for name, workspace in contents.workspaces.items():
        assert isinstance(name, str) and isinstance(workspace.fingerprint, str) and isinstance(workspace.tail, str)
    with Index(_FOLDER).edit() if contents.raw.get("version", 1) == 1 else Index(_FOLDER + "/x").edit():
        pass  # what was read can be written
    assert Index(_FOLDER).read().remembered == contents.remembered


if __name__ == "__main__":
    run(one_input)
