"""The cases of docs/attribution/cases.json, as documents with a key in the place of ``{KEY}``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from support.forms import STYLES, notebook, stream

FILE = Path(__file__).parents[2] / "docs" / "attribution" / "cases.json"
_KEY = "{KEY}"


class Case(NamedTuple):
    """``elsewhere``: what another cell of the same document says; "" for none."""

    owner: str
    language: str
    name: str
    text: str
    elsewhere: str = ""

    def __str__(self) -> str:
        return f"{self.language}, {self.owner}: {self.name}"

    def cell(self, key: str) -> str:
        return self.text.replace(_KEY, key)

    def file(self, key: str) -> bytes:
        parts = [self.cell(key), *([f"# %%\n{self.elsewhere}"] if self.elsewhere else [])]
        return "\n\n".join(parts).encode()

    def notebook(self, key: str) -> dict[str, Any]:
        """The text as a cell's source, or as its output."""
        lines = self.cell(key).splitlines(keepends=True)
        value = notebook(stream(lines)) if self.language == "output" else notebook(source=lines)
        if self.elsewhere:
            value["cells"].append({"cell_type": "code", "metadata": {}, "outputs": [], "source": [self.elsewhere]})
        return value

    def documents(self, key: str) -> Iterator[tuple[bytes, bool]]:
        """The text in a file and in notebooks of several styles; and whether it is a notebook."""
        yield self.file(key), False
        for style in ("as Jupyter", "one line", "ASCII", "CRLF"):
            yield STYLES[style](self.notebook(key)), True


def _read(row: dict[str, Any]) -> Case:
    lines = {name: "\n".join(row.get(name, ())) for name in ("text", "elsewhere")}
    return Case(row["owner"], row["language"], row["name"], **lines)


CASES = [_read(row) for row in json.loads(FILE.read_text(encoding="utf-8"))]
