"""A real scheduler and real workers of Dask, each a process of its own, with nannies."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from support import TESTS
from support.kernels import clean_environment
from support.patience import PATIENCE, wait_for

_SCHEDULER = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
_WORKER = ("distributed.cli.dask_worker", "--host", "127.0.0.1", "--no-dashboard", "--nthreads", "2")


class DaskCluster:
    """``folder`` has what each process wrote to stdout and stderr. All of them end with the ``with`` block."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = {**environ, "PYTHONPATH": str(TESTS)}  # for support.dask_tasks
        self.processes: list[subprocess.Popen[bytes]] = []
        self._file = folder / "scheduler.json"
        self._start("scheduler", *_SCHEDULER, "--dashboard-address", "127.0.0.1:0")
        wait_for(lambda: self._file.exists() and self.address, 30)

    @property
    def address(self) -> str:
        with contextlib.suppress(ValueError):  # half written
            return json.loads(self._file.read_text())["address"]
        return ""

    @property
    def dashboard(self) -> str:
        port = json.loads(self._file.read_text())["services"]["dashboard"]
        return f"http://127.0.0.1:{port}"

    def add_worker(self, name: str, *words: str, **variables: str) -> None:
        """Start a worker; it joins later."""
        self._start(name, *_WORKER, "--name", name, *words, **variables)

    def _start(self, name: str, module: str, *words: str, **variables: str) -> None:
        with open(self.folder / f"{name}.out.log", "wb") as out, open(self.folder / f"{name}.err.log", "wb") as err:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", module, "--scheduler-file", str(self._file), *words],
                    env=self.environ | variables,
                    cwd=self.folder,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            )

    def end(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5 * PATIENCE)
            with contextlib.suppress(ProcessLookupError):  # its nanny's worker, if that still runs
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def start_cluster(folder: Path, *, workers: int = 2) -> Iterator[DaskCluster]:
    cluster = DaskCluster(folder, clean_environment(folder))
    try:
        for number in range(workers):
            cluster.add_worker(f"worker-{number}")
        yield cluster
    finally:
        cluster.end()
