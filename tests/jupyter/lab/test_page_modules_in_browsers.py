"""Modules of the page against what they stand for in Python, in Chromium: fingerprints, key shapes, sealing."""

import base64
import hashlib
import json
import string
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.api_key import MARKER, fingerprint
from mistral_nb.redaction.label_words import names_mistral
from mistral_nb.sealing import Seal
from support import TESTS, keys
from support.keys import make_text
from support.page_modules import open_empty_page

CASES = json.loads((Path(TESTS).parent / "docs/attribution/cases.json").read_text("utf-8"))
FIND = """async ([texts, remembered]) => {
  const { findKey } = await import("/page/key_shapes.js");
  return texts.map(({ before, text, after, named }) =>
    findKey(text, { before, after, namesMistral: () => named }, remembered)?.key ?? null);
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with open_empty_page() as page:
        yield page


def found(page: Any, *texts: Any, remembered: Any = ()) -> list[str | None]:
    given = [
        {"before": "", "after": "", "named": True, **({"text": text} if isinstance(text, str) else text)}
        for text in texts
    ]
    return list(page.evaluate(FIND, [given, list(remembered)]))


def remembered_key(text: str) -> dict[str, object]:
    return {"fingerprint": fingerprint(text), "length": len(text), "tail": text[-4:]}


def test_fingerprints_are_those_of_python(page):
    alphabet = string.ascii_letters + string.digits + "_-"
    texts = ["".join(keys.rng().choices(alphabet, k=length)) for length in range(16, 129)]
    ask = "async (texts) => texts.map((await import('/page/blake2b.js')).fingerprint)"
    assert page.evaluate(ask, texts) == [fingerprint(text) for text in texts]


def test_what_the_page_seals_python_opens(page):
    made, key = Seal("a-comm"), make_text()
    ask = "async (given) => (await import('/page/sealing.js')).seal(...given)"
    message = page.evaluate(ask, [{"key": key, "other": "é"}, made.public, "a-comm"])
    assert key not in json.dumps(message)
    fields = made.open(message)
    assert (fields["key"].reveal(), fields["other"].reveal()) == (key, "é")


def owners_and_keys(page: Any, key: str) -> list[tuple[str, bool]]:
    """Whose each case's key is by Python's rule, and whether the page asks about it."""
    texts = ["\n".join(case["text"]).replace("{KEY}", key) for case in CASES]
    named = [names_mistral("\n".join(case.get("elsewhere", ()))) for case in CASES]
    given = ({"text": text, "named": name} for text, name in zip(texts, named, strict=True))
    return [(case["owner"], got == key) for case, got in zip(CASES, found(page, *given), strict=True)]


def test_the_page_agrees_mostly_with_python_about_whose_a_key_is(page):
    """The cases are those on which rules fail. The page has a part of the rule: a save decides by all of it."""
    answers = owners_and_keys(page, make_text())
    of_mistral = [is_asked for owner, is_asked in answers if owner == "mistral"]
    of_others = [is_asked for owner, is_asked in answers if owner != "mistral"]
    assert sum(of_mistral) >= 0.88 * len(of_mistral)
    assert sum(of_others) <= 0.16 * len(of_others)


EVERYDAY_TEXTS = (
    "{KEY}",
    'client = Mistral(api_key="{KEY}")',
    "MISTRAL_API_KEY={KEY}",
    'os.environ["MISTRAL_API_KEY"] = "{KEY}"',
    'api_key = "{KEY}"',
    'key = "{KEY}"  # mine',
    "Authorization: Bearer {KEY}",
    'llm = ChatMistralAI(model="mistral-small", mistral_api_key="{KEY}")',
    'client = OpenAI(api_key="{KEY}", base_url="https://api.mistral.ai/v1")',
)


def test_a_key_in_the_everyday_ways_is_asked_about(page):
    key = make_text()
    texts = [text.replace("{KEY}", key) for text in EVERYDAY_TEXTS]
    assert found(page, *texts) == [key] * len(texts)
    typed = [
        {"before": before, "text": key, "after": after}
        for before, _, after in (t.partition("{KEY}") for t in EVERYDAY_TEXTS)
    ]
    assert found(page, *typed) == [key] * len(texts)


def test_a_key_where_nothing_names_mistral_is_asked_about_only_if_it_is_remembered(page):
    known, unknown = make_text(), make_text()
    texts = [{"text": f"x = '{key}'", "named": False} for key in (known, unknown)]
    assert found(page, *texts, remembered=[remembered_key(known)]) == [known, None]
    other = remembered_key(known) | {"fingerprint": fingerprint(unknown)}
    assert found(page, *texts, remembered=[other]) == [None, None]


def test_a_remembered_key_of_another_shape_is_asked_about(page):
    key = f"{make_text()[:10]}-{make_text()[:12]}_"
    assert found(page, {"text": f"f({key!r})", "named": False}, remembered=[remembered_key(key)]) == [key]


def test_what_is_no_key_is_not_asked_about(page):
    key = make_text()
    texts = [
        *("Mistral3ForConditionalGeneration", "MistralForSequenceClassification", "x" * 400, ""),
        *(hashlib.new(name, key.encode()).hexdigest() for name in ("md5", "sha1", "sha256")),
        *(str(uuid.UUID(int=keys.rng().getrandbits(128))), base64.b64encode(key.encode() * 4).decode()),
        *(f"sha = '{key}'", f"request_id: {key}", f"https://files.example.org/{key}", f"ey{key}.{key}"),
        *(f"{key[:31]}", f"{key}{key}", f"{key}  # mistral-nb: keep", f"TOGETHER_API_KEY='{key}'", "x" * 1_000_000),
    ]
    assert found(page, *texts) == [None] * len(texts)
    assert found(page, key) == [key]  # negative control


STATE = {
    "workspaces": {"dev": "Ug6Y"},
    "guarded": True,
    "guard": "guarded",
    "covered": True,
    "saves": "covered",
    "home": "h",
}
KEY = {"workspace": "dev", "tail": "Ug6Y", "kept": True, "expires": None, "refused": False}
FACTS = {"workspaces": {"dev": {"tail": "Ug6Y", "expires": None}}, "remembered": [], "home": "h", "covered": True}
NOBODY = FACTS | {"workspaces": {}}


@pytest.mark.parametrize(
    ("state", "facts", "text", "level"),
    [
        ({"key": KEY | {"expires": "2027-03-24"}}, FACTS, "dev …Ug6Y · 23 d · saves covered", ""),
        ({"key": KEY}, FACTS, "dev …Ug6Y · saves covered", ""),
        ({"key": KEY | {"expires": "2027-03-05"}}, FACTS, "dev …Ug6Y · 4 d · saves covered", "warn"),
        ({"key": KEY | {"expires": "2027-02-28"}}, FACTS, "dev …Ug6Y · expired · saves covered", "bad"),
        ({"key": KEY | {"refused": True}}, FACTS, "dev …Ug6Y · refused by Mistral · saves covered", "bad"),
        ({"key": KEY, "covered": False}, FACTS, "dev …Ug6Y · saves not covered", "warn"),  # the kernel's word stands
        ({"key": KEY, "guarded": False}, FACTS, "dev …Ug6Y · saves covered · output not guarded", "warn"),
        ({"key": KEY | {"workspace": ""}}, FACTS, "…Ug6Y · saves covered", ""),
        ({"key": None}, FACTS, "1 key stored, none set · saves covered", ""),
        ({"key": None, "workspaces": {}}, NOBODY, None, None),
        (None, NOBODY, None, None),
        (None, FACTS, "dev …Ug6Y stored · saves covered", ""),
        (None, FACTS | {"covered": False}, "dev …Ug6Y stored · saves not covered", "warn"),
    ],
)
def test_what_the_status_item_says(page, state, facts, text, level):
    ask = """async ([state, facts]) =>
      (await import("/page/status.js")).formatStatus(state, "ready", facts, new Date("2027-03-01T12:00:00"))"""
    shown = page.evaluate(ask, [state and STATE | state, facts])
    assert (shown and shown["text"], shown and shown["level"]) == (text and f"Mistral: {text}", level)


def test_a_remembered_key_is_found_within_a_longer_word(page):
    key = make_text()
    texts = [f"sk-{key}", f"key_{key}", f"xx{key}", f"{key}-x", f"{'a' * 200}{key}{'b' * 200}", f"'{key}'"]
    given = [{"text": text, "named": False} for text in texts]
    assert found(page, *given, remembered=[remembered_key(key)]) == [key] * len(texts)
    assert found(page, *given, remembered=[remembered_key(make_text())]) == [None] * len(texts)


CALLS = """async ([source, tail, saved]) => {
  const { findLiteral, insertCall } = await import("/page/key_calls.js");
  const literal = findLiteral(source, tail);
  const text = {
    source: saved,
    getSource: () => text.source,
    updateSource: (start, end, words) => (text.source = text.source.slice(0, start) + words + text.source.slice(end)),
    transact: (change) => change(),
  };
  return literal && insertCall(text, "dev", literal) ? text.source : null;
}"""


@pytest.mark.parametrize(
    "source",
    [
        'prod = "{OTHER}"\ndev = "{KEY}"\n',
        'keys = {"prod": "{OTHER}", "dev": "{KEY}"}',
        'keys = [\n    "{OTHER}",\n    "{KEY}",\n]',
        "f('{OTHER}')  # the first\nf('{KEY}')",
    ],
)
def test_a_call_takes_the_place_of_its_own_key(page, source):
    key, other = make_text(), make_text()
    source = f"import mistral_nb\n{source}"
    typed = source.replace("{KEY}", key).replace("{OTHER}", other)
    quote = "'" if "'{KEY}'" in source else '"'
    for kept in (other, MARKER):  # the other may stay, or may have a marker too
        saved = source.replace("{KEY}", MARKER).replace("{OTHER}", kept)
        expected = source.replace(f"{quote}{{KEY}}{quote}", 'mistral_nb.key("dev")').replace("{OTHER}", kept)
        assert page.evaluate(CALLS, [typed, key[-4:], saved]) == expected
    of_two_markers = source.replace("{KEY}", MARKER).replace("{OTHER}", MARKER)
    assert page.evaluate(CALLS, [of_two_markers, key[-4:], of_two_markers]) is None


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("", "x = 1\n"),
        ("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n", "x = 1\n"),
        ("%%time\n", "x = 1\n"),
        ("%%time", ""),
        ('# A licence.\n\n"""What it does.\n\nMore.\n"""\n', "\nx = 1\n"),
        ("from __future__ import annotations\n", "import os\n"),
        (
            '"One line."\n\nfrom __future__ import (\n    annotations,\n)\nfrom __future__ import division  # 2\n',
            "x = 1\n",
        ),
        ("", '"text" + "s"\n'),
        ("", "# a comment\nx = 1\n"),
    ],
)
def test_an_import_stands_below_what_must_be_first(page, above, below):
    ask = "async (source) => (await import('/page/key_calls.js')).findImportPlace(source)"
    place = page.evaluate(ask, above + below)
    assert (place["start"], place["text"].strip()) == (len(above), "import mistral_nb")
    assert page.evaluate(ask, f"{above}\nimport mistral_nb\n{below}") is None


LINK = """async (scene) => {
  const { KernelLink } = await import("/page/kernel_link.js");
  const signal = () => {
    const slots = [];
    const emit = (...given) => slots.forEach((slot) => slot(...given));
    return { connect: (slot) => slots.push(slot), disconnect: () => {}, emit };
  };
  const comm = (id) => ({ commId: id, isDisposed: false, dispose() { this.isDisposed = true; }, send() {} });
  const kernel = (answers) => ({
    status: "idle",
    connectionStatus: "connected",
    iopubMessage: signal(),
    createComm: (_, id) => comm(id),
    requestCommInfo: () => answers.shift(),
  });
  const found = (...ids) => Promise.resolve({ content: { comms: Object.fromEntries(ids.map((id) => [id, {}])) } });
  const session = { kernel: null };
  const link = new KernelLink({
    session, kernelChanged: signal(), statusChanged: signal(), connectionStatusChanged: signal(),
  });
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  return await eval(`(${scene})`)({ link, session, kernel, found, settle });
}"""
RECONNECT = """async ({ link, session, kernel, found, settle }) => {
  session.kernel = kernel([found("a"), found("a"), found("b")]);
  link.connect();
  await settle();
  let outcome = null;
  void link.status().then((end) => (outcome = end.kind));
  const seen = [[link.reach, outcome]];
  for (const _ of [1, 2]) {
    link.connect();
    await settle();
    seen.push([link.reach, outcome]);
  }
  return seen;
}"""
GIVEN_UP = """async ({ link, session, kernel, found, settle }) => {
  session.kernel = kernel([found("a"), found("a")]);
  link.connect();
  await settle();
  const seen = [];
  void link.status().then((end) => seen.push(end.text));
  for (const status of ["connecting", "disconnected"]) {
    link.sessionContext.connectionStatusChanged.emit(null, status);
    await settle();
    seen.push(status);
  }
  return seen;
}"""
STALE = """async ({ link, session, kernel, found, settle }) => {
  let reject;
  session.kernel = kernel([new Promise((_, no) => (reject = no))]);
  link.connect();
  session.kernel = kernel([found("a")]);
  link.connect();
  await settle();
  reject(new Error("gone"));
  await settle();
  return link.reach;
}"""


def test_a_request_outlives_a_broken_connection_and_ends_with_its_kernel(page):
    assert page.evaluate(LINK, RECONNECT) == [["ready", None], ["ready", None], ["ready", "failed"]]


def test_a_request_ends_once_jupyterlab_no_longer_tries_to_reach_the_server(page):
    lost, *seen = page.evaluate(LINK, GIVEN_UP)[1:]
    assert lost.startswith("This page has lost its connection to the kernel.") and seen == ["disconnected"]


def test_what_a_former_kernel_answers_is_not_said_of_the_new_one(page):
    assert page.evaluate(LINK, STALE) == "ready"
