"""What one call of `scrub` or `scan` on a 20 kB notebook costs: CPU of the whole process, as a ratio.

    cd tests && python -m benchmarks.one_call           aim: at most 3.5 × of `python -I -S -c pass`

Measured alternately; the medians of the paired ratios are printed.
"""

import importlib.metadata
import json
import os
import platform
import random
import resource
import statistics
import string
import subprocess
import sys
import tempfile
from pathlib import Path

from mistral_nb.api_key import Key
from mistral_nb.storage.index import Index, make_remembered

ROUNDS = 41
AIM = 3.5
SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))


def make_key() -> Key:
    return Key("".join(random.SystemRandom().choices(string.ascii_letters + string.digits, k=31)) + "7")


def notebook(source: str) -> str:
    lines = [f"step {n}: loss {n / 7:.4f} at https://example.org/runs/{n}\n" for n in range(330)]
    output = {"output_type": "stream", "name": "stdout", "text": lines}
    cell = {"id": "a", "cell_type": "code", "metadata": {}, "execution_count": 1, "outputs": [output]}
    cells = [cell | {"source": ["from mistralai import Mistral\n", source]}]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def cpu_seconds(words: list[str], given: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(given, "rb") as stream:
        folder = os.path.dirname(given) if given != os.devnull else None  # a project's settings are looked for
        subprocess.run(
            words, cwd=folder, stdin=stream, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        keys = [make_key() for _ in range(50)]
        os.environ["MISTRAL_NB_HOME"] = f"{folder}/home"
        with Index(f"{folder}/home").edit() as contents:
            contents.remembered.update({key.fingerprint: make_remembered(key) for key in keys})
        quiet, holding, empty = f"{folder}/quiet.ipynb", f"{folder}/holding.ipynb", os.devnull
        Path(quiet).write_text(notebook("client = Mistral()"))
        Path(holding).write_text(notebook(f'client = Mistral("{keys[0].reveal()}")'))
        calls = {
            "python -I -S -c pass": ([sys.executable, "-I", "-S", "-c", "pass"], empty),
            "python -c pass (with this environment's site)": ([sys.executable, "-c", "pass"], empty),
            "mistral-nb scan FILE, nothing in it": ([SCRIPT, "scan", quiet], empty),
            "mistral-nb scrub FILE, nothing in it": ([SCRIPT, "scrub", quiet], empty),
            "mistral-nb scrub -, nothing in it": ([SCRIPT, "scrub", "-"], quiet),
            "python -m mistral_nb scrub -, nothing in it": ([sys.executable, "-m", "mistral_nb", "scrub", "-"], quiet),
            "mistral-nb scan FILE, a key in it": ([SCRIPT, "scan", holding], empty),
            "mistral-nb scrub -, a key taken out": ([SCRIPT, "scrub", "-"], holding),
        }
        measure(calls, os.path.getsize(quiet))


def measure(calls: dict[str, tuple[list[str], str]], size: int) -> None:
    for words, given in calls.values():
        cpu_seconds(words, given)
    rounds = [[cpu_seconds(*call) for call in calls.values()] for _ in range(ROUNDS)]
    print(f"a notebook of {size / 1000:.0f} kB, 50 remembered keys; CPU seconds of the whole process, {ROUNDS} rounds")
    for number, name in enumerate(calls):
        ratio = statistics.median(times[number] / times[0] for times in rounds)
        mine = statistics.median(times[number] for times in rounds)
        aim = f"   aim: at most {AIM}" if number > 1 else ""
        print(f"{name:<46} {ratio:5.2f} ×   {1000 * mine:6.1f} ms{aim}")
    ours = importlib.metadata.version("mistral_nb")
    print(f"Python {platform.python_version()}, mistral_nb {ours}, {platform.system()}")


if __name__ == "__main__":
    main()
