"""No turn of phrase that a developer would not use: in pages, tours, texts of the package and of its JavaScript."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUAINT = (
    *("mend(?:s|ed|ing)?", "fore(?:saw|sees?n?)", "absurd(?:ly)?", "condemn(?:s|ed)?", "anew", "afresh", "henceforth"),
    *("thereof", "hitherto", "heretofore", "forthwith", "whence", "whither", "lest", "naught", "behold", "perchance"),
    *("nobody is (?:here|there)", "(?:goes|is scanned) alone", "of (?:no|any) use to", "words typed", "for ever"),
    *("was faster", "(?:this|that|which) is no(?! longer)", "told apart", "(?:go|goes|went) through the filter"),
)
PATTERN = re.compile(rf"\b(?:{'|'.join(QUAINT)})\b", re.IGNORECASE)


def texts() -> Iterator[tuple[Path, str]]:
    for file in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("mistral_nb/**/*.js")):
        yield file, file.read_text(encoding="utf-8")
    for file in ROOT.glob("notebooks/*.ipynb"):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            yield file, "".join(cell["source"])
    for file in ROOT.glob("mistral_nb/**/*.py"):
        source = file.read_text(encoding="utf-8")
        if not quaint(source.replace('"', "")):
            continue  # to parse all of them takes a second
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield file, node.value


def quaint(text: str) -> list[str]:
    return [found[0] for found in PATTERN.finditer(" ".join(text.split()))]


def test_every_text_is_plain() -> None:
    found = {f"{file.relative_to(ROOT)}: {word}" for file, text in texts() for word in quaint(text)}
    assert sorted(found) == []


@pytest.mark.parametrize("text", ["Mend that, and run it again.", "Nobody is\nhere to agree.", "a key that is no key"])
def test_a_quaint_one_is_found(text: str) -> None:
    assert quaint(text)
    assert not quaint(
        "Fix this and run the command again: no terminal is available, whoever asks, and amendments stay."
    )
