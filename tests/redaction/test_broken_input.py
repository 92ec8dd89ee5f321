"""Broken, unusual and huge input: passed through byte for byte, or with its keys removed; never a crash."""

import json

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.redaction.redact import redact, redact_text, redact_values
from support.forms import STYLES, known, notebook, remembered, rng_of, stream
from support.keys import make_key

KEY = make_key(rng_of("robust"))
BOTH = [known(KEY), remembered(KEY)]

ODD = {
    "empty": b"{k}",
    "invalid JSON": b'{"cells": [{"source": ["a = \'{k}\'\\n", nonsense]}}',
    "conflict markers": b'{"cells": [\n<<<<<<< HEAD\n  {"a": ["{k}"]}\n=======\n  {"a": ["2"]}\n>>>>>>> b\n]}',
    "an LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n{k}",
    "a BOM": b'\xef\xbb\xbf{"cells": ["{k}"]}',
    "CRLF": b'{"cells": [\r\n "{k}"\r\n]}\r\n',
    "invalid UTF-8": b'{"cells": ["\xff\xfe\x80 {k} \xc3"]}',
    "lone surrogates": b'{"cells": ["\\ud800 {k} \\udc00"]}',
    "raw surrogates": b'{"cells": ["\xed\xa0\x80{k}"]}',
    "3000 deep": b'{"cells": ' + b"[" * 3000 + b'"{k}"' + b"]" * 3000 + b"}",
    "3000 deep, open": b'{"cells": ' + b'{"a": [' * 3000 + b'"{k}"',
    "NaN": b'{"cells": [NaN, Infinity, -Infinity, "{k}"]}',
    "duplicate names": b'{"cells": [], "a": "{k}", "a": 1, "cells": []}',
    "a number of 100 000 digits": b'{"cells": [' + b"7" * 100_000 + b', "{k}"]}',
    "NUL bytes": b'\0\0{"cells": ["{k}"]}\0',
    "mostly NUL bytes": b"A\0" * 60 + b"{k}",
    "binary": bytes(range(256)) * 3 + b"{k}" + bytes(range(255, -1, -1)),
    "an unfinished string": b'{"cells": ["abc {k}',
    "an unfinished image": b'{"cells": [{"image/png": "iVBO", "x": "{k}"}], "image/png": "iVBO',
    "only quotes": b'{"cells": """"""" {k} """""""',
    "only backslashes": b'{"cells": "' + b"\\" * 1001 + b" {k} " + b"\\" * 1001,
    "CSV": b"a;b;c\n1;2;{k}\n",
    ".env": b"# comment\nMISTRAL_API_KEY={k}\n",
}


@pytest.mark.parametrize("case", ODD)
def test_malformed_input_loses_its_key_and_no_other_byte(case: str) -> None:
    data = ODD[case].replace(b"{k}", KEY.reveal().encode())
    for watchlist in BOTH:
        result = redact(data, watchlist)
        assert result.data == ODD[case].replace(b"{k}", MARKER.encode())
        assert [finding.fingerprint for finding in result.findings] == [KEY.fingerprint]
        again = redact(result.data, watchlist)
        assert (again.data is result.data, again.findings) == (True, ())


@pytest.mark.parametrize("case", ODD)
def test_malformed_input_without_a_key_is_returned_as_the_same_object(case: str) -> None:
    data = ODD[case].replace(b"{k}", b"nothing")
    for watchlist in BOTH:
        result = redact(data, watchlist)
        assert result.data is data
        assert result.findings == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("rest", [b"", b"\n"])
def test_utf_16_stays_utf_16(encoding: str, rest: bytes) -> None:
    text = 'import mistralai\nkey = "{k}"  # é 😀\n'
    data = text.replace("{k}", KEY.reveal()).encode(encoding) + rest
    for watchlist in BOTH:
        assert redact(data, watchlist).data == text.replace("{k}", MARKER).encode(encoding) + rest


def test_texts_and_values_with_lone_surrogates_and_other_objects_pass() -> None:
    for watchlist in BOTH:
        text, _ = redact_text(f"\ud800 {KEY.reveal()} \udfff", watchlist)
        assert text == f"\ud800 {MARKER} \udfff"
        marker = object()
        value = {"a": [KEY.reveal(), "\ud800", marker, float("nan"), b"x", (1, "b")], 3: "c", None: KEY.reveal()}
        cleaned, findings = redact_values(value, watchlist)
        assert cleaned["a"][0] == cleaned[None] == MARKER
        assert cleaned["a"][2] is marker
        assert cleaned["a"][5] == (1, "b")
        assert len(findings) == 2
        clean = {"a": [1, "text", marker, {"b": ()}]}
        assert redact_values(clean, watchlist)[0] is clean


def test_values_3000_deep_are_cleaned() -> None:
    value = KEY.reveal()
    for _ in range(3000):
        value = [value]
    for watchlist in BOTH:
        cleaned, findings = redact_values(value, watchlist)
        assert len(findings) == 1
        while isinstance(cleaned, list):
            [cleaned] = cleaned
        assert cleaned == MARKER


def test_names_that_become_equal_lose_no_value() -> None:
    other = make_key(rng_of("other"))
    from mistral_nb.watchlist import Watchlist

    value = {KEY.reveal(): 1, other.reveal(): 2, "c": 3}
    cleaned, _ = redact_values(value, Watchlist(known=(KEY, other)))
    assert sorted(cleaned.values()) == [1, 2, 3]


def test_types_of_containers_stay() -> None:
    class Node(dict):  # as nbformat's NotebookNode
        pass

    cleaned, _ = redact_values(Node(a=Node(b=[KEY.reveal()])), BOTH[0])
    assert type(cleaned) is Node
    assert type(cleaned["a"]) is Node


@pytest.mark.parametrize("style", STYLES)
def test_widget_state_stays_valid_json(style: str) -> None:
    inner = json.dumps({"value": f"a\n{KEY.reveal()}"})
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"m": {"state": {"json": inner}}}}}
    data = STYLES[style](notebook(stream("x"), widgets=state))
    for watchlist in BOTH:
        text = redact(data, watchlist).data
        encoding = "utf-16" if style == "UTF-16" else "utf-16-be" if "without" in style else "utf-8-sig"
        cleaned = json.loads(text.decode(encoding))
        held = cleaned["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]["m"]
        assert json.loads(held["state"]["json"]) == {"value": f"a\n{MARKER}"}
