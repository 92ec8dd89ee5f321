"""An encrypted message is opened once, by its recipient, and only unaltered."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistral_nb.api_key import Secret
from mistral_nb.errors import SealRefused
from mistral_nb.sealing import Seal, seal, seal_bytes
from support.commands import shown_by
from support.key_traces import traces
from support.keys import make_text
from support.profiles import examples

WIDGET = "0123456789abcdef"


def sealed(text: str, opener: Seal, widget: str = WIDGET) -> dict[str, str]:
    return seal({"key": Secret(text)}, opener.public, widget)


@settings(max_examples=examples(50))
@given(st.dictionaries(st.text(max_size=20), st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_decryption_returns_what_was_encrypted(fields):
    opener = Seal(WIDGET)
    opened = opener.open(seal({name: Secret(text) for name, text in fields.items()}, opener.public, WIDGET))
    assert {name: secret.reveal() for name, secret in opened.items()} == fields


def test_a_replayed_message_is_refused():
    opener = Seal(WIDGET)
    message = sealed(make_text(), opener)
    opener.open(message)
    with pytest.raises(SealRefused, match="each can be opened only once"):
        opener.open(message)


def test_a_message_for_an_earlier_question_is_refused_and_keeps_the_private_key():
    earlier, opener = Seal(WIDGET), Seal(WIDGET)
    with pytest.raises(SealRefused, match="earlier question"):
        opener.open(sealed(make_text(), earlier))
    text = make_text()
    assert opener.open(sealed(text, opener))["key"].reveal() == text


def test_a_message_of_another_widget_is_refused():
    opener = Seal(WIDGET)
    with pytest.raises(SealRefused, match="not what the widget encrypted"):
        opener.open(sealed(make_text(), opener, widget="another"))


@pytest.mark.parametrize("part", ["public", "iv", "sealed"])
@pytest.mark.parametrize("where", [0, 5, -1])
def test_an_altered_message_is_refused_and_uses_up_the_private_key(part, where):
    opener = Seal(WIDGET)
    message = sealed(make_text(), opener)
    altered = bytearray(base64.b64decode(message[part]))
    altered[where] ^= 1
    with pytest.raises(SealRefused, match="not what the widget encrypted"):
        opener.open({**message, part: base64.b64encode(altered).decode()})
    with pytest.raises(SealRefused):
        opener.open(message)


@pytest.mark.parametrize("part", ["public", "iv", "sealed"])
@pytest.mark.parametrize("value", [None, 7, "", "%%%", "AAAA", "é", "A" * 100_000, [], {}])
def test_an_unencrypted_message_is_refused(part, value):
    opener = Seal(WIDGET)
    with pytest.raises(SealRefused):
        opener.open({**sealed(make_text(), opener), part: value})


@pytest.mark.parametrize("inside", [[], "text", {"key": 7}, {"key": None}, {"key": {"deep": "er"}}])
def test_an_encrypted_message_that_is_not_a_form_is_refused(inside):
    opener = Seal(WIDGET)
    with pytest.raises(SealRefused):
        opener.open(seal_bytes(json.dumps(inside).encode(), opener.public, WIDGET))


def test_a_closed_seal_opens_nothing():
    opener = Seal(WIDGET)
    message = sealed(make_text(), opener)
    opener.close()
    with pytest.raises(SealRefused):
        opener.open(message)


def test_the_message_and_a_refusal_contain_no_part_of_the_key():
    text, opener = make_text(), Seal(WIDGET)
    message = sealed(text, opener)
    with pytest.raises(SealRefused) as refused:
        opener.open({**message, "iv": message["sealed"][:16]})
    places = {"message": json.dumps(message).encode(), "error": shown_by(refused.value).encode()}
    assert traces(text, places) == []
    assert traces(text, {"plain": f'{{"key": "{text}"}}'.encode()}) == ["plain"]


@pytest.mark.parametrize("shift", range(3))
def test_the_search_for_traces_finds_every_form(shift):
    text = make_text()
    forms = {
        "plain": text,
        "run": "x" + text[7:17] + "x",
        "base64": base64.b64encode(b"." * shift + text.encode() + b"...").decode(),
        "hex": text.encode().hex().upper(),
    }
    assert traces(text, {name: form.encode() for name, form in forms.items()}) == list(forms)
    assert traces(make_text(), {name: form.encode() for name, form in forms.items()}) == []
