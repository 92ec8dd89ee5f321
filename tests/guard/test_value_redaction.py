"""Texts inside lists, tuples and dicts."""

from mistral_nb.api_key import MARKER
from mistral_nb.guard.kernel_messages import UNSEARCHED_TEXT
from mistral_nb.guard.text_matcher import TextMatcher
from mistral_nb.guard.value_redaction import redact_values
from support.keys import make_key


def test_only_what_holds_a_key_is_another_object():
    key = make_key()
    clean, found = {"a": ["x", 1, None]}, {"b": ("y", [key.reveal()]), "n": 3}
    matcher = TextMatcher([key])
    assert redact_values(clean, lambda: matcher) is clean
    assert redact_values(found, lambda: matcher) == {"b": ("y", [MARKER]), "n": 3}
    assert found["b"][1] == [key.reveal()]  # which others may hold


def test_what_can_not_be_searched_is_removed():
    assert redact_values({"a": ["x", 1]}, lambda: 1 / 0) == {"a": [UNSEARCHED_TEXT, 1]}
    circle = []
    circle.append(circle)
    assert redact_values(circle, TextMatcher) == UNSEARCHED_TEXT
