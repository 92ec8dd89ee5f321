"""What starting costs: importing the package, loading the extension, a stored key. Ratios of CPU time.

    cd tests && python -m benchmarks.startup            needs dbus-run-session and gnome-keyring-daemon

Each pair is measured alternately; the median of the paired ratios is printed.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROUNDS = 21
_KEEP = """
import sys
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_manager import KeyManager
from mistral_nb.storage.keyring_store import KeyringStore
from mistral_nb.api_key import Key
import random, string
key = Key("".join(random.SystemRandom().choices(string.ascii_letters + string.digits, k=32)))
KeyManager(Index(sys.argv[1]), {"keyring": KeyringStore()}).keep("dev", key, {}, "keyring")
"""
_SHELL = "from IPython.core.interactiveshell import InteractiveShell as S; s = S.instance(); "
_BARE = "import keyring; assert keyring.get_password('mistral-nb:dev', 'Mistral API key')"


def cpu_seconds(words: Sequence[str]) -> float:
    """User and system time of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def inner_cpu_seconds(words: Sequence[str]) -> float:
    """What the process itself printed: the CPU time of the one statement that counts."""
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[-1])


def timed(setup: str, statement: str) -> str:
    """A program that prints the CPU time, of all its threads, of ``statement`` after ``setup``."""
    return f"{setup}import time; t = time.process_time(); {statement}; print(); print(time.process_time() - t)"


def compare(
    name: str, ours: str, theirs: str, aim: str, measure: Callable[[Sequence[str]], float] = cpu_seconds
) -> None:
    words = {code: [sys.executable, "-c", code] for code in (ours, theirs)}
    measure(words[ours])
    pairs = [(measure(words[ours]), measure(words[theirs])) for _ in range(ROUNDS)]
    ratio = statistics.median(a / b for a, b in pairs)
    extra = statistics.median(a - b for a, b in pairs) * 1000
    base = statistics.median(b for _, b in pairs) * 1000
    print(f"{name:<46} {ratio:5.2f} ×   {extra:+6.1f} ms on {base:6.1f} ms   aim: {aim}")


def main() -> None:
    if "DBUS_SESSION_BUS_ADDRESS" not in os.environ or "INSIDE" not in os.environ:
        _again_with_a_keyring()
        return
    home = os.environ["MISTRAL_NB_HOME"]
    subprocess.run([sys.executable, "-c", _KEEP, home], check=True)
    print(json.dumps({"python": sys.version.split()[0], "rounds": ROUNDS}))
    compare("import mistral_nb : import argparse", "import mistral_nb", "import argparse", "1.3 ×")
    empty = _SHELL + "import types, sys; m = types.ModuleType('empty'); m.load_ipython_extension = lambda ip: None; "
    empty += "sys.modules['empty'] = m; s.run_line_magic('load_ext', 'empty')"
    compare(
        "%load_ext mistral_nb : an empty extension",
        _SHELL + "s.run_line_magic('load_ext', 'mistral_nb')",
        empty,
        "+30 ms",
    )
    shell = _SHELL + "s.run_line_magic('load_ext', 'mistral_nb'); "
    ours = timed(shell, "s.run_line_magic('mistral_key', 'switch dev')")
    compare("%mistral_key, stored : keyring.get_password", ours, timed(shell, _BARE), "1.5 ×", inner_cpu_seconds)


def _again_with_a_keyring() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "run").mkdir(mode=0o700)
        env = os.environ | {
            "INSIDE": "1",
            "HOME": folder,
            "XDG_DATA_HOME": folder,
            "XDG_RUNTIME_DIR": str(Path(folder, "run")),
            "IPYTHONDIR": str(Path(folder, "ipython")),
            "MISTRAL_NB_HOME": str(Path(folder, "kept")),
        }
        env.pop("MISTRAL_API_KEY", None)
        unlock = 'printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null; exec "$@"'
        words = ["dbus-run-session", "--", "bash", "-c", unlock, "bash", sys.executable, str(Path(__file__).resolve())]
        subprocess.run(words, env=env, cwd=folder, check=True)


if __name__ == "__main__":
    main()
