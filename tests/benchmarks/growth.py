"""What grows with what: folders × remembered keys, and memory with the size of one file.

    cd tests && python -m benchmarks.growth [--megabytes N] [--folders N] [--tree PACKAGE_PARENT]

Each row is `scan` as a whole process: its CPU seconds, and the most memory that it ever had. Memory beyond the file is
without what the process takes for an empty file. --tree: another version of the package, to compare with.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mistral_nb.storage.index import Index, make_remembered
from support.keys import make_key

_TEXT = "the model returns a list of tokens and we print each of them after training on data"
_WORDS = _TEXT.split()
_MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def scan(env: dict[str, str], path: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB."""
    words = [sys.executable, "-c", _MEASURED, sys.executable, "-m", "mistral_nb", "scan", str(path)]
    done = subprocess.run(words, env=env, cwd="/", capture_output=True, text=True, check=True)
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak) / (1024 if sys.platform == "linux" else 1024**2)


def remember(home: Path, count: int) -> None:
    with Index(str(home)).edit() as contents:
        contents.remembered.update(
            {key.fingerprint: make_remembered(key) for key in (make_key() for _ in range(count))}
        )


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=12)).capitalize() + ".\n"


def prose(rng: random.Random) -> Any:
    return {"output_type": "stream", "name": "stdout", "text": [sentence(rng) for _ in range(40)]}


def colours(rng: random.Random) -> Any:
    return {"output_type": "stream", "name": "stdout", "text": [coloured(rng) for _ in range(200)]}


def table(rng: random.Random) -> Any:
    rows = [f"<tr><td>{n}</td><td>{rng.random():.4f}</td></tr>\n" for n in range(200)]
    return {"output_type": "display_data", "metadata": {}, "data": {"text/html": ["<table>\n", *rows, "</table>"]}}


def coloured(rng: random.Random) -> str:
    return f"\x1b[3{rng.randrange(8)}m{rng.choice(_WORDS)}\x1b[0m \x1b[1m{rng.random():.3f}\x1b[0m\n"


def one_word_each(rng: random.Random) -> str:
    return rng.choice(_WORDS) + "\n"


def one_letter_each(rng: random.Random) -> str:
    return f"\x1b[3{rng.randrange(8)}m{rng.choice('abcdef')}\x1b[0m"


def make_notebook(path: Path, size: int, output: Callable[[random.Random], Any]) -> None:
    rng = random.Random(1)
    cells = [
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [output(rng)], "source": [sentence(rng)]}
        for _ in range(100)
    ]
    body = json.dumps(cells, indent=1)[1:-1]
    with path.open("w") as file:
        file.write('{"cells": [' + ",".join([body] * (size // len(body) + 1)))
        file.write('], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n')


def make_text(path: Path, size: int, line: Callable[[random.Random], str]) -> None:
    rng = random.Random(1)
    body = "".join(line(rng) for _ in range(5000))
    path.write_text(body * (size // len(body) + 1))


def measure_folders(folder: Path, env: dict[str, str], count: int) -> None:
    source = ["from mistralai import Mistral\n", *[_TEXT + "\n"] * 5]
    small = {"cells": [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source}], "nbformat": 4}
    for number in range(count):
        place = folder / "many" / str(number // 100) / str(number % 100)
        place.mkdir(parents=True)
        (place / "a.ipynb").write_text(json.dumps(small, indent=1))
    for keys in (0, 50, 1000):
        home = folder / f"home{keys}"
        remember(home, keys)
        seconds, peak = scan(env | {"MISTRAL_NB_HOME": str(home)}, folder / "many")
        print(f"{count} folders, {keys:4} remembered keys {seconds:8.2f} s {peak:8.0f} MiB")


def measure_memory(folder: Path, env: dict[str, str], size: int) -> None:
    empty = folder / "empty.ipynb"
    empty.write_text('{"cells": []}')
    _, bare = scan(env, empty)
    path = folder / "large"
    for title, name, make in (
        ("a notebook of prose", "a.ipynb", lambda file: make_notebook(file, size, prose)),
        ("a notebook of coloured text", "a.ipynb", lambda file: make_notebook(file, size, colours)),
        ("a notebook of HTML tables", "a.ipynb", lambda file: make_notebook(file, size, table)),
        ("a text, coloured", "a.log", lambda file: make_text(file, size // 5, coloured)),
        ("a text, a word a line", "a.log", lambda file: make_text(file, size // 5, one_word_each)),
        ("a text, each letter coloured", "a.log", lambda file: make_text(file, size // 5, one_letter_each)),
    ):
        file = path.with_name(name)
        make(file)
        seconds, peak = scan(env, file)
        mib = file.stat().st_size / 2**20
        more = peak - bare - mib
        print(f"{title:30} {mib:6.0f} MiB {seconds:7.2f} s, beyond it {more:6.0f} MiB = {more / mib:5.2f} × its size")
        file.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--folders", type=int, default=4000)
    parser.add_argument("--tree", default=str(Path(__file__).parent.parent.parent))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        env = {name: value for name, value in os.environ.items() if not name.startswith("MISTRAL")}
        env |= {"PYTHONPATH": options.tree, "MISTRAL_NB_HOME": str(folder / "home50")}
        print(f"Python {sys.version.split()[0]}, {resource.getpagesize()} bytes a page, {options.tree}")
        measure_folders(folder, env, options.folders)
        measure_memory(folder, env, options.megabytes * 1_000_000)


if __name__ == "__main__":
    main()
