"""Models of the contents API: what the quick look says is what the whole search says, and odd ones pass."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistral_nb.api_key import MARKER
from mistral_nb.jupyter.contents_models import clean_model, has_no_findings, is_large
from mistral_nb.redaction.redact import redact_values
from mistral_nb.storage.index import make_remembered
from mistral_nb.watchlist import Watchlist
from support.jupyter_servers import notebook
from support.keys import make_key, make_text
from support.profiles import examples

KEY = make_key()
REMEMBERED = Watchlist(remembered=(make_remembered(KEY),))
TEXT = KEY.reveal()
PLACES: dict[str, Any] = {
    "source": notebook,
    "source as lines": lambda text: notebook([f"a {text}\n", "b"]),
    "split over lines": lambda text: notebook(["x", f"{text[:12]}\n", text[12:]]),
    "stream": lambda text: notebook("x", outputs=[{"output_type": "stream", "name": "stdout", "text": text}]),
    "beside a picture": lambda text: notebook("x", outputs=[display({"image/png": "iVBOR", "text/plain": text})]),
    "svg": lambda text: notebook("x", outputs=[display({"image/svg+xml": f"<svg>{text}</svg>"})]),
    "picture as lines": lambda text: notebook("x", outputs=[display({"image/png": ["iVBOR\n", text]})]),
    "too short for a picture": lambda text: notebook("x", outputs=[display({"image/png": text})]),
    "output metadata": lambda text: notebook("x", outputs=[display({"image/png": "iVBOR"}, a=text)]),
    "a name": lambda text: notebook("x", outputs=[display({text: "x"})]),
    "notebook metadata": lambda text: notebook("x", papermill={"parameters": {"key": text}}),
    "base64": lambda text: notebook(base64.b64encode(text.encode()).decode()),
    "hex": lambda text: notebook(text.encode().hex()),
    "worksheets of format 3": lambda text: {"worksheets": [{"cells": [{"input": text}]}], "nbformat": 3},
}


def display(data: Any, **metadata: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": metadata, "data": data}


@pytest.mark.parametrize("place", PLACES)
def test_the_quick_scan_misses_no_place(place: str) -> None:
    assert not has_no_findings(PLACES[place](TEXT), REMEMBERED) or place == "picture as lines"
    model = {"type": "notebook", "content": PLACES[place](TEXT)}
    found = clean_model(model, "/tmp/a.ipynb", REMEMBERED)
    whole = redact_values(PLACES[place](TEXT), REMEMBERED)
    assert model["content"] == whole[0]
    assert len(found.removed) == len(whole[1])


@pytest.mark.parametrize("place", PLACES)
def test_without_a_key_the_content_is_the_same_object(place: str) -> None:
    content = PLACES[place]("nothing to see")
    model = {"type": "notebook", "content": content}
    assert clean_model(model, "/tmp/a.ipynb", REMEMBERED).removed == ()
    assert model["content"] is content


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20) | st.just(TEXT) | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.just("data"), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.slow
@settings(max_examples=examples(200))
@given(value=VALUES)
def test_keys_are_removed_from_every_cell_type(value: Any) -> None:
    content = {"cells": [value, {"outputs": [value, {"data": value}]}], "metadata": {}, "nbformat": 4}
    model = {"type": "notebook", "content": content}
    clean_model(model, "/tmp/a.ipynb", REMEMBERED)
    assert TEXT not in str(model["content"])


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"type": "directory"},
        {"type": "notebook", "content": None},
        {"type": "notebook", "content": "text"},
        {"type": "file", "format": "base64", "content": "é"},
        {"type": "file", "format": "base64", "content": "a"},
        {"type": "file", "content": 3},
        {"type": "file", "format": "text", "content": "\ud800"},
        {"type": "odd", "content": {}},
    ],
)
def test_an_invalid_model_is_left_to_the_server(model: dict[str, Any]) -> None:
    before = dict(model)
    assert clean_model(model, "/tmp/a.txt", REMEMBERED).removed == ()
    assert model == before
    assert not is_large(model, 1000)


def test_a_known_key_is_found_in_an_image_too() -> None:
    content = notebook("x", outputs=[display({"image/png": f"iVBOR{TEXT}+/="})])
    model = {"type": "notebook", "content": content}
    clean_model(model, "/tmp/a.ipynb", Watchlist(known=(KEY,)))
    assert TEXT not in str(model["content"])


def test_a_text_is_cleaned_by_the_rules_of_its_name() -> None:
    for name, cleaned in (("a.md", True), ("a.txt", False), (".env", False)):
        model = {"type": "file", "format": "text", "content": f"key {TEXT}"}
        found = clean_model(model, f"/tmp/{name}", REMEMBERED)
        assert (model["content"] == f"key {MARKER}") is cleaned
        assert bool(found.left) is not cleaned


@pytest.mark.parametrize(("comment", "paired"), [("// ", True), ("-- ", True), ("", True), ("// not: this\n", False)])
def test_a_text_with_jupytexts_header_is_a_notebook_in_any_language(comment: str, paired: bool) -> None:
    lines = ["---", "jupyter:", "  jupytext:", "    text_representation:", "---", f"let key = {TEXT}"]
    model = {"type": "file", "format": "text", "content": "\n".join(f"{comment}{line}" for line in lines)}
    found = clean_model(model, "/tmp/a.js", REMEMBERED)
    assert (TEXT not in model["content"]) is paired
    assert bool(found.left) is not paired


def test_size_is_estimated_without_a_deep_walk() -> None:
    assert is_large({"content": notebook("x" * 2000)}, 1000)
    assert is_large({"content": notebook("x", outputs=[display({"text/plain": "x" * 2000})])}, 1000)
    assert is_large({"content": notebook("x", outputs=[{"output_type": "stream", "text": ["x"] * 100}])}, 1000)
    assert is_large({"content": "x" * 2000}, 1000)
    assert not is_large({"content": notebook(make_text())}, 1000)
