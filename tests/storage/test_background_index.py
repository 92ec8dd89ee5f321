"""Keys remembered by a thread: each once, all of them, whatever another process holds meanwhile."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.errors import MistralNbError
from mistral_nb.file_io import hold_lock
from mistral_nb.storage import background_index
from mistral_nb.storage.background_index import BackgroundIndex
from mistral_nb.storage.index import Index
from support.keys import make_key
from support.patience import PATIENCE, wait_for


class Reports:
    def __init__(self) -> None:
        self.of: dict[str, list[str | None]] = {}

    def __call__(self, key: Key, problem: MistralNbError | None) -> None:
        self.of.setdefault(key.fingerprint, []).append(problem and problem.failed)


def remembered(index: Index) -> set[str]:
    return set(index.read().remembered)


def fingerprints(keys: Sequence[Key]) -> set[str]:
    return {key.fingerprint for key in keys}


def test_every_key_is_remembered_once(tmp_path: Path) -> None:
    index, reports, keys = Index(str(tmp_path)), Reports(), [make_key() for _ in range(20)]
    background = BackgroundIndex(reports)
    for key in keys * 3:
        background.remember(key, index)
    wait_for(lambda: len(reports.of) == len(keys))
    assert remembered(index) == fingerprints(keys)
    index.forget(keys[0].fingerprint)
    background.remember(keys[0], index)
    background.finish()
    assert remembered(index) == fingerprints(keys[1:])  # what was forgotten since does not come back


def test_keys_that_wait_are_written_at_the_end_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BackgroundIndex, "_start", lambda _: None)  # no thread ever runs
    index, key = Index(str(tmp_path)), make_key()
    background = BackgroundIndex(Reports())
    background.remember(key, index)
    assert remembered(index) == set()
    background.finish()
    assert remembered(index) == {key.fingerprint}


def test_what_cannot_be_written_is_reported_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_index, "_PAUSES", (0.01,) * 1000)
    home = tmp_path / "home"
    home.write_text("no folder")
    index, reports, key = Index(str(home)), Reports(), make_key()
    BackgroundIndex(reports).remember(key, index)
    wait_for(lambda: key.fingerprint in reports.of)
    assert "Not a directory" in str(reports.of[key.fingerprint][0])
    home.unlink()
    wait_for(lambda: None in reports.of[key.fingerprint])
    assert remembered(index) == {key.fingerprint}


def test_a_failure_of_any_kind_is_reported_without_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, reports = make_key(), Reports()

    def fail(_: object, keys: Sequence[Key]) -> None:
        raise RuntimeError(keys[0].reveal())

    monkeypatch.setattr(background_index, "_PAUSES", ())
    monkeypatch.setattr(Index, "remember_all", fail)
    BackgroundIndex(reports).remember(key, Index(str(tmp_path)))
    wait_for(lambda: reports.of)
    (said,) = reports.of[key.fingerprint]
    assert "RuntimeError" in str(said)
    assert key.reveal() not in str(said)


def test_the_end_of_a_process_does_not_wait_long_for_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BackgroundIndex, "_start", lambda _: None)
    monkeypatch.setattr(background_index, "EXIT_SECONDS", 0.01)
    index, reports, key = Index(str(tmp_path)), Reports(), make_key()
    background = BackgroundIndex(reports)
    background.remember(key, index)
    with hold_lock(f"{index.path}.lock"):
        background.finish()
    assert "locked by another process" in str(reports.of[key.fingerprint])


FORKS = """
import os, sys
from mistral_nb import environment
from mistral_nb.api_key import Key
first, *others = sys.stdin.read().split()
environment.register_key_in_background(Key(first))
children = []
for other in others:  # while the parent's thread imports and writes
    child = os.fork()
    if not child:
        environment.register_key_in_background(Key(other))
        sys.exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_forked_children_end_and_remember_their_own_keys(tmp_path: Path) -> None:
    keys = [make_key() for _ in range(9)]
    words = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS]
    given = "\n".join(key.reveal() for key in keys)
    env = os.environ | {"MISTRAL_NB_HOME": str(tmp_path)}
    done = subprocess.run(words, input=given, env=env, capture_output=True, text=True, timeout=60 * PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert remembered(Index(str(tmp_path))) == fingerprints(keys)
