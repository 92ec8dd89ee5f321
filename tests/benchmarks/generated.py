"""Notebooks made up for measuring: prose, code, tables, tracebacks, hashes and images in usual shares."""

import base64
import json
import os
import random
from typing import Any

_PROSE = "the model returns a list of tokens and we print each of them after training on data from mistral"
_WORDS = _PROSE.split()


def notebooks(folder: str, rng: random.Random, count: int = 120) -> None:
    for number in range(count):
        cells = [_cell(rng) for _ in range(rng.randint(5, 60))]
        value = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
        with open(os.path.join(folder, f"{number}.ipynb"), "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1, ensure_ascii=False)


def _cell(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.3:
        return {"cell_type": "markdown", "metadata": {}, "source": [_prose(rng) for _ in range(6)]}
    outputs = [rng.choice((_stream, _table, _image, _error))(rng) for _ in range(rng.randint(0, 2))]
    source = [f"{w}_{n} = {w}({n}, '{rng.choice(_WORDS)}')\n" for n, w in enumerate(rng.choices(_WORDS, k=9))]
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": outputs, "source": source}


def _prose(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=12)).capitalize() + ".\n"


def _stream(rng: random.Random) -> dict[str, Any]:
    lines = [f"epoch {n}: loss {rng.random():.6f} {rng.randbytes(16).hex()}\n" for n in range(rng.randint(1, 40))]
    return {"name": "stdout", "output_type": "stream", "text": lines}


def _table(rng: random.Random) -> dict[str, Any]:
    rows = [f"    <tr><td>{n}</td><td>{rng.random():.4f}</td></tr>\n" for n in range(rng.randint(3, 30))]
    data = {"text/html": ["<table>\n", *rows, "</table>"], "text/plain": [_prose(rng)]}
    return {"data": data, "execution_count": 1, "metadata": {}, "output_type": "execute_result"}


def _image(rng: random.Random) -> dict[str, Any]:
    payload = base64.b64encode(b"\x89PNG\r\n\x1a\n" + rng.randbytes(rng.randint(5_000, 60_000))).decode() + "\n"
    return {"data": {"image/png": payload}, "metadata": {}, "output_type": "display_data"}


def _error(rng: random.Random) -> dict[str, Any]:
    lines = [f"\x1b[31m{rng.choice(_WORDS)}\x1b[0m \x1b[38;5;28m{_prose(rng)}\x1b[39m" for _ in range(8)]
    return {"ename": "ValueError", "evalue": _prose(rng), "output_type": "error", "traceback": lines}
