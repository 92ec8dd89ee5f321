"""The card's browser side is one text."""

import re

from mistral_nb.prompts.widget.anywidget_channel import card_source


def test_the_text_has_the_seal_once_and_imports_nothing():
    source = card_source()
    assert source.count("async function seal(") == 1
    assert not re.search(r"^\s*import\b", source, re.MULTILINE)
    assert source.count("export default") == 1
