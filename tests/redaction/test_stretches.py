"""Large data searched in stretches: the same is found and removed as when it is searched as a whole."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mistral_nb.api_key import MARKER, Secret
from mistral_nb.redaction import stretches
from mistral_nb.redaction.findings import ALL_TIERS, SUSPECTED
from mistral_nb.redaction.redact import redact
from mistral_nb.watchlist import Watchlist
from support.forms import FORMS, LEAKS, PLACES, STYLES, display, known, notebook, remembered, stream
from support.keys import make_key, make_text, rng
from support.profiles import examples

PROSE = "the model was trained on words that nobody wrote down again\n"


def search_in_stretches(data, watchlist, size, name="", tiers=ALL_TIERS):
    """What `redact` gives with stretches of about ``size`` bytes, and how many there were in the first look."""
    counts = []
    with pytest.MonkeyPatch.context() as patch:
        real = stretches.cut

        def cut(*arguments, **options):
            spans = list(real(*arguments, **options))
            assert [part.start for part in spans] == [0, *(part.end for part in spans[:-1])]
            assert spans[-1].end == len(arguments[0])
            assert all(0 <= part.low <= part.start <= part.end <= part.high <= spans[-1].end for part in spans)
            counts.append(len(spans))
            return iter(spans)

        patch.setattr(stretches, "cut", cut)
        patch.setattr(stretches, "SIZE", size)
        patch.setattr(stretches, "FEW", 0)
        result = redact(data, watchlist, name=name, tiers=tiers)
    return result, counts[0]


def _without_column(finding):
    """Of two forms that overlap, either may be the one that is named; what is removed is the same."""
    return repr(finding._replace(column=None))


def assert_same(data, watchlist, size, name="", tiers=ALL_TIERS):
    """Returns the number of stretches, and what was found."""
    whole = redact(data, watchlist, name=name, tiers=tiers)
    cut, count = search_in_stretches(data, watchlist, size, name, tiers)
    assert cut.data == whole.data
    assert sorted(map(_without_column, cut.findings)) == sorted(map(_without_column, whole.findings))
    assert (cut.data is data) == (whole.data is data)
    return count, whole.findings


def many_cells(cell, count=12):
    """A notebook in which the cells of another one come again and again."""
    whole = json.loads(json.dumps(cell))
    if "worksheets" in whole:
        whole["worksheets"][0]["cells"] *= count
    else:
        whole["cells"] *= count
    return whole


def rearranged(value, order):
    """The names of every object in another order: "cell_type" the first, the last, or anywhere."""
    if isinstance(value, dict):
        items = [(name, rearranged(item, order)) for name, item in value.items()]
        items.sort(key=lambda item: (item[0] == "cell_type") if order == "last" else item[0] != "cell_type")
        if order == "mixed":
            random.Random(len(items)).shuffle(items)
        return dict(items)
    return [rearranged(item, order) for item in value] if isinstance(value, list) else value


@pytest.mark.slow_except("[remembered-plain", "[remembered-base64", "[remembered-wrapped", "[remembered-HTML")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tier", [known, remembered])
def test_every_form_in_every_place_is_found_as_in_the_whole(form, tier):
    key = make_key()
    text = FORMS[form](key.reveal())
    most = 0
    for number, place in enumerate(PLACES):
        value = many_cells(PLACES[place](text), 4)
        style = list(STYLES)[(number + len(form)) % len(STYLES)]
        count, _ = assert_same(STYLES[style](value), tier(key), (60, 400)[number % 2])
        most = max(most, count)
    assert most > 5


@pytest.mark.slow_except("-as Jupyter-", "[plain-")
@pytest.mark.parametrize("order", ["first", "last", "mixed"])
@pytest.mark.parametrize("style", ["as Jupyter", "one line", "compact", "CRLF"])
@pytest.mark.parametrize("form", ["plain", "wrapped", "HTML tags", "ANSI inside", "base64", "HTML, loose brackets"])
def test_the_order_of_a_cells_names_makes_no_difference(order, style, form):
    key = make_key()
    text = FORMS[form](key.reveal())
    outputs = stream(text), display("text/html", ["<b>a</b>", text]), stream([text, text])
    value = rearranged(many_cells(notebook(*outputs, source=[f"a = '{text}'\n", "b < 3\n"])), order)
    count, found = assert_same(STYLES[style](value), remembered(key), 100)
    assert count > 5
    assert found


@pytest.mark.parametrize("leak", LEAKS)
def test_a_suspected_key_is_judged_by_the_whole_document(leak):
    """Mistral is named in one cell, the key stands in another."""
    far = many_cells(notebook(source=[PROSE] * 5), 4)
    far["cells"].insert(0, {"cell_type": "code", "metadata": {}, "source": ["import mistralai"], "outputs": []})
    far["cells"].append({"cell_type": "code", "metadata": {}, "source": [LEAKS[leak].format(k=make_text())]})
    data = json.dumps(far, indent=1).encode()
    count, found = assert_same(data, Watchlist(), 300)
    assert count > 3
    assert found
    for word in (b"istral", b"ISTRAL", b"odestral", b"ODESTRAL", b"Illegal"):
        data = data.replace(word, b"")
    assert not redact(data, Watchlist()).findings


@pytest.mark.slow
def test_a_key_is_planted_around_each_cut():
    data = json.dumps(many_cells(notebook(stream(PROSE), source=[PROSE, "<b>x</b>"])), indent=1).encode()
    places = [part.end for part in stretches.cut(data, True, size=200)][:-1]
    assert len(places) > 10
    for place in places[:: len(places) // 4]:
        for shift in range(-60, 61, 3):
            key = make_key()
            planted = data[: place + shift] + key.reveal().encode() + data[place + shift :]
            for tier in (known, remembered):
                count, found = assert_same(planted, tier(key), 200, "a.ipynb")
                assert count > 5
                assert found


def test_what_only_looks_like_a_cell_makes_no_difference():
    key = make_key()
    inner = many_cells(notebook(source=key.reveal()))
    texts = ["cell_type", {"cell_type": "code"}, [key.reveal()[:9], "cell_type", key.reveal()[9:]], inner]
    outputs = [display("application/json", text) for text in texts]
    outputs += [stream(json.dumps(inner)), stream([key.reveal()[:9] + "\n", '"cell_type"\n', key.reveal()[9:]])]
    value = many_cells(notebook(*outputs))
    for style in ("as Jupyter", "compact", "one line"):
        count, found = assert_same(STYLES[style](value), remembered(key), 50)
        assert count > 10
        assert found


@pytest.mark.parametrize(
    "gap", ["<", "<b", "\\u003c", "\\u003Cspan ", "\x1b]8;;", "\\u001b]8;;x", "\\", "&", "\x1b[", "%", "</i>", "a<b>"]
)
@pytest.mark.parametrize("closing", [">", "\\u003e", "\\u003E", "\x07", "\\u0007", "<", "", "m", "< >"])
def test_nothing_is_cut_that_a_tag_or_a_link_takes_out(gap, closing):
    """Even over the border of two cells, where no person would read on."""
    key = make_key()
    first, second = key.reveal()[:14], key.reveal()[14:]
    middle = f' {{"cell_type": "x"}}, {PROSE * 2}'
    for text in (f"{first}{gap}{middle}{closing}{second}", f"{first}\n{gap}{PROSE}{middle}{closing}\n{second}"):
        data = (f'"cells" {PROSE}' + text + PROSE * 3).encode()
        for name in ("", "a.ipynb"):
            assert_same(data, remembered(key), 20, name)
            assert_same(data, known(key), 20, name)


def text_around(form, key):
    return (
        PROSE * 3
        + f"it is known that the value follows here {FORMS[form](key.reveal())} and that was all\n"
        + PROSE * 3
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tier", [known, remembered])
def test_a_text_that_is_no_notebook_is_cut_between_words(form, tier):
    key = make_key()
    data = text_around(form, key).encode("utf-8", "replace")
    for size in (20, 120):
        count, found = assert_same(data, tier(key), size)
        assert count > 1
        assert found


LINES = {
    "words": lambda source: source.choice(PROSE.split()) + "\n",
    "letters": lambda source: f"\x1b[3{source.randrange(8)}m{source.choice('abcdef')}\x1b[0m",
    "cells": lambda source: f"<tr><td>{source.randrange(99)}</td><td>{source.random():.4f}</td></tr>\n",
    "values": lambda source: f"{source.random():.6f},",
}


def without_spaces(lines, size=110_000):
    source = random.Random(lines)
    text = "".join(LINES[lines](source) for _ in range(size // 5))
    return text[:size]


def planted_at_cuts(text, written, size):
    """The text with something written over each of its cuts, each time a little further on."""
    parts = list(stretches.cut(text.encode(), False, size=size))
    done, pieces = 0, []
    for number, part in enumerate(parts[:-1]):
        at = part.end - (number + 1) * len(written) // len(parts)
        pieces += text[done:at], written
        done = at
    return "".join([*pieces, text[done:]]).encode("utf-8", "replace")


@pytest.mark.slow_except(
    "words-remembered-plain", "letters-known-wrapped]", "cells-remembered-base64, wrapped", "values-known-HTML, wrapped"
)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tier", [known, remembered])
@pytest.mark.parametrize("lines", LINES)
def test_a_text_without_spaces_is_cut_anywhere_and_read_beyond_the_cut(lines, tier, form):
    key = make_key()
    data = planted_at_cuts(without_spaces(lines), f"\n{FORMS[form](key.reveal())}\n", 20_000)
    count, found = assert_same(data, tier(key), 20_000)
    assert count > 3
    assert found


def test_without_reading_beyond_the_cut_the_key_would_be_missed(monkeypatch):
    key = make_key()
    data = planted_at_cuts(without_spaces("words"), f"\n{key.reveal()}\n", 20_000)
    whole = redact(data, remembered(key))
    assert key.reveal().encode() not in whole.data
    monkeypatch.setattr(stretches, "_OVERLAPS", (1,))
    monkeypatch.setattr(stretches, "_LONGEST_WRITTEN", 0)
    cut, _ = search_in_stretches(data, remembered(key), 20_000)
    assert len(cut.findings) < len(whole.findings)


SUSPECTED_LINES = {
    "labelled": "\nmistral_api_key='{}'\n",
    "a comment": "\n{}#mistral\n",
    "another vendor's": "\nopenai_api_key='{}'\n",
    "imported": "\nfrom\tmistralai\timport\ta\nx='{}'\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("line", SUSPECTED_LINES)
def test_a_suspected_key_in_a_text_without_spaces_is_judged_as_in_the_whole(line):
    for start in range(0, 110_000, 19_000):
        text = without_spaces("words")
        data = (text[:start] + SUSPECTED_LINES[line].format(make_text()) + text[start:] + "mistral").encode()
        count, found = assert_same(data, Watchlist(), 20_000)
        assert count > 1
        assert found


def test_a_coloured_text_is_cut():
    key = make_key()
    lines = [
        f"\x1b[3{n % 8}mstep\x1b[0m \x1b[1mnumber\x1b[0m {n}: the loss was \x1b[32m{n / 7}\x1b[0m\n" for n in range(99)
    ]
    lines[50] = f"\x1b[32mthe key is {key.reveal()[:9]}\x1b[0m\n\x1b[31m{key.reveal()[9:]}\x1b[0m and that was all\n"
    count, found = assert_same("".join(lines).encode(), remembered(key), 200)
    assert count > 10
    assert found


@pytest.mark.parametrize(
    "first", [["import fooble"], ["from fooble import a"], ["x = Mistral(api_key=FOOBLE_API_KEY)"]]
)
def test_what_another_cell_imports_and_calls_counts(first):
    key = make_text()
    for last in (f"fooble.api_key = '{key}'", f"FOOBLE_API_KEY = '{key}'", f"fooble_key = '{key}'  # mistral"):
        value = many_cells(notebook(source=[PROSE] * 5), 4)
        value["cells"].insert(
            0, {"cell_type": "code", "metadata": {}, "source": ["# mistral\n", *first], "outputs": []}
        )
        value["cells"].append({"cell_type": "code", "metadata": {}, "source": [last], "outputs": []})
        count, found = assert_same(json.dumps(value, indent=1).encode(), Watchlist(), 300)
        assert count > 3
        assert found
        text = "\n".join(["# mistral", *first, PROSE * 200, last])
        count, found = assert_same(text.encode(), Watchlist(), 20)
        assert count > 3
        assert found


def test_a_suspected_key_in_a_text_keeps_what_it_is_judged_by():
    key = make_text()
    for line in (f"mistral_api_key: {key}", f"mistral, and openai_api_key = '{key}'", f"{key}  # mistral-nb: keep\n"):
        data = (
            PROSE * 400 + "the value of the other vendor is " + line + " which was the last one\n" + PROSE * 400
        ).encode()
        count, found = assert_same(data + b"mistral", Watchlist(), 100)
        assert count > 100
        assert found


def test_a_passphrase_may_have_the_words_and_signs_of_a_cut():
    for passphrase in (PROSE.strip(), 'and then {"cell_type": 3} came'):
        watchlist = Watchlist(known=(Secret(passphrase),))
        for name in ("", "a.ipynb"):
            data = (PROSE * 2 + f'"cells" {{"cell_type": "x"}}, ({passphrase})' + PROSE * 2).encode()
            _, found = assert_same(data, watchlist, 20, name)
            assert found


@pytest.mark.slow
@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([20, 60, 200, 700]), st.booleans())
def test_generated_data_gives_the_same_as_a_whole(seed, size, is_notebook):
    source = random.Random(seed)
    keys = [make_key(source) for _ in range(3)]
    watchlist = Watchlist(
        known=(keys[0],), remembered=remembered(keys[1]).remembered, reported=frozenset({keys[2].fingerprint})
    )
    parts = [FORMS[source.choice(list(FORMS))](source.choice(keys).reveal()) for _ in range(4)]
    parts += [PROSE, "mistral", "<b>", "<", ">", "\n", '"cell_type"', "# mistral-nb: keep\n", make_text(source)]
    texts = ["".join(source.choices(parts, k=4)) for _ in range(8)]
    if is_notebook:
        cells = [PLACES[source.choice(list(PLACES))](text) for text in texts]
        value = {"cells": [cell for one in cells for cell in one.get("cells", one.get("worksheets"))]}
        data = STYLES[source.choice(list(STYLES))](rearranged(value, source.choice(["first", "last", "mixed"])))
    else:
        data = PROSE.join(texts).encode("utf-8", "replace")
    # whose a suspected key is, in such nonsense, depends on how much of it is read
    assert_same(data, watchlist, size, tiers=ALL_TIERS - {SUSPECTED})


def test_data_without_a_cut_is_one_stretch_and_a_hostile_one_is_tried_seldom(monkeypatch):
    assert list(stretches.cut(b"", True, size=10)) == [(0, 0, 0, 0)]
    assert list(stretches.cut(b"a" * 1000, True, size=10)) == [(0, 1000, 0, 1000)]
    assert list(stretches.cut(b"a" * 1000, False, size=10)) == [(0, 1000, 0, 1000)]
    tries = []
    real = stretches._Cuts._is_safe
    monkeypatch.setattr(stretches._Cuts, "_is_safe", lambda self, place: tries.append(place) or real(self, place))
    hostile = b"<" + PROSE.encode() * 50_000 + b">"
    assert list(stretches.cut(hostile, False, size=1000)) == [(0, len(hostile), 0, len(hostile))]
    assert 10 < len(tries) < 100


def test_cuts_are_found_in_one_pass(monkeypatch):
    """Each byte is searched a fixed number of times, however many stretches there are."""
    read = []

    class Counted(bytes):
        def find(self, sign, low=0, high=None):
            end = len(self) if high is None else high
            found = super().find(sign, low, end)
            read.append((found if found >= 0 else end) - low)
            return found

        def rfind(self, sign, low=0, high=None):
            found = super().rfind(sign, low, len(self) if high is None else high)
            read.append((len(self) if high is None else high) - max(found, low))
            return found

    for text in ("<", ">", "a < b ", "<b>x</b>", ""):
        data = Counted(text.encode() + PROSE.encode() * 2000 + text.encode())
        read.clear()
        assert len(list(stretches.cut(data, False, size=500))) > 100 or text == "<"
        assert sum(read) < 20 * len(data) + 4096 * 12 * 250


def test_a_marker_and_a_key_in_large_data_are_where_they_were():
    keys = [make_key() for _ in range(3)]
    source = random.Random(rng().random())
    watchlist = Watchlist(remembered=tuple(entry for key in keys for entry in remembered(key).remembered))
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [], "source": [PROSE * 200]} for n in range(500)
    ]
    for number, key in zip(source.sample(range(500), 3), keys, strict=True):
        cells[number]["source"].append(f"key = '{key.reveal()}'\n")
    data = json.dumps({"cells": cells}, indent=1).encode()
    assert len(data) > stretches.FEW * stretches.SIZE
    result = redact(data, watchlist)
    expected = data
    for key in keys:
        expected = expected.replace(key.reveal().encode(), MARKER.encode())
    assert result.data == expected
    assert len(result.findings) == 3
    for finding in result.findings:
        [number] = [
            n
            for n, cell in enumerate(cells)
            if any(k.fingerprint == finding.fingerprint and k.reveal() in cell["source"][-1] for k in keys)
        ]
        assert (finding.path, finding.cell_id) == (f"cells[{number}].source", f"c{number}")
        assert finding.line == 1 + data[: data.index(b"key = ", data.index(f'"c{number}"'.encode()))].count(b"\n")
