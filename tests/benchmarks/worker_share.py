"""What `mistral_nb.share` costs on a cluster of two processes, and what a task costs with and without it.

    cd tests && python -m benchmarks.worker_share      aims: shared in less than 1 s; no difference a task

Tasks are run in turns on two clusters, one with a share; the median of the paired ratios is printed.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

from distributed import Client

import mistral_nb
from benchmarks.one_call import make_key
from mistral_nb import environment
from support.dask_clusters import start_cluster
from support.dask_tasks import tail_after, tail_here

ROUNDS, TASKS, SHARES = 21, 500, 9


def seconds_of_tasks(client: Client) -> float:
    start = time.perf_counter()
    client.gather(client.map(tail_after, [0] * TASKS, range(TASKS), pure=False))
    return time.perf_counter() - start


def seconds_of_a_pair(shared: Client, plain: Client, shared_first: bool) -> tuple[float, float]:
    if shared_first:
        return seconds_of_tasks(shared), seconds_of_tasks(plain)
    other = seconds_of_tasks(plain)
    return seconds_of_tasks(shared), other


def share_once(client: Client) -> float:
    start = time.perf_counter()
    share = mistral_nb.share(client)
    taken = time.perf_counter() - start
    share.stop()
    return taken


def seconds_of_a_rotation(client: Client) -> float:
    key = make_key()
    start = time.perf_counter()
    environment.activate(key, "dev", "a benchmark")
    while set(client.run(tail_here).values()) != {key.tail}:
        time.sleep(0.002)
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MISTRAL_NB_HOME"] = str(Path(folder) / "home")
        for name in ("with", "without"):
            (Path(folder) / name).mkdir()
        with (
            start_cluster(Path(folder) / "with") as shared_cluster,
            start_cluster(Path(folder) / "without") as plain_cluster,
            Client(shared_cluster.address) as shared,
            Client(plain_cluster.address) as plain,
        ):
            for client in (shared, plain):
                client.wait_for_workers(2)
            environment.activate(make_key(), "dev", "a benchmark")
            first = share_once(shared)
            times = [share_once(shared) for _ in range(SHARES)]
            with mistral_nb.share(shared):
                for client in (shared, plain):
                    seconds_of_tasks(client)
                pairs = [seconds_of_a_pair(shared, plain, number % 2 == 0) for number in range(ROUNDS)]
                rotations = [seconds_of_a_rotation(shared) for _ in range(SHARES)]
    ratio = statistics.median(one / other for one, other in pairs)
    each = statistics.median(one for one, _ in pairs) / TASKS * 1000
    print(f"shared: {first:.2f} s the first time, then {statistics.median(times):.3f} s (median of {SHARES})")
    print(f"a rotation is on both workers after {statistics.median(rotations):.3f} s")
    print(f"a task: {each:.2f} ms, {ratio:.3f} × of one without a share (median of {ROUNDS} pairs)")


if __name__ == "__main__":
    main()
