"""The save hook's share of a real save: HTTP, jupyter_server, nbformat and the disk together.

    cd tests && python -m benchmarks.save_hook [FOLDER]    notebooks below FOLDER; without one, made here

Each notebook is saved by the contents API of a real server, as JupyterLab does it, the hook's own
time noted by a clock around it. Aim: at most 8 % of the save at the median, 15 % at p90.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mistral_nb.storage.index import Index, make_remembered
from support.jupyter_servers import RunningServer, notebook, start_server
from support.kernels import clean_environment
from support.keys import make_key

ROUNDS = 5
AIMS = (8.0, 15.0)
_TIMED = """
import atexit, time, sys
from mistral_nb.jupyter import save_hook
original, taken = save_hook.ContentsManagerGuard.clean_before_save, [0.0]
def timed(self, model, path):
    started = time.perf_counter()
    try:
        return original(self, model, path)
    finally:
        print("HOOK", path, time.perf_counter() - started, flush=True)
save_hook.ContentsManagerGuard.clean_before_save = timed
save = save_hook.ContentsManagerGuard.install
def install(self):
    save(self)
    inner = self.manager.save
    async def outer(*args, **kwargs):
        started = time.perf_counter()
        try:
            return await inner(*args, **kwargs)
        finally:
            print("SAVE", args[1] if len(args) > 1 else kwargs.get("path"), time.perf_counter() - started, flush=True)
    self.manager.save = outer
save_hook.ContentsManagerGuard.install = install
from jupyter_server.serverapp import main
main()
"""


def made(rng: random.Random) -> list[dict[str, object]]:
    """Notebooks of the sizes that people have: median 18 kB, up to 2 MB."""
    sizes = [int(18_000 * 2 ** rng.gauss(0, 2)) for _ in range(60)]
    return [_of_size(min(size, 2_000_000), rng) for size in sizes]


def _of_size(size: int, rng: random.Random) -> dict[str, object]:
    cells = [f"x_{n} = model.fit(data[{n}])  # {rng.random()}\n" * 8 for n in range(max(1, size // 800))]
    image = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBORw0KGgo" * (size // 22)}}
    return notebook(*cells, outputs=[image])


def found(folder: Path) -> list[dict[str, object]]:
    notebooks = []
    for file in sorted(folder.rglob("*.ipynb")):
        with contextlib.suppress(ValueError, OSError):
            content = json.loads(file.read_bytes())
            if content.get("nbformat") == 4:
                notebooks.append(content)
    return random.Random(1).sample(notebooks, min(200, len(notebooks)))


def save_all(server: RunningServer, notebooks: list[dict[str, object]]) -> list[float]:
    """The time of each PUT, as the client sees it."""
    times = []
    for number, content in enumerate(notebooks):
        started = time.perf_counter()
        reply = server.save(f"n{number}.ipynb", content)
        times.append(time.perf_counter() - started)
        assert reply.status in (200, 201), reply
    return times


def main() -> None:
    notebooks = found(Path(sys.argv[1])) if len(sys.argv) > 1 else made(random.Random(1))
    with tempfile.TemporaryDirectory() as folder:
        env = clean_environment(folder)
        with Index(env["MISTRAL_NB_HOME"]).edit() as contents:
            contents.remembered.update(
                {key.fingerprint: make_remembered(key) for key in (make_key() for _ in range(50))}
            )
        program = _TIMED.format(tests=str(Path(__file__).parent.parent))
        with start_server(env, Path(folder, "served"), program=program) as server:
            save_all(server, notebooks)
            clients = [time for _ in range(ROUNDS) for time in save_all(server, notebooks)]
            log = server.log
    shares = shares_in(log)[len(notebooks) :]
    told("of the contents manager's save", [hook / save for hook, save in shares])
    told("of the whole request", [hook / whole for (hook, _), whole in zip(shares, clients, strict=True)])
    hooks = [hook for hook, _ in shares]
    print(f"the hook itself: median {1000 * statistics.median(hooks):.2f} ms, longest {1000 * max(hooks):.1f} ms")
    print(
        f"{len(notebooks)} notebooks × {ROUNDS}, 50 remembered keys, every tier on; Python {platform.python_version()}"
    )
    print(
        "Python",
        platform.python_version(),
        *(f"{name} {importlib.metadata.version(name)}" for name in ("jupyter_server", "nbformat", "mistral_nb")),
    )


def shares_in(log: str) -> list[tuple[float, float]]:
    """For each save, the hook's time and the whole; a long search runs in a thread, and then the hook is a glance."""
    shares, hook = [], 0.0
    for kind, seconds in re.findall(r"^(HOOK|SAVE) \S+ (\S+)$", log, re.MULTILINE):
        hook += float(seconds) if kind == "HOOK" else 0.0
        if kind == "SAVE":
            shares.append((hook, float(seconds)))
            hook = 0.0
    assert shares
    return shares


def told(name: str, shares: list[float]) -> None:
    ordered = sorted(shares)
    median, p90 = (100 * ordered[int(len(ordered) * q)] for q in (0.5, 0.9))
    print(f"{name:<32} median {median:5.1f} %   p90 {p90:5.1f} %   aim: at most {AIMS[0]:.0f} and {AIMS[1]:.0f}")


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
