"""An upload in parts, whose last part never comes: what is on disk holds no key, wherever the parts cut it."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.file_scrub.file_types import CERTAIN_TIERS
from mistral_nb.jupyter import upload_parts
from mistral_nb.redaction.redact import redact
from mistral_nb.watchlist import Watchlist
from support.forms import FORMS, PLACES, STYLES, known, remembered, rng_of
from support.jupyter_servers import start_server
from support.keys import make_key


def upload(file: Path, parts: Sequence[bytes], watchlist: Watchlist | None) -> bytes:
    """What is on disk after parts of which none is the last. Without a watchlist they are written as they are."""
    for number, part in enumerate(parts, 1):
        content = base64.b64encode(part).decode()
        model: dict[str, Any] = {"type": "file", "format": "base64", "content": content, "chunk": number}
        if watchlist is not None:
            upload_parts.clean_part(model, str(file), watchlist)
        with file.open("wb" if number == 1 else "ab") as stream:
            stream.write(base64.b64decode(model["content"]))
    return file.read_bytes()


def holds_key(data: bytes, watchlist: Watchlist, name: str) -> bool:
    return bool(redact(data, watchlist, tiers=CERTAIN_TIERS, name=name).findings)


def find_span(data: bytes, other: bytes) -> tuple[int, int]:
    """Where two documents differ that hold different keys."""
    differing = [at for at, (one, two) in enumerate(zip(data, other, strict=True)) if one != two]
    return differing[0], differing[-1]


def make_document(form: str, style: str, key: Key) -> bytes:
    return STYLES[style](PLACES["stream lines"](f"before\n{FORMS[form](key.reveal())}\nafter"))


@pytest.mark.slow_except("-as Jupyter-remembered]", "glued-")
@pytest.mark.parametrize("watch", [known, remembered])
@pytest.mark.parametrize(
    ("form", "style"),
    [*((form, "as Jupyter") for form in FORMS), *(("glued", style) for style in STYLES if style != "as Jupyter")],
)
def test_no_form_of_a_key_stays_that_parts_cut(form: str, style: str, watch: Any, tmp_path: Path) -> None:
    rng = rng_of(form, style)
    key, other = make_key(rng), make_key(rng)
    watchlist, data = watch(key), make_document(form, style, key)
    try:
        low, high = find_span(data, make_document(form, style, other))
    except ValueError:  # their lengths differ: letters are written in different ways
        low, high = 0, len(data) - 1
    for cut in sorted({low + (high - low) * step // 8 for step in range(9)}):
        parts = [data[:cut], data[cut:]]
        saved = upload(tmp_path / "on.ipynb", parts, watchlist)
        assert not holds_key(saved, watchlist, "a.ipynb"), f"cut {cut - low} bytes after the key's beginning"
        assert len(saved) >= len(data) - 8 * (high - low + 1)  # the rest is there
    assert holds_key(upload(tmp_path / "off.ipynb", parts, None), watchlist, "a.ipynb")  # negative control


@pytest.mark.parametrize("length", [1, 5, 31])
def test_a_key_in_many_small_parts_is_found(length: int, tmp_path: Path) -> None:
    key = make_key()
    data = make_document("plain", "as Jupyter", key)
    parts = [data[start : start + length] for start in range(0, len(data), length)]
    expected = data.replace(key.reveal().encode(), MARKER.encode())
    assert upload(tmp_path / "a.ipynb", parts, remembered(key)) == expected
    assert upload(tmp_path / "b.ipynb", parts, None) == data


@pytest.mark.parametrize("line", [b"x" * 70 + b"\n", b"\xc3\xa9" * 50, b"a\\n"], ids=["lines", "one line", "escapes"])
def test_a_cut_key_is_found_in_a_file_longer_than_what_is_read_again(line: bytes, tmp_path: Path) -> None:
    key = make_key()
    filler = line * (3 * upload_parts._REACH // len(line))
    data = b'{"cells": ["' + filler + key.reveal().encode() + b'"]}' + filler
    cut = data.index(key.reveal().encode()) + 16
    saved = upload(tmp_path / "a.ipynb", [data[:cut], data[cut:]], remembered(key))
    assert saved == data.replace(key.reveal().encode(), MARKER.encode())


@pytest.mark.parametrize("cut", range(0, 60, 7))
@pytest.mark.parametrize("name", ["a.ipynb", "a.py", "a.bin"])
def test_without_a_key_the_file_is_the_same(name: str, cut: int, tmp_path: Path) -> None:
    data = "é: Mistral3ForConditionalGeneration, \\u0041\\n".encode() * 3
    assert upload(tmp_path / name, [data[:cut], data[cut:90], data[90:]], remembered(make_key())) == data


def test_the_first_part_is_not_searched_with_what_it_replaces(tmp_path: Path) -> None:
    key = make_key()
    file = tmp_path / "a.ipynb"
    file.write_text(key.reveal()[:20])
    assert upload(file, [key.reveal()[20:].encode()], remembered(key)) == key.reveal()[20:].encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"),
    [("a.ipynb", "base64"), ("a.ipynb", "text"), ("notes.md", "text"), ("paired.txt", "base64"), ("data.csv", "text")],
)
def test_a_real_server_has_no_key_of_an_upload_that_never_ends(
    name: str, form: str, key: Key, env: dict[str, str], tmp_path: Path
) -> None:
    header = "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,txt\n# ---\n" if name == "paired.txt" else ""
    text = f"{header}é = 1\nkey = '{key.reveal()}'\nx = 2\n"
    middle = text.index(key.reveal()) + 10
    sent = [text[: middle - 3], text[middle - 3 : middle], text[middle:]]
    saved = {}
    for on in (True, False):
        with start_server(env, tmp_path / f"served {on}", on=on) as server:
            for number, part in enumerate(sent, 1):
                content = base64.b64encode(part.encode()).decode() if form == "base64" else part
                reply = server.save(name, content, type="file", format=form, chunk=number)
                assert reply.status in (200, 201), reply.message
            saved[on] = server.file(name).decode()
            told = f"{name}, part 3: 1 key removed: …{key.tail} (remembered)"
            assert (told in server.log) is (on and name != "data.csv")
    assert saved[False] == text  # negative control
    left = name == "data.csv"  # reported only, when it is complete: it may be the only copy
    assert saved[True] == (text if left else text.replace(key.reveal(), MARKER))
