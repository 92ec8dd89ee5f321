"""The wrapped contents manager, in this process: what happens when our own part fails, or is long."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from keys import make_key, make_text
from servers import notebook
from tornado.web import HTTPError

from mistral_nb.saving.plans import wrapped
from mistral_nb.saving.saves import Saves
from mistral_nb.saving.watching import Watching
from mistral_nb.store.index import Index
from mistral_nb.watch import Watchlist


class Broken(Watching):
    """Whatever goes wrong in our part; its text quotes what no answer may."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def watchlist(self, folder: str) -> Watchlist:
        raise ValueError(self.secret)


def world(tmp_path: Path, kind: type = AsyncLargeFileManager, watching: Watching | None = None) -> Any:
    (tmp_path / "served").mkdir(exist_ok=True)
    manager = kind(root_dir=str(tmp_path / "served"))
    Saves(manager, watching or Watching(manager.log.warning, {"MISTRAL_NB_HOME": str(tmp_path / "home")})).install()
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
def test_a_failure_of_ours_stops_the_save_and_leaves_the_file(kind: type, tmp_path: Path) -> None:
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
        "mistral_nb: a.ipynb was not saved: ValueError. The file on disk is as it was. Save again"
    )
    assert "jupyter server extension disable mistral_nb" in message
    assert secret not in message
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert (tmp_path / "served/a.ipynb").read_bytes() == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", ["create", "restore"])
def test_a_failure_at_a_checkpoint_is_answered_and_nothing_comes_back(action: str, kind: type, tmp_path: Path) -> None:
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
def test_a_file_that_cannot_be_rewritten_is_said(kind: type, tmp_path: Path) -> None:
    manager, key = world(tmp_path, kind), make_key()
    Index(str(tmp_path / "home")).remember(key)
    file = tmp_path / "served/a.ipynb"
    text = json.dumps(notebook(key.reveal()))
    run(manager.save({"type": "file", "format": "text", "content": text[:20], "chunk": 1}, "a.ipynb"))
    os.link(file, tmp_path / "served/b.ipynb")
    file.unlink()
    os.mkfifo(file)  # what is no regular file is not replaced
    with pytest.raises(HTTPError, match=r"was not searched for keys: it is no regular file\. Try: mistral-nb scrub"):
        Saves(manager, Watching(print, {"MISTRAL_NB_HOME": str(tmp_path / "home")}))._clean(
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
    saves = Saves(manager, Watching(print, {"MISTRAL_NB_HOME": str(tmp_path / "home")}))
    (folder / "z.ipynb").chmod(0o644)
    (folder / "a.ipynb").unlink()
    os.mkfifo(folder / "a.ipynb")
    with pytest.raises(HTTPError, match=r"a\.ipynb was copied, but not searched for keys: it is no regular file"):
        saves._clean_folder(str(folder))
    assert key.reveal() not in (folder / "z.ipynb").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_rename_is_done_though_the_file_cannot_be_searched(
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
def test_an_old_checkpoint_that_cannot_be_cleaned_is_logged_and_the_save_is_done(
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


def test_a_long_search_leaves_the_event_loop_free(tmp_path: Path) -> None:
    """The server goes on answering: no turn of its loop takes longer than our budget because of us."""
    key = make_key()
    Index(str(tmp_path / "home")).remember(key)
    manager = AsyncLargeFileManager(root_dir=str(tmp_path))
    saves = Saves(manager, Watching(print, {"MISTRAL_NB_HOME": str(tmp_path / "home")}))
    saves.install()
    seen: list[str] = []

    async def method() -> None:
        seen.append("saved")

    long = {"type": "file", "format": "text", "content": "a line of words that are no key\n" * 300_000 + key.reveal()}

    async def turns() -> float:
        slowest, done = 0.0, False

        async def save() -> None:
            nonlocal done
            await wrapped(_save, saves._save)(long, "a.md")
            done = True

        async def _save(given: Any, path: str) -> None:
            manager.run_pre_save_hooks(given, path)  # as the manager itself calls the hook, in the loop
            await method()

        task = asyncio.create_task(save())
        while not done:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            slowest = max(slowest, time.perf_counter() - started)
        await task
        return slowest

    in_the_loop = dict(long)
    started = time.perf_counter()
    saves.before_save(in_the_loop, "a.md")
    whole = time.perf_counter() - started  # what the loop would wait for, had it to do the work itself
    slowest = asyncio.run(turns())
    assert seen == ["saved"]
    assert key.reveal() not in long["content"]
    assert slowest < whole / 2


def test_only_what_has_changed_is_gathered_again(tmp_path: Path) -> None:
    index = Index(str(tmp_path / "home"))
    watching = Watching(print, {"MISTRAL_NB_HOME": str(tmp_path / "home")})
    first = watching.watchlist(str(tmp_path))
    assert watching.watchlist(str(tmp_path)) is first
    key = make_key()
    index.remember(key)
    assert [seen.fingerprint for seen in watching.watchlist(str(tmp_path)).remembered] == [key.fingerprint]


def test_a_damaged_index_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/workspaces.json").write_text("{")
    told: list[str] = []
    watching = Watching(told.append, {"MISTRAL_NB_HOME": str(tmp_path / "home")})
    for folder in ("a", "b", "c"):
        assert watching.watchlist(str(tmp_path / folder)).strict
    assert len(told) == 1
