"""Notebooks that jupytext keeps as text: its contents manager saves once a file, and each is searched."""

from collections.abc import Iterator
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from support.jupyter_servers import RunningServer, notebook, start_server
from support.keys import make_text

PAIRED = {"jupytext": {"formats": "ipynb,py:percent,md"}}


@pytest.fixture(scope="module")
def on(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with start_server(env, tmp_path_factory.mktemp("on") / "served", jupyterlab_jupytext=True) as server:
        yield server


@pytest.fixture(scope="module")
def off(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with start_server(env, tmp_path_factory.mktemp("off") / "served", on=False, jupyterlab_jupytext=True) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("suspected", [False, True])
@pytest.mark.parametrize("metadata", [PAIRED, {"jupytext": {**PAIRED["jupytext"], "notebook_metadata_filter": "-all"}}])
def test_every_file_of_a_pair_is_saved_without_keys(
    suspected: bool, metadata: Any, on: RunningServer, off: RunningServer, key: Key
) -> None:
    text = make_text() if suspected else key.reveal()
    content = notebook("from mistralai import Mistral", f'client = Mistral(api_key="{text}")', **metadata)
    for server in (on, off):
        assert server.save("pair.ipynb", content).status in (200, 201)
    for name in ("pair.ipynb", "pair.py", "pair.md"):
        assert text.encode() not in on.file(name)
        assert MARKER.encode() in on.file(name)
        assert text.encode() in off.file(name)


FORMATS = ["ipynb,js", "ipynb,scala:light", "ipynb,.pct.py:percent", "here//ipynb,scripts//py:percent"]


@pytest.mark.slow
@pytest.mark.parametrize("formats", FORMATS)
def test_no_kind_of_pair_contains_a_key(formats: str, on: RunningServer, off: RunningServer, key: Key) -> None:
    """In another folder, under another name or in another language, and without a header that tells."""
    text, folder = make_text(), f"pairs {FORMATS.index(formats)}"
    filters = {"notebook_metadata_filter": "-all", "cell_metadata_filter": "-all"}
    sources = ["from mistralai import Mistral", f'Mistral(api_key="{text}")', f'x = "{key.reveal()}"']
    for server in (on, off):
        (server.folder / folder / "here").mkdir(parents=True)
        content = notebook(*sources, jupytext={"formats": formats, **filters})
        assert server.save(f"{folder}/here/a.ipynb", content).status == 201
        written = [file for file in (server.folder / folder).rglob("*") if file.is_file()]
        assert len({file.suffix for file in written}) == 2
        for file in written:
            assert (text.encode() in file.read_bytes()) is (server is off), file.name
            assert (key.reveal().encode() in file.read_bytes()) is (server is off), file.name


@pytest.mark.slow
def test_a_text_that_is_opened_as_a_notebook_is_saved_without_keys(
    on: RunningServer, off: RunningServer, key: Key
) -> None:
    for server in (on, off):
        assert server.save("alone.py", notebook("x = 1", f'key = "{key.reveal()}"')).status in (200, 201)
    assert key.reveal().encode() not in on.file("alone.py")
    assert key.reveal().encode() in off.file("alone.py")
    assert b"x = 1" in on.file("alone.py")


@pytest.mark.slow
def test_a_pair_without_a_key_is_saved_unchanged(on: RunningServer, off: RunningServer) -> None:
    for server in (on, off):
        assert server.save("quiet.ipynb", notebook("x = 1", **PAIRED)).status in (200, 201)
    for name in ("quiet.ipynb", "quiet.py", "quiet.md"):
        assert on.file(name) == off.file(name)
