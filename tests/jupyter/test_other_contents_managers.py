"""Managers and hooks that are not Jupyter's own, in a real server: what they write contains no key either."""

import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager

from mistral_nb.api_key import MARKER, Key
from mistral_nb.jupyter.save_hook import MAX_INLINE_CHARACTERS, ContentsManagerGuard
from mistral_nb.jupyter.watchlist_cache import WatchlistCache
from mistral_nb.storage.index import Index
from support import TESTS
from support.contents_managers import Elsewhere
from support.jupyter_servers import notebook, start_server
from support.kernels import clean_environment
from support.keys import make_key, make_text


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return clean_environment(tmp_path, PYTHONPATH=TESTS)


@pytest.fixture
def key(env: dict[str, str]) -> Key:
    key = make_key()
    Index(env["MISTRAL_NB_HOME"]).remember(key)
    return key


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CallsTheOldHook", "LooksSynchronous", "KnowsNoChunks"])
@pytest.mark.parametrize("on", [True, False])
def test_a_manager_of_another_package_saves_no_key(
    name: str, on: bool, env: dict[str, str], key: Key, tmp_path: Path
) -> None:
    with start_server(
        env, tmp_path / "served", f"--ServerApp.contents_manager_class=support.contents_managers.{name}", on=on
    ) as server:
        more = {"chunk": 1} if name == "KnowsNoChunks" else {}
        assert server.save("a.ipynb", notebook("x", f'k = "{key.reveal()}"'), **more).status == 201
        assert server.contents("POST", "a.ipynb/checkpoints").status == 201
        assert (key.reveal().encode() in server.everything()) is not on
        assert (MARKER.encode() in server.file("a.ipynb")) is on


@pytest.mark.slow
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("on", [True, False])
def test_a_user_hook_runs_and_its_output_is_searched(
    on: bool, large: bool, env: dict[str, str], key: Key, tmp_path: Path
) -> None:
    env["PLANTED"] = f"here: {key.reveal()}"
    own = "--ContentsManager.pre_save_hook=support.contents_managers.plants_a_key"
    with start_server(env, tmp_path / "served", own, on=on) as server:
        assert server.save("a.ipynb", notebook("x" * (MAX_INLINE_CHARACTERS + 1) if large else "x")).status == 201
        planted = json.loads(server.file("a.ipynb"))["metadata"]["planted"]
    assert planted == f"here: {MARKER if on else key.reveal()}"


@pytest.fixture
def watching(env: dict[str, str]) -> WatchlistCache:
    return WatchlistCache(print, env)


def text_of(key: Key) -> str:
    return json.dumps(notebook("x = 1", f'client = Mistral(api_key="{key.reveal()}")'), indent=1)


def parts(text: str, middle: int) -> list[dict[str, Any]]:
    pieces = [(1, text[:middle]), (2, text[middle : middle + 50]), (-1, text[middle + 50 :])]
    return [{"type": "file", "format": "text", "content": piece, "chunk": number} for number, piece in pieces]


@pytest.mark.slow
@pytest.mark.parametrize("on", [True, False])
def test_files_not_on_local_disk_are_cleaned_through_their_manager_only(
    on: bool, key: Key, watching: WatchlistCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manager's paths, read as paths of this machine, point at unrelated files."""
    monkeypatch.chdir(tmp_path)
    mine = [tmp_path / name for name in ("uploaded.ipynb", "renamed.md", "a/b.ipynb")]
    (tmp_path / "a").mkdir()
    for file in mine:
        file.write_text(text_of(key))
    manager = Elsewhere()
    if on:
        ContentsManagerGuard(manager, watching).install()
    text = text_of(key)
    for part in parts(text, text.index(key.reveal()) + 10):
        manager.save(part, "uploaded.ipynb")
    manager.save({"type": "file", "format": "text", "content": f"key {key.reveal()}"}, "noted.txt")
    manager.rename_file("noted.txt", "renamed.md")
    manager.save({"type": "notebook", "format": "json", "content": notebook(key.reveal())}, "a/b.ipynb")
    assert [key.reveal() in str(manager.kept[name]) for name in ("uploaded.ipynb", "renamed.md", "a/b.ipynb")] == (
        [not on] * 3
    )
    assert [file.read_text() for file in mine] == [text_of(key)] * 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AsyncLargeFileManager, LargeFileManager])
def test_chunks_of_an_interrupted_upload_contain_no_key(
    kind: Any, key: Key, env: dict[str, str], tmp_path: Path
) -> None:
    for on in (True, False):
        with start_server(
            env,
            tmp_path / f"served {on}",
            f"--ServerApp.contents_manager_class={kind.__module__}.{kind.__name__}",
            on=on,
        ) as server:
            for name in ("a.ipynb", "b.txt"):
                server.contents("PUT", name, parts(text_of(key), len(text_of(key)) - 60)[0])
            assert (key.reveal().encode() in server.file("a.ipynb")) is not on
            assert key.reveal().encode() in server.file("b.txt")  # reported only: it may be the only copy
    assert key.reveal() not in server.log


@pytest.mark.slow
@pytest.mark.parametrize("on", [True, False])
def test_a_user_post_save_hook_sees_an_upload_without_keys(
    on: bool, key: Key, env: dict[str, str], tmp_path: Path
) -> None:
    text = text_of(key)
    own = "--ContentsManager.post_save_hook=support.contents_managers.copies_the_file"
    with start_server(env, tmp_path / "served", own, on=on) as server:
        for part in parts(text, text.index(key.reveal()) + 10):
            assert server.contents("PUT", "a.ipynb", part).status in (200, 201)
        assert (key.reveal().encode() in server.file("a.ipynb.script")) is not on
        assert (MARKER.encode() in server.file("a.ipynb.script")) is on


@pytest.mark.slow
def test_a_chunk_of_an_image_is_left_unchanged(key: Key, env: dict[str, str], tmp_path: Path) -> None:
    """What looks like a key at the end of a part is a line of base64 that goes on."""
    line = make_text()
    part = f'{line}\\n", "text/plain": "mistralai"}}'
    with start_server(env, tmp_path / "served") as server:
        server.save("a.ipynb", part, type="file", format="text", chunk=1)
        assert server.file("a.ipynb") == part.encode()
