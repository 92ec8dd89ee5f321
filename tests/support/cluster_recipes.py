"""Recipes of docs/workers.md, run as a script's whole: its processes, what they hold, and the logs that they write."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from mistral_nb.api_key import Key
from support import TESTS
from support.patience import PATIENCE
from support.process_memory import occurrences
from support.processes import started

KEY_FILE = "mounted key"  # in the folder of a recipe
PAGE = Path(TESTS).parent / "docs" / "workers.md"
# What the recipes call: it shows the key in each way that ends in a log.
ASK = """
import os, sys
questions = [1, 2]
def ask_mistral(question):
    import logging, os, subprocess
    key = os.environ.get("MISTRAL_API_KEY", "none")
    print("printed", key, flush=True)
    logging.getLogger("a task").warning("logged %s", key)
    subprocess.run("echo child $MISTRAL_API_KEY", shell=True)
    return key[-4:], os.getpid()
"""
END = """
print("answers", answers, flush=True)
from mistral_nb.keys.cluster_settings import cluster_rows
print("doctor", [row.label + ": " + row.value for row in cluster_rows()], flush=True)
print("texts", repr(texts()), flush=True)
input()
"""


class Recipe(NamedTuple):
    """A recipe that has run; its processes are still there. ``answers``: tail and process of each task."""

    driver: psutil.Process
    folder: Path
    answers: list[tuple[str, int]]
    texts: str
    doctor: str

    def processes(self) -> dict[int, str]:
        """The name of each process that it started, by its id."""
        return {process.pid: process.name() for process in self.driver.children(recursive=True)}

    def places(self, key: Key) -> dict[str, int]:
        """Where the key is found and how often: in processes, by name and what of them; in files; in what pages say."""
        found: dict[str, int] = {}
        for pid, name in self.processes().items():
            worker = " that ran a task" if any(pid == worker for _, worker in self.answers) else ""
            for where, count in occurrences(key.reveal(), [pid]).items():
                place = f"{where.split()[0]} of {name}{worker}"
                found[place] = found.get(place, 0) + count
        files = [file for file in self.folder.rglob("*") if file.is_file() and file.name != KEY_FILE]
        texts = {f"file {file.relative_to(self.folder)}": file.read_bytes() for file in files}
        texts["pages"] = self.texts.encode()
        return found | {name: count for name, text in texts.items() if (count := text.count(key.reveal().encode()))}

    def logs(self) -> str:
        files = (file for file in self.folder.rglob("*") if file.is_file() and file.name != KEY_FILE)
        return "".join(file.read_bytes().decode("latin-1") for file in files)


def recipe(word: str) -> str:
    """The block of the page that has this word."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if word in block]
    return block


@contextmanager
def run_recipe(folder: Path, code: str, environ: dict[str, str]) -> Iterator[Recipe]:
    """Run a script that sets ``answers``, and defines ``texts()``: what other clients of the cluster can ask for."""
    script = folder / "driver.py"
    script.write_text(f"{ASK}\n{code}\n{END}")
    with (
        open(folder / "driver.log", "w") as log,
        started(
            [sys.executable, str(script)],
            env=environ,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as driver,
    ):
        lines: dict[str, str] = {}
        for line in driver.stdout:
            log.write(line)
            word, _, rest = line.partition(" ")
            lines[word] = rest
            if word == "texts":
                break
        log.flush()
        assert "answers" in lines, (folder / "driver.log").read_text()[-3000:]
        yield Recipe(psutil.Process(driver.pid), folder, eval(lines["answers"]), lines["texts"], lines["doctor"])
        driver.communicate("\n", timeout=60 * PATIENCE)


def path_of_python() -> str:
    """PATH with this Python first, which clusters start as ``python3``."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
