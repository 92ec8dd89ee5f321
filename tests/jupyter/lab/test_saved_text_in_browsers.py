"""What the page finds to differ between an open document and the saved one, in Chromium: keys, and nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.redaction.redact import redact_values
from mistral_nb.storage.index import RememberedKey
from mistral_nb.watchlist import Watchlist
from support.keys import make_key
from support.page_modules import open_empty_page

ALIGN = """async (cases) => {
  const { findEdits } = await import("/page/removed_text.js");
  return cases.map(([current, saved, tails]) => {
    const edits = findEdits(current, saved, tails);
    return edits && edits.reverse().reduce((text, { start, end, text: marker }) =>
      text.slice(0, start) + marker + text.slice(end), current);
  });
}"""
COMPARE = """async (cases) => {
  const { isOnlyRedacted } = await import("/page/removed_text.js");
  return cases.map(([current, saved, tails]) => isOnlyRedacted(current, saved, tails));
}"""
SOURCES = (
    'client = Mistral(api_key="{0}")',
    "{0}",
    "key = '{0}'  # and {0} again",
    "keys = ['{0}', '{1}']\nprint('{1}')",
    "print(\"{0}\"); x = '''\n{1}\n'''",
    "curl -H 'Authorization: Bearer {0}' https://api.mistral.ai",
    "[{0}][{1}]",
    "key = '{0:.16}\\\n{rest}'",
)


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with open_empty_page() as page:
        yield page


def save(value: Any, *given: Any) -> Any:
    """What our save makes of a JSON value that holds these keys."""
    remembered = tuple(RememberedKey(key.fingerprint, len(key.reveal()), key.tail, "live", "") for key in given)
    return redact_values(value, Watchlist(remembered=remembered))[0]


def end_of(key: Key, length: int | None = None) -> dict[str, Any]:
    return {"tail": key.tail, "length": len(key.reveal()) if length is None else length}


def cases() -> list[tuple[str, str, list[dict[str, Any]]]]:
    made = []
    for source in SOURCES:
        first, second = make_key(), make_key()
        text = source.format(first.reveal(), second.reveal(), rest=first.reveal()[16:])
        saved = save({"cells": [{"source": text}]}, first, second)["cells"][0]["source"]
        made.append((text, saved, [end_of(first), end_of(second, 0)]))
    return made


def test_the_edits_make_what_was_saved(page):
    given = cases()
    assert all(MARKER in saved for _, saved, _ in given)
    assert page.evaluate(ALIGN, given) == [saved for _, saved, _ in given]
    again = [(saved, saved, ends) for _, saved, ends in given]
    assert page.evaluate(ALIGN, again) == [saved for _, saved, _ in given]


def test_whatever_is_typed_anywhere_prevents_them(page):
    typed = [
        (text[:place] + character + text[place:], saved, ends)
        for text, saved, ends in cases()
        for place in range(len(text) + 1)
        for character in ("#", "a", " ", '"', "\\")
    ]
    assert [new for new in page.evaluate(ALIGN, typed) if new is not None] == []


def test_a_cell_that_is_partly_in_line_gets_the_rest(page):
    first, second = make_key(), make_key()
    saved = f'a = "{MARKER}"\nb = "{MARKER}"'
    given = [(f'a = "{MARKER}"\nb = "{second.reveal()}"', saved, [end_of(first), end_of(second)])]
    assert page.evaluate(ALIGN, given) == [saved]


def test_a_key_that_is_kept_nowhere_else_stays(page):
    kept, only = make_key(), make_key()
    text, saved = f'a = "{kept.reveal()}"\nb = "{only.reveal()}"', f'a = "{MARKER}"\nb = "{MARKER}"'
    ends = [end_of(kept), end_of(only) | {"stays": True}]
    wrapped = f'"{only.reveal()[:16]}"\n"{only.reveal()[16:]}"'
    given = [(text, saved, ends), (wrapped, f'"{MARKER}"\n""', ends)]
    assert page.evaluate(ALIGN, given) == [text.replace(kept.reveal(), MARKER), wrapped]
    assert page.evaluate(ALIGN, [(text, saved, [end_of(kept), end_of(only)])]) == [saved]  # else it would not


def test_another_word_in_the_place_of_the_key_is_not_touched(page):
    key, other = make_key(), make_key()
    words = ("", "short", "another-name-in-its-place", MARKER[1:], other.reveal(), key.reveal()[1:])
    given = [(f'key = "{text}"', f'key = "{MARKER}"', [end_of(key)]) for text in words]
    assert page.evaluate(ALIGN, given) == [None] * len(given)


def test_outputs_are_the_same_but_for_keys(page):
    key = make_key()
    output = {"output_type": "stream", "name": "stdout", "text": [f"the key: {key.reveal()}\n", "end\n"]}
    saved = save({"cells": [{"outputs": [output]}]}, key)["cells"][0]["outputs"][0]
    joined = {**output, "text": "".join(output["text"])}
    assert key.reveal() not in json.dumps(saved)
    given = [(output, saved), (joined, saved), (saved, saved), ({**joined, "name": "stderr"}, saved)]
    given += [({**joined, "text": joined["text"] + "more\n"}, saved), ({**joined, "metadata": {}}, saved)]
    answers = page.evaluate(COMPARE, [(current, other, [end_of(key)]) for current, other in given])
    assert answers == [True, True, False, False, False, False]


@pytest.mark.slow
def test_a_front_end_that_shares_no_packages_gets_no_plugin_and_one_line(page):
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    ask = "async (scope) => (await (await import('/page/main.js')).loadPlugins(scope)).length"
    assert [page.evaluate(ask, scope) for scope in (None, {}, {"@jupyterlab/apputils": {}})] == [0, 0, 0]
    page.wait_for_function("() => true")
    assert len(lines) == 3
    assert all("its part of this page is off. This front end does not share @jupyterlab/" in line for line in lines)
