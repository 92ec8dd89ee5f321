"""Long base64 under any label is passed over quickly, and a key in it is found in every form that it had before."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from mistral_nb.redaction import encoded_blobs, search
from mistral_nb.redaction.findings import ALL_TIERS
from mistral_nb.redaction.redact import redact
from mistral_nb.redaction.search_terms import SearchTerms
from support.checker import can_read
from support.forms import STYLES, display, known, notebook, remembered, rng_of, stream
from support.keys import make_key

Write = Callable[[bytes], Any]
SIZE = 60_000


def _plain(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _lines(data: bytes, width: int) -> list[str]:
    text = _plain(data)
    return [text[at : at + width] + "\n" for at in range(0, len(text), width)]


BLOBS: dict[str, Write] = {
    "audio": lambda data: notebook(display("text/html", [f'<audio src="data:audio/wav;base64,{_plain(data)}" />'])),
    "plotly": lambda data: notebook(display("application/vnd.plotly.v1+json", {"y": {"bdata": _plain(data)}})),
    "JavaScript": lambda data: notebook(display("application/javascript", f"var x = '{_plain(data)}';")),
    "stream": lambda data: notebook(stream(_plain(data))),
    "url-safe": lambda data: notebook(stream(base64.urlsafe_b64encode(data).decode())),
    "lines of 76": lambda data: notebook(stream(_lines(data, 76))),
    "lines of 64, one string": lambda data: notebook(stream("".join(_lines(data, 64)))),
    "an image in lines": lambda data: notebook(display("image/png", _lines(data, 76))),
}
FORMS: dict[str, Callable[[bytes, int], bytes]] = {
    "base64": lambda key, _: key,
    "base64, one on": lambda key, _: b"a" + key,
    "base64, two on": lambda key, _: b"ab" + key,
}


@pytest.mark.slow
@pytest.mark.parametrize("tier", [known, remembered])
@pytest.mark.parametrize("blob", BLOBS)
@pytest.mark.parametrize("form", FORMS)
def test_a_key_in_long_base64_is_removed_and_nothing_else(form: str, blob: str, tier: Any) -> None:
    rng = rng_of(form, blob)
    key = make_key(rng)
    for at in (0, 1500, SIZE // 2, SIZE - 1500, SIZE):
        around = rng.randbytes(SIZE)
        inner = around[:at] + FORMS[form](key.reveal().encode(), at) + around[at:]
        for style in ("as Jupyter", "one line"):
            data = STYLES[style](BLOBS[blob](inner))
            result = redact(data, tier(key))
            assert result.findings
            assert len(result.data) == len(data)
            assert sum(a != b for a, b in zip(data, result.data, strict=True)) < 64
            json.loads(result.data)
            assert redact(result.data, tier(key)).data is result.data
            assert redact(data, remembered(make_key(rng))).data is data


@pytest.mark.parametrize("tier", [known, remembered])
@pytest.mark.parametrize("written", ["plain", "hex", "HEX"])
def test_a_key_among_long_digits_is_removed(written: str, tier: Any) -> None:
    rng = rng_of(written)
    key = make_key(rng)
    text = {"plain": key.reveal(), "hex": key.reveal().encode().hex(), "HEX": key.reveal().encode().hex().upper()}
    for at in (0, 2000, 30_001, 59_999):
        digits = _plain(rng.randbytes(SIZE))
        data = STYLES["as Jupyter"](notebook(stream(digits[:at] + text[written] + digits[at:])))
        cleaned = redact(data, tier(key)).data
        assert can_read(data[max(0, at - 400) : at + 900], key.reveal())
        assert cleaned != data and json.loads(cleaned)
        assert redact(cleaned, tier(key)).data is cleaned


@pytest.mark.parametrize("gap", ["\n", "<b>", "\x1b[0m", "\u200b", "", '",\n "'])
def test_a_key_cut_by_the_end_of_long_base64_is_removed(gap: str) -> None:
    rng = rng_of(gap)
    key = make_key(rng)
    digits = _plain(rng.randbytes(SIZE))
    for text in (
        digits + key.reveal()[:9] + gap + key.reveal()[9:],
        key.reveal()[:9] + gap + key.reveal()[9:] + digits,
    ):
        data = STYLES["as Jupyter"](notebook(stream(text))).replace(b'\\",\\n \\"', b'",\n "')
        assert redact(data, remembered(key)).findings


def test_a_list_of_keys_is_no_long_base64() -> None:
    rng = rng_of("list")
    keys = [make_key(rng).reveal() for _ in range(600)]
    data = STYLES["as Jupyter"](notebook(stream([f"{key}\n" for key in keys]), source="import mistralai"))
    found = redact(data, known(make_key(rng))).findings
    assert {finding.tier for finding in found} == {"suspected"}
    assert len(found) > 590


@pytest.mark.parametrize("blob", BLOBS)
def test_what_is_searched_in_full_does_not_grow_with_the_base64(blob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key()
    looked_at: list[int] = []
    collect = search.collect_runs

    def counted(readings: Any, terms: SearchTerms) -> Any:
        readings = list(readings)
        looked_at.append(sum(map(len, readings)))
        return collect(readings, terms)

    monkeypatch.setattr("mistral_nb.redaction.engine.collect_runs", counted)
    for size in (SIZE, 8 * SIZE):
        redact(STYLES["as Jupyter"](BLOBS[blob](rng_of(str(size)).randbytes(size))), remembered(key))
    assert looked_at[1] < looked_at[0] + 1000
    monkeypatch.setattr("mistral_nb.redaction.engine.find_empty_blobs", lambda *_: [])
    redact(STYLES["as Jupyter"](BLOBS[blob](rng_of("x").randbytes(SIZE))), remembered(key))
    assert looked_at[2] > 5 * looked_at[0]  # the control


def test_base64_of_nothing_but_letters_is_left_to_the_full_search() -> None:
    key = make_key()
    letters = base64.b64encode(("abcDEF1 9" * 9000).replace(" ", "x").encode())
    terms = SearchTerms(remembered(key), ALL_TIERS)
    assert encoded_blobs.find_empty_blobs(letters, [], terms) == []
