"""The wrapped contents manager, in this process: what happens when our code fails or is slow."""

import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from tornado.web import HTTPError

from mistral_nb.api_key import MARKER
from mistral_nb.errors import CannotClean
from mistral_nb.jupyter import contents_models
from mistral_nb.jupyter.save_hook import ContentsManagerGuard
from mistral_nb.jupyter.sync_async import wrap_method
from mistral_nb.jupyter.watchlist_cache import WatchlistCache
from mistral_nb.redaction.json_safety import PROBLEM
from mistral_nb.storage.index import Index
from mistral_nb.watchlist import Watchlist
from support.jupyter_servers import notebook
from support.keys import make_key, make_text
from support.patience import PATIENCE


class Broken(WatchlistCache):
    """Any failure of our code; its text quotes what no response may contain."""

    def __init__(self, secret: str) -> None:
        super().__init__(print, {"MISTRAL_NB_SET_ASIDE": "off"})
        self.secret = secret

    def watchlist(self, folder: str) -> Watchlist:
        raise ValueError(self.secret)


def world(tmp_path: Path, kind: type = AsyncLargeFileManager, watching: WatchlistCache | None = None) -> Any:
    (tmp_path / "served").mkdir(exist_ok=True)
    manager = kind(root_dir=str(tmp_path / "served"))
    ContentsManagerGuard(
        manager, watching or WatchlistCache(manager.log.warning, {"MISTRAL_NB_HOME": str(tmp_path / "home")})
    ).install()
    return manager


def run(result: Any) -> Any:
    """What a method of either kind of manager returns."""
    return asyncio.run(_awaited(result)) if asyncio.iscoroutine(result) else result


async def _awaited(result: Any) -> Any:
    return await result


def model(*sources: str) -> dict[str, Any]:
    return {"type": "notebook", "format": "json", "content": notebook(*sources)}


KINDS = [AsyncLargeFileManager, LargeFileManager]


@pytest.mark.parametrize("kind", KINDS)
def test_an_internal_failure_stops_the_save_and_keeps_the_file(kind: type, tmp_path: Path) -> None:
    secret = make_text()
    whole = world(tmp_path, kind)
    run(whole.save(model("before"), "a.ipynb"))
    before = (tmp_path / "served/a.ipynb").read_bytes()
    broken = world(tmp_path, kind, Broken(secret))
    with pytest.raises(HTTPError) as raised:
        run(broken.save(model("after"), "a.ipynb"))
    assert raised.value.status_code == 500
    message = str(raised.value.log_message)
    assert message.startswith(
        "mistral_nb: a.ipynb was not saved: ValueError. The file on disk is unchanged. Save again"
    )
    assert "jupyter server extension disable mistral_nb" in message
    assert secret not in message
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert (tmp_path / "served/a.ipynb").read_bytes() == before


class Uncleanable(Broken):
    def watchlist(self, folder: str) -> Watchlist:
        raise CannotClean(PROBLEM)


def test_a_save_that_cannot_be_cleaned_says_to_remove_the_key_by_hand(tmp_path: Path) -> None:
    with pytest.raises(HTTPError) as raised:
        run(world(tmp_path, watching=Uncleanable("")).save(model("after"), "a.ipynb"))
    assert str(raised.value.log_message).startswith(
        "mistral_nb: a.ipynb was not saved: removing its keys would make it invalid JSON. "
        "Remove the key by hand, then save again;"
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", ["create", "restore"])
def test_a_failure_at_a_checkpoint_is_an_error_and_nothing_is_restored(action: str, kind: type, tmp_path: Path) -> None:
    text = make_text()
    run(world(tmp_path, kind).save(model("x = 1"), "a.ipynb"))
    checkpoint = tmp_path / "served/.ipynb_checkpoints/a-checkpoint.ipynb"
    checkpoint.write_text(json.dumps(notebook(text)))
    broken = world(tmp_path, kind, Broken(text))
    with pytest.raises(HTTPError, match="the checkpoint of a.ipynb was not searched for keys"):
        run(
            broken.create_checkpoint("a.ipynb")
            if action == "create"
            else broken.restore_checkpoint("checkpoint", "a.ipynb")
        )
    assert text not in (tmp_path / "served/a.ipynb").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_cannot_be_rewritten_is_reported(kind: type, tmp_path: Path) -> None:
    manager, key = world(tmp_path, kind), make_key()
    Index(str(tmp_path / "home")).remember(key)
    file = tmp_path / "served/a.ipynb"
    text = json.dumps(notebook(key.reveal()))
    run(manager.save({"type": "file", "format": "text", "content": text[:20], "chunk": 1}, "a.ipynb"))
    os.link(file, tmp_path / "served/b.ipynb")
    file.unlink()
    os.mkfifo(file)  # what is no regular file is not replaced
    with pytest.raises(HTTPError, match=r"was not searched for keys: it is not a regular file\. Try: mistral-nb scrub"):
        ContentsManagerGuard(manager, WatchlistCache(print, {"MISTRAL_NB_HOME": str(tmp_path / "home")}))._clean_path(
            str(file), "a.ipynb", "was not searched for keys"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_copied_folder_is_cleaned_whole_though_one_file_cannot_be(kind: type, tmp_path: Path) -> None:
    """The first can't be read as a file that was copied, the second is write-protected: a copy is still ours."""
    manager, key = world(tmp_path, kind), make_key()
    Index(str(tmp_path / "home")).remember(key)
    folder = tmp_path / "served/folder"
    folder.mkdir()
    for name in ("a.ipynb", "z.ipynb"):
        (folder / name).write_text(json.dumps(notebook(key.reveal())))
        (folder / name).chmod(0o444)
    run(manager.copy("folder", ""))
    copied = tmp_path / "served/folder-Copy1"
    assert [key.reveal() in file.read_text() for file in sorted(copied.iterdir())] == [False, False]
    assert [file.stat().st_mode & 0o777 for file in copied.iterdir()] == [0o444, 0o444]
    saves = ContentsManagerGuard(manager, WatchlistCache(print, {"MISTRAL_NB_HOME": str(tmp_path / "home")}))
    (folder / "z.ipynb").chmod(0o644)
    (folder / "a.ipynb").unlink()
    os.mkfifo(folder / "a.ipynb")
    with pytest.raises(HTTPError, match=r"a\.ipynb was copied, but not searched for keys: it is not a regular file"):
        saves._clean_folder("folder")
    assert key.reveal() not in (folder / "z.ipynb").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_rename_succeeds_even_if_the_file_cannot_be_searched(
    kind: type, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = make_text()
    manager = world(tmp_path, kind, Broken(secret))
    (tmp_path / "served/a.ipynb").write_text(json.dumps(notebook(secret)))
    manager.log.addHandler(caplog.handler)
    run(manager.rename("a.ipynb", "b.ipynb"))
    assert (tmp_path / "served/b.ipynb").exists()
    assert "mistral_nb: b.ipynb was renamed, but not searched for keys: ValueError." in caplog.text
    assert secret not in caplog.text


class BrokenAfterwards(Broken):
    """All is well when the notebook is looked through, and no more when the checkpoint is."""

    asked = 0

    def watchlist(self, folder: str) -> Watchlist:
        self.asked += 1
        return Watchlist() if self.asked == 1 else super().watchlist(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_checkpoint_that_cannot_be_cleaned_is_logged_and_the_save_succeeds(
    kind: type, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = make_text()
    run(world(tmp_path, kind).save(model("x = 1"), "a.ipynb"))
    manager = world(tmp_path, kind, BrokenAfterwards(secret))
    manager.log.addHandler(caplog.handler)
    run(manager.save(model("x = 2"), "a.ipynb"))
    assert "x = 2" in (tmp_path / "served/a.ipynb").read_text()
    assert "mistral_nb: the checkpoint of a.ipynb was not searched for keys: ValueError." in caplog.text
    assert secret not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_methods_take_their_arguments_by_name_too(kind: type, tmp_path: Path) -> None:
    manager, key = world(tmp_path, kind), make_key()
    Index(str(tmp_path / "home")).remember(key)
    run(manager.save(model=model(key.reveal()), path="/a.ipynb"))
    run(manager.create_checkpoint(path="a.ipynb"))
    run(manager.restore_checkpoint(checkpoint_id="checkpoint", path="a.ipynb"))
    run(manager.rename_file(old_path="a.ipynb", new_path="b.ipynb"))
    run(manager.copy(from_path="b.ipynb", to_path="c.ipynb"))
    assert key.reveal() not in (tmp_path / "served/c.ipynb").read_text()


def test_a_long_search_leaves_the_event_loop_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server goes on answering: what is long is looked through in another thread, while the loop turns."""
    key = make_key()
    Index(str(tmp_path / "home")).remember(key)
    manager = AsyncLargeFileManager(root_dir=str(tmp_path))
    saves = ContentsManagerGuard(manager, WatchlistCache(print, {"MISTRAL_NB_HOME": str(tmp_path / "home")}))
    saves.install()
    seen: list[str] = []
    threads: list[int] = []
    turned = threading.Event()
    clean_model = contents_models.clean_model

    def clean(*given: Any) -> Any:
        threads.append(threading.get_ident())
        assert turned.wait(10 * PATIENCE), "the loop did not turn during the search"
        return clean_model(*given)

    monkeypatch.setattr(contents_models, "clean_model", clean)
    long = {"type": "file", "format": "text", "content": "a line of words that are no key\n" * 300_000 + key.reveal()}

    async def _save(given: Any, path: str) -> None:
        manager.run_pre_save_hooks(given, path)  # as the manager itself calls the hook, in the loop
        seen.append("saved")

    async def save() -> None:
        task = asyncio.create_task(wrap_method(_save, saves._save)(long, "a.md"))
        while not threads:
            await asyncio.sleep(0.001)
        turned.set()
        await task

    asyncio.run(save())
    assert seen == ["saved"]
    assert key.reveal() not in long["content"]
    assert len(threads) == 1  # not once more by the hook, which runs in the loop
    assert threads != [threading.get_ident()]


def test_only_changed_inputs_are_reloaded(tmp_path: Path) -> None:
    index = Index(str(tmp_path / "home"))
    watching = WatchlistCache(print, {"MISTRAL_NB_HOME": str(tmp_path / "home")})
    first = watching.watchlist(str(tmp_path))
    assert watching.watchlist(str(tmp_path)) is first
    key = make_key()
    index.remember(key)
    assert [seen.fingerprint for seen in watching.watchlist(str(tmp_path)).remembered] == [key.fingerprint]


def test_a_damaged_index_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/workspaces.json").write_text("{")
    told: list[str] = []
    watching = WatchlistCache(told.append, {"MISTRAL_NB_HOME": str(tmp_path / "home")})
    for folder in ("a", "b", "c"):
        assert watching.watchlist(str(tmp_path / folder)).strict
    assert len(told) == 1


def test_each_removal_is_told_with_the_path_of_the_file(tmp_path: Path) -> None:
    key, told = make_key(), []
    Index(str(tmp_path / "home")).remember(key)
    served = tmp_path / "served"
    (served / "folder/in it").mkdir(parents=True)
    manager = AsyncLargeFileManager(root_dir=str(served))
    watchlists = WatchlistCache(manager.log.warning, {"MISTRAL_NB_HOME": str(tmp_path / "home")})
    ContentsManagerGuard(manager, watchlists, lambda path, records, _: told.append((path, records))).install()
    text = json.dumps(notebook(f'key = "{key.reveal()}"'))
    run(manager.save(model("x = 1"), "/folder/clean.ipynb"))
    assert told == []
    run(manager.save(model("x = 1", f'key = "{key.reveal()}"'), "/folder/a.ipynb"))
    (served / "folder/in it/b.ipynb").write_text(text)
    copied = run(manager.copy("folder", ""))["path"]
    (served / "folder/.ipynb_checkpoints/a-checkpoint.ipynb").write_text(text)
    run(manager.restore_checkpoint("checkpoint", "/folder/a.ipynb"))
    assert [(path, [(r.file, r.tail, r.cell) for r in records]) for path, records in told] == [
        ("folder/a.ipynb", [("/folder/a.ipynb", key.tail, 2)]),
        (f"{copied}/in it/b.ipynb", [(f"{copied}/in it/b.ipynb", key.tail, 1)]),
        ("folder/a.ipynb", [("the checkpoint of folder/a.ipynb", key.tail, 1)]),
    ]


def test_a_removal_is_told_when_the_file_is_written_and_not_of_a_save_that_failed(tmp_path: Path) -> None:
    key, told = make_key(), []
    Index(str(tmp_path / "home")).remember(key)
    served = tmp_path / "served"
    (served / "locked.ipynb").mkdir(parents=True)
    manager = AsyncLargeFileManager(root_dir=str(served))
    watchlists = WatchlistCache(manager.log.warning, {"MISTRAL_NB_HOME": str(tmp_path / "home")})
    guard = ContentsManagerGuard(manager, watchlists, lambda path, *_: told.append((served / path).read_text()))
    guard.install()
    run(manager.save(model(f'key = "{key.reveal()}"'), "a.ipynb"))
    [found] = told
    assert MARKER in found
    with pytest.raises(HTTPError):
        run(manager.save(model(f'key = "{key.reveal()}"'), "locked.ipynb"))
    assert len(told) == 1


def test_a_suspected_key_that_is_left_is_told_of_a_source_and_not_where_programs_read_keys_from(tmp_path: Path) -> None:
    text, told = f'client = Mistral(api_key="{make_text()}")\n', []
    (tmp_path / "served").mkdir()
    manager = AsyncLargeFileManager(root_dir=str(tmp_path / "served"), allow_hidden=True)
    watchlists = WatchlistCache(manager.log.warning, {"MISTRAL_NB_HOME": str(tmp_path / "home")})
    ContentsManagerGuard(manager, watchlists, lambda *notice: told.append(notice)).install()
    for name in ("app.py", ".env", "settings.yaml"):
        run(manager.save({"type": "file", "format": "text", "content": text}, name))
        run(manager.create_checkpoint(name))
        assert (tmp_path / "served" / name).read_text() == text
    assert [(path, [(r.tier, r.line) for r in records], left) for path, records, left in told] == [
        ("app.py", [("suspected", 1)], True)
    ]


def test_a_search_of_what_cannot_be_cleaned_says_what_is_there_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, manager = make_key(), LargeFileManager(root_dir=str(tmp_path))
    Index(str(tmp_path / "home")).remember(key)
    guard = ContentsManagerGuard(manager, WatchlistCache(print, {"MISTRAL_NB_HOME": str(tmp_path / "home")}))

    def refuse(*_: Any) -> None:
        raise CannotClean(PROBLEM)

    monkeypatch.setattr(contents_models, "clean_model", refuse)
    for given in (model(key.reveal()), {"type": "file", "format": "text", "content": key.reveal()}):
        found = guard.search(given, "a.ipynb")
        assert "invalid JSON" in found.problem
        assert [record.tail for record in (*found.removed, *found.left)] == [key.tail]
