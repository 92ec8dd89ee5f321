"""Speed and false alarms of the engine, and of `scan` as a whole process beside its peers.

    cd tests && python -m benchmarks.scrub_speed [FOLDER]    or MISTRAL_NB_CORPUS=FOLDER; default: generated notebooks
    MISTRAL_NB_PEERS=/venv/bin                         where nb-clean, nbstripout and kingfisher are

CPU seconds, user and system. In memory: of one core, the best of five, the rows in turn. Whole processes: from start to
exit, reading the files, on one core, ours and a peer's in turn; the median of the paired ratios. Ratios hold, absolute
times do not. A peer that removes outputs looks for no keys; kingfisher does.
"""

import glob
import os
import platform
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.generated import notebooks
from mistral_nb import __version__
from mistral_nb.redaction.images import find_images, remove_spans
from mistral_nb.redaction.redact import redact
from mistral_nb.storage.index import Index, make_remembered
from mistral_nb.watchlist import Watchlist
from support.keys import make_key

_RUN = re.compile(rb"[A-Za-z0-9]{32}")
_SOURCE = re.compile(rb'"source":\s*\[\s*"')
_RNG = random.Random(1)
_SCRIPT = str(Path(sys.executable).with_name("mistral-nb"))
KEYS = [make_key(_RNG) for _ in range(1000)]
ROUNDS = 5


def remembers(count: int) -> Watchlist:
    return Watchlist(remembered=tuple(make_remembered(key) for key in KEYS[:count]))


WATCHLIST = remembers(50)


def main(argv: list[str]) -> int:
    folder = argv[0] if argv else os.environ.get("MISTRAL_NB_CORPUS", "")
    with tempfile.TemporaryDirectory() as temporary:
        if not folder:
            folder = temporary
            notebooks(folder, random.Random(0))
        names = sorted(glob.glob(os.path.join(folder, "**", "*.ipynb"), recursive=True))
        size = sum(map(os.path.getsize, names))
        print(f"mistral_nb {__version__}, Python {platform.python_version()}, {platform.machine()}")
        print(f"{len(names)} notebooks, {size / 1e6:.1f} MB, of {describe(folder, names, made=folder == temporary)}\n")
        measure_engine([read(name) for name in names])
        measure_processes(names)
    return 0


def describe(folder: str, names: list[str], made: bool) -> str:
    """What the corpus consists of."""
    parts = sorted({os.path.relpath(name, folder).split(os.sep)[0] for name in names})
    return "generated ones" if made else ", ".join(parts[:12]) + (" and others" if len(parts) > 12 else "")


def measure_engine(files: list[bytes]) -> None:
    bare = [remove_spans(data, find_images(data)) for data in files]
    quiet = [data for data, text in zip(files, bare, strict=True) if not _RUN.search(text)]
    quietest = [data for data in files if not _RUN.search(data)]
    planted = [plant(data, _RNG.choice(KEYS[:50]).reveal().encode()) for data in files]
    rows: dict[str, tuple[list[bytes], Callable[[bytes], object]]] = {
        "open, read, one find (in memory)": (files, lambda data: data.find(b"AbCdEfGh")),
        "without 32 alphanumerics outside images": (quiet, lambda data: redact(data, WATCHLIST)),
        "without 32 alphanumerics anywhere": (quietest, lambda data: redact(data, WATCHLIST)),
        "a key in every file": (planted, lambda data: redact(data, WATCHLIST)),
    }
    for count in (0, 50, 1000):
        rows[f"all files, {count} remembered keys"] = files, partial(_redact_with, remembers(count))
    for count in (1, 5):
        rows[f"all files, {count} known"] = files, partial(_redact_with, Watchlist(known=tuple(KEYS[:count])))
    best = dict.fromkeys(rows, 9e9)
    for _ in range(ROUNDS):
        for title, (data, work) in rows.items():
            best[title] = min(best[title], cpu_of_each(data, work))
    for title, seconds in best.items():
        size = sum(map(len, rows[title][0]))
        print(f"{title:44} {seconds * 1e3:8.1f} ms {size / seconds / 1e9:7.3f} GB/s   {size / 1e6:.1f} MB")
    found = [finding for data in files for finding in redact(data, WATCHLIST).findings]
    print(f"\nfalse alarms: {len(found)}")
    left = sum(any(k.reveal().encode() in redact(data, WATCHLIST).data for k in KEYS[:50]) for data in planted)
    print(f"planted keys left: {left} of {len(planted)}\n")


def _redact_with(watchlist: Watchlist, data: bytes) -> object:
    return redact(data, watchlist)


def cpu_of_each(files: list[bytes], work: Callable[[bytes], object]) -> float:
    start = time.process_time()
    for data in files:
        work(data)
    return time.process_time() - start


def plant(data: bytes, key: bytes) -> bytes:
    match = _SOURCE.search(data)
    at = match.end() if match else len(data)
    return data[:at] + b"key = '" + key + b"' " + data[at:]


def measure_processes(names: list[str]) -> None:
    size = sum(map(os.path.getsize, names))
    with tempfile.TemporaryDirectory() as folder:
        home = os.path.join(folder, "home")
        with Index(home).edit() as contents:
            contents.remembered.update({key.fingerprint: make_remembered(key) for key in KEYS[:50]})
        os.mkdir(os.path.join(folder, "files"))
        for number, name in enumerate(names):
            shutil.copy(name, os.path.join(folder, "files", f"{number}.ipynb"))
        files = sorted(glob.glob(os.path.join(folder, "files", "*.ipynb")))
        env = {name: value for name, value in os.environ.items() if not name.startswith("MISTRAL")}
        env["MISTRAL_NB_HOME"] = home
        scan = partial(cpu_of, [_SCRIPT, "scan", *files], env)
        mine = [scan() for _ in range(2)][-1]
        print(f"{'mistral-nb scan':44} {mine * 1e3:8.0f} ms {size / mine / 1e9:7.3f} GB/s   as a whole process")
        for title, command in (
            ("nb-clean check", ["nb-clean", "check", *files]),
            (
                "kingfisher",
                ["kingfisher", "scan", "--no-validate", "--quiet", "--jobs", "1", os.path.dirname(files[0])],
            ),
            ("nbstripout --dry-run", ["nbstripout", "--dry-run", *files]),
        ):
            program = shutil.which(command[0], path=os.environ.get("MISTRAL_NB_PEERS", os.environ["PATH"]))
            if not program:
                print(f"{title:44} not installed")
                continue
            peer = partial(cpu_of, [program, *command[1:]], env)
            peer()
            pairs = [(scan(), peer()) for _ in range(ROUNDS)]
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            seconds = statistics.median(theirs for _, theirs in pairs)
            print(
                f"{title:44} {seconds * 1e3:8.0f} ms {size / seconds / 1e9:7.3f} GB/s   "
                f"ours takes {ratio:.2f} × of it   {version_of(program)}"
            )


def cpu_of(command: list[str], env: dict[str, str]) -> float:
    """CPU seconds of a process and its children, on one core where the system can hold it there."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pinned = ["taskset", "-c", "0", *command] if shutil.which("taskset") else command
    subprocess.run(pinned, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def version_of(program: str) -> str:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return (shown.strip().splitlines() or [""])[0]


def read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
