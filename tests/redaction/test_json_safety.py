"""What was valid JSON stays valid JSON, also if an edit of the engine is wrong: the fault is put in here."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.errors import CannotClean
from mistral_nb.file_scrub.clean_file import CleanOptions, clean_file
from mistral_nb.git.filter_process import Filter, filter_once
from mistral_nb.jupyter.contents_models import clean_model
from mistral_nb.redaction import json_safety, replacements
from mistral_nb.redaction.redact import redact
from mistral_nb.storage.index import Index
from support.checker import can_read
from support.forms import STYLES, known, notebook, remembered, stream
from support.keys import make_key

Edits = Callable[[bytes], bytes]


def _cut_a_quote(data: bytes) -> bytes:
    return data.replace(MARKER.encode(), b'"' + MARKER.encode())


def _start_an_escape(data: bytes) -> bytes:
    return data.replace(MARKER.encode(), b"\\" + MARKER.encode())


def _drop_the_end(data: bytes) -> bytes:
    return data.rstrip()[:-1]


_apply = replacements.apply_edits
FAULTS: dict[str, Edits] = {"a quote": _cut_a_quote, "an escape": _start_an_escape, "its end": _drop_the_end}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edits of a whole document go wrong, those of a text do not."""

    def apply(data: bytes, places: list[replacements.Replacement]) -> bytes:
        edited = _apply(data, places)
        return FAULTS[request.param](edited) if data.lstrip(b"\xef\xbb\xbf")[:1] == b"{" else edited

    monkeypatch.setattr(replacements, "apply_edits", apply)


def _whole(key: Key) -> bytes:
    return STYLES["as Jupyter"](notebook(stream(f"the key: {key.reveal()}\n")))


def _split(key: Key) -> bytes:
    return STYLES["as Jupyter"](notebook(stream([key.reveal()[:9], key.reveal()[9:]])))


def test_without_the_net_the_faults_break_a_notebook(fault: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_safety, "is_broken", lambda *_: False)
    key = make_key()
    with pytest.raises(ValueError):
        json.loads(redact(_whole(key), known(key)).data)


@pytest.mark.parametrize("style", sorted(set(STYLES) - {"UTF-16", "UTF-16 without a mark"}))
def test_a_broken_notebook_is_cleaned_string_by_string(fault: None, style: str) -> None:
    key = make_key()
    value = notebook(stream(f"the key: {key.reveal()} é\n"), source=[f"x = '{key.reveal()}'"])
    for watchlist in (known(key), remembered(key)):
        result = redact(STYLES[style](value), watchlist)
        assert result.problem == ""
        text = json.dumps(value, ensure_ascii=False).replace(key.reveal(), MARKER)
        assert json.loads(result.data.decode("utf-8-sig")) == json.loads(text)


@pytest.mark.parametrize("style", STYLES)
def test_what_cannot_be_cleaned_so_is_left_and_said(fault: None, style: str) -> None:
    key = make_key()
    data = STYLES[style](json.loads(_split(key)))
    result = redact(data, remembered(key))
    if style.startswith("UTF-16") or result.problem:
        assert result.data is data
        assert result.findings
        assert result.problem


def test_scrub_reports_the_file_and_leaves_it(fault: None, tmp_path: Path) -> None:
    key = make_key()
    path = tmp_path / "a.ipynb"
    path.write_bytes(_split(key))
    result = clean_file(str(path), remembered(key), CleanOptions(write=True))
    assert path.read_bytes() == _split(key)
    assert "invalid JSON" in result.problem
    assert result.removed == ()
    searched = clean_file(str(path), remembered(key), CleanOptions(write=False))
    assert (searched.problem, [record.tail for record in searched.left]) == ("", [key.tail])


def test_a_save_is_cleaned_and_not_refused(fault: None) -> None:
    key = make_key()
    model = {"type": "notebook", "content": json.loads(_whole(key))}
    clean_model(model, "/x/a.ipynb", remembered(key))
    assert model["content"] == json.loads(_whole(key).replace(key.reveal().encode(), MARKER.encode()))


def test_a_save_of_a_key_that_would_stay_split_over_texts_is_refused(
    fault: None, request: pytest.FixtureRequest
) -> None:
    key = make_key()
    model = {"type": "notebook", "content": json.loads(_split(key))}
    if "its end" in request.node.name:  # which the texts of a notebook do without
        clean_model(model, "/x/a.ipynb", remembered(key))
        assert not can_read(json.dumps(model["content"]).encode(), key.reveal())
        return
    with pytest.raises(CannotClean, match="invalid JSON"):
        clean_model(model, "/x/a.ipynb", remembered(key))
    assert model["content"] == json.loads(_split(key))


def test_the_git_filter_fails_rather_than_store_a_key_or_broken_json(
    fault: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key = make_key()
    Index(str(tmp_path)).remember(key)
    work = Filter(str(tmp_path))
    stored = filter_once(work, "clean", "a.ipynb", _whole(key))
    assert stored is not None and key.reveal().encode() not in stored and json.loads(stored)
    assert filter_once(work, "clean", "b.ipynb", _split(key)) is None
    said = capfd.readouterr().err
    assert "invalid JSON" in said and "Nothing was stored" in said and key.reveal() not in said


def test_without_a_fault_the_same_calls_succeed(tmp_path: Path) -> None:
    key = make_key()
    Index(str(tmp_path)).remember(key)
    for data in (_whole(key), _split(key)):
        stored = filter_once(Filter(str(tmp_path)), "clean", "a.ipynb", data)
        assert stored is not None and stored != data and json.loads(stored)
        assert redact(data, remembered(key)).problem == ""


def test_what_is_no_json_is_not_judged() -> None:
    for before in (b"", b"a", b"{", b"[" * 3000 + b"]" * 3000, b"\xff", b'{"a": 1} b'):
        assert not json_safety.is_broken(before, b"{")
    assert json_safety.is_broken(b'{"a": [NaN, 1, "b"]}', b'{"a": [NaN, 1, "b]}')
    assert json_safety.is_broken('{"a": 1}'.encode("utf-16"), '{"a": '.encode("utf-16"))


WORDS = [
    b"[KEY]",
    *(
        b'"a key: KEY, "',
        b'"KEY"',
        b'{"KEY": 1}',
        b'"\\nKEY"',
        b'"\\\\KEY"',
        b'"\\u00e9KEY"',
        b'"a\\"KEY\\""',
        b"[KEY]",
    ),
    *(b'["KEY", "KEY"]', b'{"a": "KEY", "b": [1, "KEY"]}', b'"\\KEY"', b'"\\u00KEY"', b'"\\u00eKEY"', b'"M and KEY"'),
]
KEYS = [b"aB3" * 10, b"4" * 32, b"e" * 32, b"1E-5" * 5, b"true", b"Infinity", b"4" * 31 + b"x", b"ab" * 10]


@pytest.mark.parametrize("word", WORDS, ids=range(len(WORDS)))
def test_the_quick_check_agrees_with_a_parser(word: bytes) -> None:
    marker = MARKER.encode()

    def is_valid(text: bytes) -> bool:
        try:
            json.loads(text)
        except ValueError:
            return False
        return True

    for key in KEYS:
        before = word.replace(b"KEY", key).replace(b"M ", marker)
        for old, new in [
            (key, marker),
            (key, b'"' + marker),
            (key, marker + b"\n"),
            (key + b'"', marker),
            (b'"' + key, marker),
            (key[:-1], marker),
            (key[:9], marker),
            (key[9:], marker),
            (key[1:], marker),
            (key, b""),
            (key, marker[:-1]),
            (key, marker + marker),
        ]:
            after = before.replace(old, new, 1)
            assert json_safety.is_broken(before, after) == (is_valid(before) and not is_valid(after)), (key, new)


def test_a_document_in_which_only_markers_are_new_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    parse = json_safety.parse_json
    monkeypatch.setattr(json_safety, "parse_json", lambda text: parsed.append(len(text)) or parse(text))
    key = make_key()
    assert redact(_whole(key), remembered(key)).data == _whole(key).replace(key.reveal().encode(), MARKER.encode())
    assert parsed == []
    assert redact(_split(key), remembered(key)).data != _split(key)
    assert parsed  # the control


def test_strings_are_cleaned_in_place() -> None:
    rng = random.Random(1)
    text = json.dumps({"a é\u200b": ['\n\t"\\', rng.random(), None, {"b": ""}]}, ensure_ascii=False).encode()
    assert json_safety.clean_strings(text, lambda string: string) == text
    assert (
        json_safety.clean_strings(b'["a", {"b": 1}]', lambda string: string + b'"\\')
        == b'["a\\"\\\\", {"b\\"\\\\": 1}]'
    )


def test_in_utf_16_the_letter_of_an_escape_is_not_taken_for_one_of_the_key() -> None:
    """A wrapped key whose 18th character is the n of the line break before its second part."""
    text = make_key().reveal()
    key = Key(f"{text[:17]}n{text[18:]}")
    shown = f"<b>{key.reveal()[:18]}</b>\n<b>{key.reveal()[18:]}</b>"
    for style in ("UTF-16", "as Jupyter"):
        data = STYLES[style](notebook(source=shown))
        assert can_read(data, key.reveal())
        result = redact(data, known(key))
        assert (result.problem, can_read(result.data, key.reveal())) == ("", False)
        json.loads(result.data.decode("utf-16" if style == "UTF-16" else "utf-8"))
