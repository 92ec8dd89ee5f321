"""What the guard costs: packing one message, and a cell from execute to idle; on and off alternate in one run.

    cd tests && python -m benchmarks.guard

CPU time in both, of the packing and of the kernel's whole process; wall time beside it, end to end.
"""

import base64
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from jupyter_client.session import Session

from mistral_nb.api_key import Key
from mistral_nb.guard.known_secrets import ProcessSecrets
from mistral_nb.guard.session_wrapper import GuardedSession
from mistral_nb.guard.text_matcher import TextMatcher
from support.kernels import RealKernel, clean_environment, start_kernel
from support.keys import make_text

ROUNDS = 15
TEXT = " ".join(Path(__file__).parent.joinpath(name).read_text() for name in ("guard.py", "startup.py"))


def prose(size: int) -> str:
    return (TEXT * (size // len(TEXT) + 1))[:size]


def table(size: int) -> str:
    row = "<tr><th>{0}</th><td>{1:.6f}</td><td>some words {0}</td></tr>\n"
    rng = random.Random(1)
    return "".join(row.format(n, rng.random()) for n in range(size // 60))


def image(size: int) -> str:
    return base64.b64encode(random.Random(2).randbytes(size * 3 // 4)).decode()


def numbers(size: int) -> str:
    rng = random.Random(3)
    return "\n".join(str(rng.random()) for _ in range(size // 20))


KINDS: dict[str, Callable[[int], str]] = {
    "source text": prose,
    "HTML table": table,
    "numbers": numbers,
    "base64": image,
}


def cpu(function: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        function()
    return (time.process_time() - start) / times


def packing() -> None:
    print("\npacking one message: serialize with the guard, over the same without; one key known")
    print(f"{'packer':<8}{'size':>9}  {'content':<12} {'off, µs':>10} {'on, µs':>10} {'ratio':>7} {'ms/MB more':>11}")
    for packer in ("json", "orjson"):
        session = Session(key=b"k", packer=packer)
        plain, known = session.serialize, ProcessSecrets()
        known.add(Key(make_text(random.Random(4))))
        GuardedSession(session, known)
        for size in (100, 10_000, 1_000_000):
            for kind, make in KINDS.items():
                message = session.msg("display_data", {"data": {"text/plain": make(size)}, "metadata": {}})
                times = max(1, 300_000 // size)
                pairs = [
                    (cpu(partial(plain, message), times), cpu(partial(session.serialize, message), times))
                    for _ in range(ROUNDS)
                ]
                off, on = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
                ratio = statistics.median(b / a for a, b in pairs)
                extra = f"{(on - off) / 1000 * 1e6 / size:>11.2f}" if size >= 10_000 else f"{'':>11}"
                print(f"{packer:<8}{size:>9}  {kind:<12} {off:>10.1f} {on:>10.1f} {ratio:>6.2f}× {extra}")


def many_keys() -> None:
    print("\nsearching one message, by the number of keys that are known")
    print(f"{'keys':>5} {'100 bytes, µs':>14} " + " ".join(f"{kind + ', ms/MB':>22}" for kind in KINDS))
    messages = {kind: json.dumps({"data": {"text/plain": make(1_000_000)}}).encode() for kind, make in KINDS.items()}
    small = json.dumps({"name": "stdout", "text": prose(70)}).encode()
    rng = random.Random(5)
    for count in (1, 4, 10, 100, 1000):
        matcher = TextMatcher([Key(make_text(rng)) for _ in range(count)])
        tiny = statistics.median(cpu(partial(matcher.redact_packed, small), 2000) for _ in range(ROUNDS)) * 1e6
        large = [
            statistics.median(cpu(partial(matcher.redact_packed, data), 1) for _ in range(ROUNDS)) * 1e9 / len(data)
            for data in messages.values()
        ]
        print(f"{count:>5} {tiny:>14.1f} " + " ".join(f"{each:>22.2f}" for each in large))


CELLS = {
    "x = 1": "x = 1",
    "a result": "{'a': [1, 2, 3]}",
    "ten prints": "for n in range(10): print('line', n)",
    "a display": "display(HTML('<b>x</b>' * 50))",
    "an error": "1/0",
    "a million characters, streamed": "print(big)",
    "a million characters, displayed": "display({'text/plain': big}, raw=True)",
    "an image of a megabyte": "display({'image/png': image}, raw=True)",
    "20,000 lines": "for n in range(20_000): print('line', n)",
}
PRELUDE = (
    "import base64, os, random\nfrom IPython.display import HTML, display\n"
    "big = ' '.join(str(random.random()) for n in range(53_000))[:1_000_000]\n"
    "image = base64.b64encode(random.randbytes(750_000)).decode()"
)


def used(kernel: RealKernel) -> float:
    """CPU seconds of all threads of the kernel's process; Linux has them by the nanosecond."""
    threads = Path(f"/proc/{kernel.pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def once(kernel: RealKernel, code: str, times: int) -> tuple[float, float]:
    """CPU and wall seconds of one cell, from execute to idle."""
    start, before = time.monotonic(), used(kernel)
    for _ in range(times):
        kernel.client.execute_interactive(code, output_hook=lambda _: None, allow_stdin=False, store_history=True)
    return (used(kernel) - before) / times, (time.monotonic() - start) / times


def end_to_end(packer: str) -> None:
    print(f"\nexecute to idle, packed by {packer}: with the guard, over without")
    with tempfile.TemporaryDirectory() as folder:
        env = clean_environment(folder, MISTRAL_API_KEY=make_text())
        profile = Path(env["IPYTHONDIR"], "profile_default")
        profile.mkdir(parents=True)
        (profile / "ipython_kernel_config.py").write_text(f"get_config().Session.packer = {packer!r}\n")
        with start_kernel(env) as kernel:
            kernel.run(PRELUDE)
            for name, code in CELLS.items():
                compare(kernel, name, code)


def compare(kernel: RealKernel, name: str, code: str) -> None:
    times = 60 if len(code) < 45 and "big" not in code and "image" not in code and "000" not in code else 8
    pairs = []
    for _ in range(7):
        kernel.run("%unload_ext mistral_nb")
        off = once(kernel, code, times)
        kernel.run("%load_ext mistral_nb")
        pairs.append((off, once(kernel, code, times)))
    for n, kind in enumerate(("CPU", "wall")):
        off_median = statistics.median(a[n] for a, _ in pairs) * 1000
        ratio = sum(b[n] for _, b in pairs) / max(sum(a[n] for a, _ in pairs), 1e-9)
        print(f"{name:<34} {kind:<5} {off_median:>8.2f} ms  {ratio:>5.2f}×")


if __name__ == "__main__":
    names = ("ipykernel", "ipython", "jupyter_client", "orjson")
    print(json.dumps({"python": platform.python_version()} | {name: version(name) for name in names}))
    packing()
    many_keys()
    for each in ("json", "orjson"):
        end_to_end(each)
