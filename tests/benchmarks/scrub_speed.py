# ruff: noqa: E402, the tests' folders come onto the path first
"""Speed, memory and false alarms of the scrub engine, against peers where they are installed.

    python tests/benchmarks/scrub_speed.py [FOLDER]    or MISTRAL_NB_CORPUS=FOLDER; default: generated notebooks
    MISTRAL_NB_PEERS=/venv/bin                         where nb-clean, nbstripout and kingfisher are

CPU seconds of one core, user and system, the best of three runs; the engine's in one process with the
files in memory, the peers' of their process, reading the files. Ratios hold, absolute times do not.
"""

import glob
import os
import platform
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable

sys.path[:0] = [os.path.join(os.path.dirname(__file__), ".."), os.path.join(os.path.dirname(__file__), "..", "scrub")]

from generated import notebooks
from keys import make_key

from mistral_nb import __version__
from mistral_nb.scrub import redact
from mistral_nb.scrub.quiet import images, without
from mistral_nb.store.index import Seen
from mistral_nb.watch import Watchlist

_RUN = re.compile(rb"[A-Za-z0-9]{32}")
_SOURCE = re.compile(rb'"source":\s*\[\s*"')
_RNG = random.Random(1)
KEYS = [make_key(_RNG) for _ in range(50)]
WATCHLIST = Watchlist(remembered=tuple(Seen(k.fingerprint, k.length, k.tail, "live", "") for k in KEYS))


def main(argv: list[str]) -> int:
    folder = argv[0] if argv else os.environ.get("MISTRAL_NB_CORPUS", "")
    with tempfile.TemporaryDirectory() as temporary:
        if not folder:
            folder = temporary
            notebooks(folder, random.Random(0))
        names = sorted(glob.glob(os.path.join(folder, "**", "*.ipynb"), recursive=True))
        print(f"mistral_nb {__version__}, Python {platform.python_version()}, {platform.machine()}")
        print(
            f"{len(names)} notebooks, {sum(map(os.path.getsize, names)) / 1e6:.1f} MB, 50 remembered keys, all tiers\n"
        )
        measure_memory(names)
        measure_engine([read(name) for name in names])
        measure_peers(names)
    return 0


def measure_memory(names: list[str]) -> None:
    before = peak()
    for name in names:
        redact(read(name), WATCHLIST)
    largest = max(map(os.path.getsize, names)) / 2**20
    print(f"peak memory {peak():.0f} MiB ({before:.0f} before the first file; the largest has {largest:.1f})\n")


def measure_engine(files: list[bytes]) -> None:
    bare = [without(data, images(data)) for data in files]
    quiet = [data for data, text in zip(files, bare, strict=True) if not _RUN.search(text)]
    quietest = [data for data in files if not _RUN.search(data)]
    planted = [plant(data, _RNG.choice(KEYS).reveal().encode()) for data in files]
    row("open, read, one find (in memory)", files, lambda: [data.find(b"AbCdEfGh") for data in files])
    row("all files", files, lambda: [redact(data, WATCHLIST) for data in files])
    row("without 32 alphanumerics outside images", quiet, lambda: [redact(data, WATCHLIST) for data in quiet])
    row("without 32 alphanumerics anywhere", quietest, lambda: [redact(data, WATCHLIST) for data in quietest])
    row("a key in every file", planted, lambda: [redact(data, WATCHLIST) for data in planted])
    found = [finding for data in files for finding in redact(data, WATCHLIST).findings]
    print(f"\nfalse alarms: {len(found)}")
    left = sum(any(k.reveal().encode() in redact(data, WATCHLIST).data for k in KEYS) for data in planted)
    print(f"planted keys left: {left} of {len(planted)}\n")


def plant(data: bytes, key: bytes) -> bytes:
    match = _SOURCE.search(data)
    at = match.end() if match else len(data)
    return data[:at] + b"key = '" + key + b"' " + data[at:]


def measure_peers(names: list[str]) -> None:
    size = sum(map(os.path.getsize, names))
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(names):
            shutil.copy(name, os.path.join(folder, f"{number}.ipynb"))
        files = glob.glob(os.path.join(folder, "*.ipynb"))
        for title, command in (
            ("nb-clean check", ["nb-clean", "check", *files]),
            ("kingfisher", ["kingfisher", "scan", "--no-validate", "--quiet", "--jobs", "1", folder]),
            ("nbstripout --dry-run", ["nbstripout", "--dry-run", *files]),
        ):
            program = shutil.which(command[0], path=os.environ.get("MISTRAL_NB_PEERS", os.environ["PATH"]))
            if not program:
                print(f"{title:44} not installed")
                continue
            seconds = cpu_of([program, *command[1:]])
            print(f"{title:44} {seconds * 1e3:8.0f} ms {size / seconds / 1e9:7.3f} GB/s   {version_of(program)}")


def cpu_of(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def version_of(program: str) -> str:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return (shown.strip().splitlines() or [""])[0]


def row(title: str, files: Iterable[bytes], work: Callable[[], object]) -> None:
    size = sum(map(len, files))
    best = 9e9
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    print(f"{title:44} {best * 1e3:8.1f} ms {size / best / 1e9:7.3f} GB/s   {size / 1e6:.1f} MB")


def read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
