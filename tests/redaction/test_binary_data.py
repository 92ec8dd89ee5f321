"""Binary data: keys in one piece are heard, plain, encoded or in two bytes a character; text is never taken for it."""

import base64
import random

import pytest

from mistral_nb.api_key import Secret
from mistral_nb.redaction.binary_data import is_binary, may_hold_keys
from mistral_nb.redaction.redact import redact
from mistral_nb.watchlist import Watchlist
from support.forms import known, remembered
from support.keys import make_key, make_text, rng

_NOISE = bytes(range(256)) * 20
HEARD = {
    "plain": str.encode,
    "glued": lambda key: f"abc{key}xyz".encode(),
    "base64": lambda key: base64.b64encode(b"Bearer " + key.encode()),
    "hex": lambda key: key.encode().hex().encode(),
    "percent": lambda key: "".join(f"%{ord(c):02X}" for c in key).encode(),
    "UTF-16": lambda key: key.encode("utf-16-le"),
    "UTF-32": lambda key: key.encode("utf-32-be"),
}


@pytest.mark.parametrize("form", HEARD)
@pytest.mark.parametrize("tier", [known, remembered])
@pytest.mark.parametrize("shift", range(4))
def test_a_key_in_one_piece_is_heard_and_then_found(form, tier, shift):
    key = make_key()
    data = _NOISE + b"=" * shift + b"(" + HEARD[form](key.reveal()) + b")" + _NOISE
    assert is_binary(data)
    assert may_hold_keys(data, tier(key))
    assert [finding.fingerprint for finding in redact(data, tier(key)).findings] == [key.fingerprint]
    assert not may_hold_keys(data, tier(make_key()))


def test_what_is_not_heard_is_said_in_the_docs_and_is_found_in_text():
    key = make_key()
    cut = f"{key.reveal()[:9]}\x1b[0m{key.reveal()[9:]}".encode()
    assert not may_hold_keys(_NOISE + cut, remembered(key))
    assert redact(cut, remembered(key)).findings


def test_a_part_of_a_known_key_and_a_passphrase_are_heard():
    key, passphrase = make_key(), "a passphrase, " + make_text()
    assert may_hold_keys(_NOISE + b"(" + key.reveal()[:15].encode() + b")", known(key))
    assert not may_hold_keys(_NOISE + b"(" + key.reveal()[:14].encode() + b")", known(key))
    assert may_hold_keys(_NOISE + passphrase.encode(), Watchlist(known=(Secret(passphrase),)))


def test_a_suspected_key_is_heard_where_mistral_is_named():
    key = make_text()
    assert may_hold_keys(_NOISE + f"MISTRAL_API_KEY={key}".encode() + b"\0", Watchlist())
    assert not may_hold_keys(_NOISE + f"SOME_API_KEY={key}".encode() + b"\0", Watchlist())
    assert may_hold_keys(_NOISE + f"SOME_API_KEY={key}".encode() + b"\0", Watchlist(strict=True))


def test_text_and_notebooks_are_not_binary_whatever_they_hold():
    text = make_text() + " text\n"
    assert not is_binary(text.encode())
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        assert not is_binary((text * 200).encode(encoding))
    assert not is_binary(b'{"cells": ["\0"]}')
    assert not is_binary(b"x" * 8000 + b"\0")
    assert is_binary(b"x" * 7999 + b"\0")


def test_generated_binary_data_gives_no_false_alarm():
    source = random.Random(rng().random())
    watchlist = remembered(make_key(source))
    assert not any(may_hold_keys(b"\0" + source.randbytes(20_000), watchlist) for _ in range(20))
