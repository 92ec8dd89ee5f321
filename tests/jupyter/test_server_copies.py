"""A save of the server: there is a copy of a key before the file is written without it."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from tornado.web import HTTPError

from mistral_nb.api_key import MARKER, Key
from mistral_nb.config import load
from mistral_nb.errors import NotSetAside
from mistral_nb.jupyter.save_hook import ContentsManagerGuard
from mistral_nb.jupyter.server_copies import ServerCopies
from mistral_nb.jupyter.watchlist_cache import WatchlistCache
from mistral_nb.key_records import KeyRecord
from mistral_nb.storage.index import COMPROMISED, AsideEntry, Index, aside_id
from mistral_nb.storage.set_aside import RemovalPlace, open_set_aside
from support import TESTS
from support.git_repos import Repo, git_environment
from support.jupyter_servers import notebook
from support.keys import make_key

KINDS = [AsyncLargeFileManager, LargeFileManager]


class World:
    """A contents manager that saves in ``folder``, what was told of its removals, and what is set aside."""

    def __init__(self, folder: Path, environ: dict[str, str], kind: type, copies: ServerCopies | None = None) -> None:
        self.folder, self.environ = folder, environ
        self.told: list[KeyRecord] = []
        self.manager = kind(root_dir=str(folder))
        watchlists = WatchlistCache(self.manager.log.warning, environ)
        ContentsManagerGuard(
            self.manager, watchlists, lambda _, records, are_left: self.told.extend(records), copies=copies
        ).install()

    def save(self, *sources: str, path: str = "a.ipynb") -> None:
        model = {"type": "notebook", "format": "json", "content": notebook(*sources)}
        result = self.manager.save(model, path)
        if asyncio.iscoroutine(result):
            asyncio.run(result)

    def read(self, path: str = "a.ipynb") -> str:
        return (self.folder / path).read_text()

    def aside(self) -> dict[Key, AsideEntry]:
        found = open_set_aside(load(self.environ))
        return {found.take(entry): entry for entry in found.entries()}


def suspected(key: Key) -> str:
    return f'MISTRAL_API_KEY = "{key.reveal()}"'


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_set_aside_and_the_record_says_so(folder: Path, environ: dict[str, str], kind: type) -> None:
    world, key = World(folder, environ, kind), make_key()
    world.save("x = 1", suspected(key), path="/a.ipynb")
    assert MARKER in world.read()
    [(taken, entry)] = world.aside().items()
    assert (taken, entry.file, entry.cell) == (key, "a.ipynb", 2)
    [record] = world.told
    assert (record.kept, record.aside_id, record.tier) == ("set aside", entry.id, "suspected")


@pytest.mark.slow
def test_the_same_key_in_ten_saves_is_one(folder: Path, environ: dict[str, str]) -> None:
    world, key = World(folder, environ, AsyncLargeFileManager), make_key()
    world.save(suspected(key))
    for _ in range(9):
        world.save(suspected(key))
    assert list(world.aside()) == [key]
    assert [record.kept for record in world.told] == ["set aside"] * 10


@pytest.mark.slow
def test_a_text_file_and_a_copied_folder_too(folder: Path, environ: dict[str, str]) -> None:
    world, one, two = World(folder, environ, LargeFileManager), make_key(), make_key()
    for key in (one, two):
        Index(environ["MISTRAL_NB_HOME"]).remember(key)
    world.manager.save({"type": "file", "format": "text", "content": suspected(one)}, "a.py")
    (folder / "inner").mkdir()
    (folder / "inner/b.py").write_text(suspected(two))
    world.manager.copy("inner", "")
    assert set(world.aside()) == {one, two}


@pytest.mark.parametrize("how", [{"MISTRAL_NB_SET_ASIDE": "off"}, {"CI": "true"}])
def test_turned_off_the_record_says_that_it_is_in_no_store(
    folder: Path, environ: dict[str, str], how: dict[str, str]
) -> None:
    world = World(folder, environ | how, AsyncLargeFileManager)
    world.save(suspected(make_key()))
    assert [record.kept for record in world.told] == ["not stored"]
    assert world.aside() == {}


def test_a_compromised_key_and_one_of_the_last_commit_are_not_set_aside(
    folder: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    leaked, committed = make_key(), make_key()
    Index(environ["MISTRAL_NB_HOME"]).remember(leaked, COMPROMISED)
    repo = Repo(tmp_path / "a repo", git_environment(tmp_path) | environ)
    world = World(repo.path, environ, LargeFileManager, None)
    repo.write("a.ipynb", suspected(committed).encode())
    repo.commit()
    world.save(suspected(leaked), suspected(committed))
    assert world.aside() == {}
    assert leaked.reveal() not in world.read()
    assert committed.reveal() not in world.read()


class Taker:
    """Takes keys once it is told to."""

    def __init__(self) -> None:
        self.accepts, self.taken, self.threads = False, [], []

    def __call__(self, key: Key, place: RemovalPlace) -> str:
        self.threads.append(threading.current_thread())
        if not self.accepts:
            raise NotSetAside("It is locked.", "Unlock it.")
        self.taken.append(key)
        return "set aside"


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_store_it_is_in_memory_until_a_store_takes_it(
    folder: Path, environ: dict[str, str], kind: type
) -> None:
    taker, key = Taker(), make_key()
    world = World(folder, environ, kind, ServerCopies(lambda: taker))
    world.save(suspected(key))
    assert key.reveal() not in world.read()
    [record] = world.told
    assert record.kept == "in memory"
    assert key.fingerprint.startswith(record.aside_id)
    assert record.aside_id
    taker.accepts = True
    world.save("nothing in it", path="b.ipynb")
    assert taker.taken == [key]
    world.save("nothing in it", path="b.ipynb")
    assert taker.taken == [key]


def test_what_is_in_memory_is_stored_when_the_server_ends() -> None:
    taker, key = Taker(), make_key()
    copies = ServerCopies(lambda: taker)
    assert copies.keeper()(key, RemovalPlace("a.ipynb")) == "in memory"
    copies.store_waiting()
    assert copies.has_waiting
    taker.accepts = True
    copies.store_waiting()
    assert (taker.taken, copies.has_waiting) == ([key], False)


def test_a_slow_store_does_not_hold_up_a_save_of_many_keys() -> None:
    now = [0.0]
    asked: list[Key] = []

    def slow(key: Key, _: RemovalPlace) -> str:
        asked.append(key)
        now[0] += 3.0
        return "set aside"

    copies, keys = ServerCopies(lambda: slow, clock=lambda: now[0]), [make_key() for _ in range(9)]
    keep = copies.keeper()
    kept = [keep(key, RemovalPlace("a.ipynb")) for key in keys]
    assert kept == ["set aside"] * 3 + ["in memory"] * 6
    copies.store_waiting()
    copies.store_waiting()
    assert (asked, copies.has_waiting) == (keys, False)


class Refusing:
    """As `SetAside`: refuses all keys for a while after a store was locked."""

    is_locked = True

    def __init__(self) -> None:
        self.taken: list[Key] = []

    def open(self) -> Any:
        refused = False

        def keep(key: Key, _: RemovalPlace) -> str:
            nonlocal refused
            refused = refused or self.is_locked
            if refused:
                raise NotSetAside("It is locked.", "Unlock it.")
            self.taken.append(key)
            return "set aside"

        return keep


def test_at_the_end_of_the_server_a_store_that_just_refused_is_asked_again() -> None:
    store, key, told = Refusing(), make_key(), []
    copies = ServerCopies(store.open, lambda *said: told.append(said[0] % said[1:]))
    copies.keeper()(key, RemovalPlace("a.ipynb"))
    copies.finish()
    [lost] = told
    assert f"are lost: …{key.tail}, removed from a.ipynb. It is locked." in lost
    assert key.reveal() not in lost
    store.is_locked = False
    copies.store_waiting()
    assert copies.has_waiting, "the refusal is remembered, else this test says nothing"
    copies.finish()
    assert (store.taken, copies.has_waiting, len(told)) == ([key], False, 1)


def test_the_end_of_the_process_is_the_end_of_the_server() -> None:
    code = """if True:
        from mistral_nb.errors import NotSetAside
        from mistral_nb.jupyter.server_copies import ServerCopies
        from mistral_nb.storage.set_aside import RemovalPlace
        from support.keys import make_key

        def refuse(*_):
            raise NotSetAside("It is locked.", "Unlock it.")

        key = make_key()
        ServerCopies(lambda: refuse, lambda *said: print(said[0] % said[1:])).keeper()(key, RemovalPlace("a.ipynb"))
        print(key.tail)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": TESTS}
    )
    tail, said = done.stdout.splitlines()
    assert f"are lost: …{tail}, removed from a.ipynb" in said


@pytest.mark.slow
def test_as_a_server_ends_a_store_that_can_be_written_by_then_takes_the_key(environ: dict[str, str]) -> None:
    code = """if True:
        import os
        from mistral_nb.jupyter.server_copies import open_copies
        from mistral_nb.storage.set_aside import RemovalPlace
        from support.keys import make_key

        file, key = os.environ.pop("MISTRAL_NB_PASSPHRASE_FILE"), make_key()
        kept = open_copies(os.environ, print).keeper()(key, RemovalPlace("a.ipynb", 3))
        print(kept, key.fingerprint)
        os.environ["MISTRAL_NB_PASSPHRASE_FILE"] = file
    """
    given = {**environ, "PATH": os.environ["PATH"], "PYTHONPATH": TESTS}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=given)
    [said] = done.stdout.splitlines()
    [entry] = open_set_aside(load(environ)).entries()
    assert said == f"in memory {entry.fingerprint}"
    assert (entry.file, entry.cell) == ("a.ipynb", 3)


def test_a_page_can_have_a_key_stored_that_is_in_memory() -> None:
    store, key = Refusing(), make_key()
    copies = ServerCopies(store.open)
    copies.keeper()(key, RemovalPlace("a.ipynb"))
    name = aside_id(key.fingerprint)
    assert copies.try_again("another") is None
    refused = copies.try_again(name)
    assert refused == (
        "in memory",
        "It is locked. It is still in this server's memory: unlock the keyring, and try again.",
    )
    store.is_locked = False
    done = copies.try_again(name)
    assert done == ("set aside", f"…{key.tail} is set aside on this machine for 30 days.")
    assert (store.taken, copies.has_waiting, copies.try_again(name)) == ([key], False, None)


@pytest.mark.slow
def test_a_checkpoint_is_named_as_its_notebook_and_compared_with_the_last_commit(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    committed, new = make_key(), make_key()
    repo = Repo(tmp_path / "a repo", git_environment(tmp_path) | environ)
    world = World(repo.path, environ, LargeFileManager)
    repo.write("a.ipynb", suspected(committed).encode())
    repo.commit()
    (repo.path / ".ipynb_checkpoints").mkdir()
    checkpoint = repo.path / ".ipynb_checkpoints/a-checkpoint.ipynb"
    checkpoint.write_text(json.dumps(notebook(suspected(committed), suspected(new))))
    world.save("x = 1", path="/a.ipynb")
    assert committed.reveal() not in checkpoint.read_text()
    [(key, entry)] = world.aside().items()
    assert (key, entry.file) == (new, "a.ipynb")


def test_the_servers_loop_does_not_wait_for_a_store(folder: Path, environ: dict[str, str]) -> None:
    taker = Taker()
    taker.accepts = True
    world = World(folder, environ, AsyncLargeFileManager, ServerCopies(lambda: taker))
    world.save(suspected(make_key()))
    assert threading.main_thread() not in taker.threads
    assert len(taker.threads) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_while_it_is_set_aside_stops_the_save(folder: Path, environ: dict[str, str], kind: type) -> None:
    key = make_key()

    def fail(*_: Any) -> str:
        raise ValueError(key.reveal())

    world = World(folder, environ, kind, ServerCopies(lambda: fail))
    world.save("before")
    before = world.read()
    with pytest.raises(HTTPError) as raised:
        world.save(suspected(key))
    assert world.read() == before
    assert "The file on disk is unchanged" in str(raised.value.log_message)
    assert key.reveal() not in str(raised.value.log_message)
