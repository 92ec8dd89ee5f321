"""What the git filter costs beside none and beside its peers: CPU time of the whole process tree, paired.

    cd tests && python -m benchmarks.git_speed [CORPUS] [--rounds N] [--peers VENV] [--slow] [--only git|history]

CORPUS: a folder with notebooks; without one they are generated. --peers: an environment with nb-clean,
nbstripout-fast and nbstripout; without one it is made for the run. --slow: nbstripout too, which takes minutes.
"""

import argparse
import importlib.metadata
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.scrub_speed import plant
from support.git_repos import Repo, git_environment
from support.keys import make_key

FILES, KEYS = 200, 3
NONE, OURS, NB_CLEAN, FAST, SLOW = "no filter", "mistral_nb", "nb-clean", "nbstripout-fast", "nbstripout"
PEERS = ("nb-clean==5.*", "nbstripout-fast", "nbstripout")
HISTORY_BLOBS = 5000


def cpu_seconds(words: Sequence[str], cwd: Path, env: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def notebooks_of(corpus: str | None, peers: Path | None) -> list[bytes]:
    """200 notebooks that every peer takes, the same ones in each run."""
    rng = random.Random(4)
    if corpus is None:
        return [generated(rng, rng.choice([2, 5, 10, 20, 60])) for _ in range(FILES)]
    files = sorted(Path(corpus).rglob("*.ipynb"))
    shuffled = (file.read_bytes() for file in rng.sample(files, len(files)))
    return [data for data in shuffled if taken(data, peers)][:FILES]


def taken(data: bytes, peers: Path | None) -> bool:
    commands = [f"{peers}/bin/nb-clean", "clean"], [f"{peers}/bin/nbstripout-fast"]
    return peers is None or all(
        subprocess.run(words, input=data, capture_output=True).returncode == 0 for words in commands
    )


def generated(rng: random.Random, cells: int) -> bytes:
    """A notebook with code, text, streams, tracebacks, tables and an image now and then."""
    words = ["model", "data", "train", "loss", "import", "mistral", "<b>", "0.25", "return", "x", "=", "(", "\x1b[31m"]

    def lines(count: int) -> list[str]:
        return [" ".join(rng.choices(words, k=rng.randint(3, 12))) + "\n" for _ in range(count)]

    def cell() -> dict[str, object]:
        outputs: list[dict[str, object]] = []
        if rng.random() < 0.5:
            outputs.append({"name": "stdout", "output_type": "stream", "text": lines(rng.randint(1, 80))})
        if rng.random() < 0.2:
            image = "".join(rng.choices("ABCDEFGHIJKLMNOPabcdefghij0123456789+/", k=rng.randint(5_000, 60_000)))
            data = {"image/png": image, "text/plain": ["<Figure>"], "text/html": lines(20)}
            outputs.append({"data": data, "metadata": {}, "output_type": "display_data"})
        code = {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": outputs}
        return {**code, "id": f"{rng.getrandbits(128):032x}"[:8], "source": lines(rng.randint(1, 30))}

    document = {"cells": [cell() for _ in range(cells)], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


class Tool:
    """A repository whose notebooks go through one filter."""

    def __init__(self, name: str, folder: Path, env: dict[str, str], peers: Path) -> None:
        self.name = name
        self.repo = Repo(folder / name, env)
        commands = {
            NB_CLEAN: f"{peers}/bin/nb-clean clean",
            FAST: f"{peers}/bin/nbstripout-fast",
            SLOW: f"{peers}/bin/nbstripout",
        }
        if name == OURS:
            self.repo.protect(local=True)
        elif name in commands:
            self.repo.git("config", "filter.peer.clean", commands[name])
            self.repo.git("config", "filter.peer.smudge", "cat")
            self.repo.git("config", "filter.peer.required", "true")
            self.repo.write(".git/info/attributes", b"*.ipynb filter=peer\n")

    def measure(self, *words: str) -> float:
        return cpu_seconds(["git", *words], self.repo.path, self.repo.env)

    def start_afresh(self) -> None:
        """No index and no objects, the files in place."""
        for name in ("index", "objects"):
            path = self.repo.path / ".git" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        (self.repo.path / ".git/objects").mkdir()


def add_all(tool: Tool) -> float:
    tool.start_afresh()
    return tool.measure("add", ".")


def status_after_touching_all(tool: Tool) -> float:
    tool.repo.touch()
    return tool.measure("status")


def add_one(tool: Tool) -> float:
    (tool.repo.path / "one.ipynb").touch()
    return tool.measure("add", "one.ipynb")


def add_one_with_a_key(tool: Tool) -> float:
    (tool.repo.path / "held.ipynb").touch()
    return tool.measure("add", "held.ipynb")


def checkout_all(tool: Tool) -> float:
    for file in tool.repo.path.glob("*.ipynb"):
        file.unlink()
    return tool.measure("checkout", "--", ".")


def compare(
    what: str, work: Callable[[Tool], float], tools: dict[str, Tool], versus: str, aim: float, rounds: int
) -> None:
    """Our time by another's, the rounds alternating; and everybody's median."""
    for tool in tools.values():
        work(tool)
    times: dict[str, list[float]] = {name: [] for name in tools}
    for _ in range(rounds):
        for name, tool in tools.items():
            times[name].append(work(tool))
    ratio = statistics.median(ours / theirs for ours, theirs in zip(times[OURS], times[versus], strict=True))
    each = "  ".join(f"{name} {statistics.median(taken) * 1000:.0f} ms" for name, taken in times.items())
    print(f"{what:<28} {ratio:5.2f} × {versus:<10} aim {aim:<5} {'ok ' if ratio <= aim else 'NOT'}  {each}")


def git_work(data: list[bytes], folder: Path, env: dict[str, str], options: argparse.Namespace) -> None:
    names = [NONE, OURS, NB_CLEAN, FAST, *([SLOW] if options.slow else [])]
    tools = {name: Tool(name, folder, env, options.peers) for name in names}
    median = sorted(data, key=len)[len(data) // 2]
    print(f"{len(data)} notebooks, {sum(map(len, data)) / 1e6:.1f} MB; the one added has {len(median) / 1e3:.1f} kB")
    for tool in tools.values():
        for number, notebook in enumerate(data):
            tool.repo.write(f"{number:03}.ipynb", notebook)
        tool.repo.write("one.ipynb", median)
        tool.repo.git("add", ".")
        tool.repo.write("held.ipynb", plant(median, options.key.reveal().encode()))  # last: not in the index before
    rounds = options.rounds
    compare("git add of all", add_all, tools, NONE, 1.25, max(3, rounds // 3))
    compare("git status, all touched", status_after_touching_all, tools, NB_CLEAN, 0.4, rounds)
    compare("git add of one", add_one, tools, NB_CLEAN, 3.5, rounds * 3)
    compare("git add of one, a key in it", add_one_with_a_key, tools, NB_CLEAN, 6.0, rounds * 3)
    for tool in tools.values():
        (tool.repo.path / "held.ipynb").unlink()
        tool.repo.git("add", "-A")
    compare("git checkout of all", checkout_all, tools, NONE, 1.9, rounds)


def history(data: list[bytes], folder: Path, env: dict[str, str]) -> None:
    """5000 notebook blobs: ours by the clock over all cores, and what merely reading them costs."""
    repo = Repo(folder / "history", env)
    size = import_history(repo, data)
    repo.git("repack", "-adq")
    print(f"history: {HISTORY_BLOBS} blobs, {size / 1e6:.0f} MB, repacked; {os.cpu_count()} cores")
    scan = [sys.executable, "-m", "mistral_nb", "scan", "--git-history", "--json"]
    taken = []
    for _ in range(3):
        start = time.monotonic()
        done = subprocess.run(scan, cwd=repo.path, env=env, capture_output=True, text=True, check=True)
        taken.append(time.monotonic() - start)
    assert json.loads(done.stdout)["bytes"] == size
    read = "import sys, subprocess; p = subprocess.Popen(sys.argv[1:], stdin=0, stdout=-1).stdout\n"
    read += "while p.read(1 << 20): pass"
    names = repo.git("rev-list", "--objects", "--all", "--filter=object:type=blob")
    blobs = "\n".join(line.split()[0] for line in names.splitlines() if " " in line)
    start = time.monotonic()
    words = [sys.executable, "-c", read, "git", "cat-file", "--batch", "--buffer"]
    subprocess.run(words, cwd=repo.path, env=env, input=blobs, text=True, check=True)
    bare = time.monotonic() - start
    speed = size / statistics.median(taken) / 1e6
    print(
        f"scan --git-history           {speed:5.0f} MB/s  aim 200 {'ok ' if speed >= 200 else 'NOT'}"
        f"  bare cat-file --batch into Python {size / bare / 1e6:.0f} MB/s"
    )


def import_history(repo: Repo, data: list[bytes]) -> int:
    """Commits of 50 notebooks each, every one an edit of one of the corpus; their size in bytes."""
    rng, size, parts = random.Random(5), 0, []
    small = [notebook for notebook in data if 1_000 < len(notebook) < 250_000] or data
    for number in range(HISTORY_BLOBS):
        notebook = small[number % len(small)]
        place = rng.randrange(len(notebook) - 1)
        edited = notebook[:place] + b"edit %d" % number + notebook[place:]
        size += len(edited)
        parts.append(b"blob\nmark :%d\ndata %d\n%s\n" % (number + 1, len(edited), edited))
    for start in range(0, HISTORY_BLOBS, 50):
        head = b"commit refs/heads/main\ncommitter A <a@b.c> %d +0000\ndata 1\nx\n" % (1_700_000_000 + start)
        changes = (b"M 100644 :%d %d.ipynb\n" % (n + 1, n % len(small)) for n in range(start, start + 50))
        parts.append(head + b"".join(changes) + b"\n")
    words = ["git", "fast-import", "--quiet"]
    subprocess.run(words, cwd=repo.path, env=repo.env, input=b"".join(parts), check=True)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", nargs="?")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--only", choices=("git", "history"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.peers is None and options.only != "history":
            options.peers = folder / "peers"
            subprocess.run([sys.executable, "-m", "venv", str(options.peers)], check=True)
            subprocess.run([str(options.peers / "bin/pip"), "install", "-q", *PEERS], check=True)
        env = git_environment(folder)
        options.key, *others = (make_key() for _ in range(KEYS))
        Repo(folder / "any", env).remember(options.key, *others)
        git = subprocess.run(["git", "--version"], capture_output=True, text=True).stdout.split()[2]
        ours = importlib.metadata.version("mistral_nb")
        print(f"mistral_nb {ours}, {KEYS} keys remembered; git {git}; Python {sys.version.split()[0]}")
        data = notebooks_of(options.corpus, options.peers)
        if options.only != "history":
            git_work(data, folder, env, options)
        if options.only != "git":
            history(data, folder, env)


if __name__ == "__main__":
    main()
