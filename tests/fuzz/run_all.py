"""Runs every harness for so many seconds, with atheris installed: ``python tests/fuzz/run_all.py [SECONDS] [NAME…]``.

The order of its inputs comes from a seed, which is fixed; ``MISTRAL_NB_TEST_SEED=new`` takes another.
An input that fails stays in the working directory as ``crash-…``: it becomes a line of test_fuzz_finds.py.
"""

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
HARNESSES = sorted(path.stem for path in HERE.glob("fuzz_*.py"))


def main(seconds: int = 20, *names: str) -> int:
    environ = os.environ | {"PYTHONPATH": str(HERE.parent)}
    failed = []
    for name in names or HARNESSES:
        with tempfile.TemporaryDirectory() as folder:
            for number, data in enumerate(_first_inputs(name)):
                Path(folder, str(number)).write_bytes(data)
            command = [sys.executable, str(HERE / f"{name}.py"), *libfuzzer_options(seconds, os.environ), folder]
            done = subprocess.run(command, env=environ, capture_output=True, text=True, errors="replace")
        inputs = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        print(
            f"{name}: {'fine' if done.returncode == 0 else 'FAILED'}, {inputs[0] if inputs else '?'} inputs", flush=True
        )
        if done.returncode:
            failed.append(name)
            print(done.stdout[-4000:] + done.stderr[-4000:])
    return 1 if failed else 0


def libfuzzer_options(seconds: int, environ: Mapping[str, str]) -> list[str]:
    seed = environ.get("MISTRAL_NB_TEST_SEED", "1")
    return [
        *(f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20", "-print_final_stats=1"),
        f"-seed={0 if seed == 'new' else seed}",  # 0: one of libFuzzer's own
    ]


def _first_inputs(name: str) -> tuple[bytes, ...]:
    if name == "fuzz_redaction":
        return tuple(path.read_bytes() for path in sorted((HERE / "seeds").iterdir()))
    return tuple(importlib.import_module(f"fuzz.{name}").SEEDS)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, *sys.argv[2:]))
