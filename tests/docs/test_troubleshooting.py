"""The troubleshooting page: each sentence of ours that it explains is one that the program says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
OURS, _, OTHERS = PAGE.partition("\n## Sentences of other programs\n")


def sentences(folder: Path) -> Iterator[str]:
    """Every text in the code, with … for what is put in; the texts of one call also joined, as errors are shown."""
    beginnings = [part[:10] for sentence in quoted(PAGE) for part in sentence.split("…") if len(part) > 10]
    for file in sorted(folder.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if not any(part in source for part in beginnings):
            continue  # to parse all of them takes a second
        for node in ast.walk(ast.parse(source)):
            parts = node.args if isinstance(node, ast.Call) else [node]
            if texts := [text for part in parts if (text := text_of(part))]:
                yield " ".join(texts)


def text_of(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def quoted(page: str) -> list[str]:
    return re.findall(r"^### `([^`]+)`", page, re.MULTILINE)


SAID = list(sentences(ROOT / "mistral_nb"))


def is_said(sentence: str) -> bool:
    """Constants are put in as … too: `HTTP …` is found in `HTTP 407`, and in an f-string."""
    pattern = re.compile(".*".join(map(re.escape, re.split("…+", sentence))))
    return any(pattern.search(text) for text in SAID)


@pytest.mark.parametrize("sentence", quoted(OURS))
def test_the_sentence_is_one_of_ours(sentence: str) -> None:
    assert is_said(sentence)


def test_a_sentence_that_nobody_says_is_found() -> None:
    assert len(quoted(OURS)) > 15
    assert not is_said("The key has run away from home.")
    assert not any(map(is_said, quoted(OTHERS)))


def test_every_heading_is_a_sentence_that_can_be_searched_for() -> None:
    assert len(quoted(PAGE)) == len(re.findall(r"^### ", PAGE, re.MULTILINE))
