"""Keys in images: in the base64 of a known key, and in what is no image but has its name."""

import base64
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.redaction.redact import redact, redact_values
from mistral_nb.watchlist import Watchlist
from support.checker import can_read
from support.forms import STYLES, display, known, notebook, remembered, rng_of
from support.keys import make_key


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(text: bytes) -> str:
    """A PNG of one dot with a text chunk, in base64."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    dot = _chunk(b"IDAT", zlib.compress(b"\0\0"))
    png = b"\x89PNG\r\n\x1a\n" + header + _chunk(b"tEXt", b"Comment\0" + text) + dot + _chunk(b"IEND", b"")
    return base64.b64encode(png).decode()


def _attachment(image: str) -> dict[str, Any]:
    value = notebook()
    value["cells"][0]["attachments"] = {"a.png": {"image/png": image}}
    return value


PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "output": lambda image: notebook(display("image/png", image)),
    "output with a line break": lambda image: notebook(display("image/png", image + "\n")),
    "data: URL in HTML": lambda image: notebook(display("text/html", f'<img src="data:image/png;base64,{image}">')),
    "data: URL in Markdown": lambda image: notebook(source=f"![x](data:image/png;base64,{image})"),
    "attachment": _attachment,
}


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("place", PLACES)
def test_a_known_key_in_a_pictures_text_is_filled_at_each_alignment(place: str, before: int) -> None:
    key = make_key(rng_of(place, str(before)))
    value = PLACES[place](picture(b"a" * before + key.reveal().encode() + b" and more"))
    for style in ("as Jupyter", "compact"):
        data = STYLES[style](value)
        assert can_read(data, key.reveal())
        result = redact(data, known(key))
        assert len(result.data) == len(data)
        assert [finding.fingerprint for finding in result.findings] == [key.fingerprint]
        assert not can_read(result.data, key.reveal(), 15)
        json.loads(result.data)
        assert redact(result.data, known(key)).data is result.data
        assert redact(data, known(make_key())).data is data
    cleaned, _ = redact_values(value, known(key))
    assert not can_read(json.dumps(cleaned).encode(), key.reveal(), 15)


@pytest.mark.parametrize("tier", [known, remembered])
def test_a_text_under_an_images_name_is_searched_as_text(tier: Any) -> None:
    key = make_key()
    for text in (f"not an image: {key.reveal()} " + "of many words " * 20, "x" * 100 + f"={key.reveal()}="):
        for value in (notebook(display("image/png", text)), notebook(display("image/jpeg", text))):
            data = STYLES["as Jupyter"](value)
            assert redact(data, tier(key)).data == data.replace(key.reveal().encode(), MARKER.encode())
            assert redact(data, Watchlist()).data is data
