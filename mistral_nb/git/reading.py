"""Blobs read and looked through on all cores: each process has a ``git cat-file --batch`` of its own.

A process holds one blob at a time. It prints a line of JSON a finding, an unreadable object, or some progress.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mistral_nb.git.plumbing import START, Git
from mistral_nb.scrub.findings import ALL_TIERS, REPORTED, Finding

COUNTED = ALL_TIERS | {REPORTED}
_PIECE = 32  # blobs next to each other in history are alike, and read fast one after the other
_FEW = 64  # blobs for which a further process does not pay
_TELL_AFTER = 4_000_000  # bytes
_MOST_PROCESSES = 8


class Progress(NamedTuple):
    blobs: int
    bytes: int


class Holds(NamedTuple):
    """A blob with keys."""

    blob: str
    findings: tuple[Finding, ...]


class Unreadable(NamedTuple):
    blob: str


Event = Progress | Holds | Unreadable


def look_through(git: Git, blobs: Sequence[str], *, processes: int | None = None) -> Iterator[Event]:
    """What is in the blobs, in no order. Closing the iterator ends the processes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = processes or max(1, min(cores, _MOST_PROCESSES, len(blobs) // _FEW))
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_worker(git, part, lines)) for part in _parts(blobs, count) if part]
        left = len(workers)
        while left:
            line = lines.get()
            if line is None:
                left -= 1
                continue
            yield _event(json.loads(line))
        for worker in workers:
            if worker.wait():
                raise RuntimeError("a process that reads history ended early")


def main() -> None:
    """One of the processes: ``… ROOT FOLDER``, names of blobs on standard input."""
    from mistral_nb.scrub import redact
    from mistral_nb.watch import gather

    watchlist = gather(sys.argv[2])
    out, read, size = sys.stdout.buffer, 0, 0
    try:
        for name, data in _contents(sys.stdin.buffer.read().split()):
            if data is None:
                _tell(out, {"unreadable": name})
                continue
            findings = [f for f in redact(data, watchlist).findings if f.tier in COUNTED]
            if findings:
                _tell(out, {"blob": name, "findings": findings})
            read, size = read + 1, size + len(data)
            if size >= _TELL_AFTER:
                _tell(out, {"read": read, "bytes": size})
                read = size = 0
        _tell(out, {"read": read, "bytes": size})
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)


def _contents(names: list[bytes]) -> Iterator[tuple[str, bytes | None]]:
    """Each blob's content, None for one that can't be read; an object that is none is left out."""
    done = 0
    while done < len(names):
        with tempfile.TemporaryFile() as wanted:
            wanted.write(b"\n".join(names[done:]) + b"\n")
            wanted.seek(0)
            words = ["git", "cat-file", "--batch", "--buffer"]
            with subprocess.Popen(words, stdin=wanted, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                assert process.stdout  # noqa: S101, for the type checker
                for head in iter(process.stdout.readline, b""):
                    name, kind, *size = head.split()
                    data = process.stdout.read(int(size[0])) if size else None
                    if data is not None and len(data) < int(size[0]):
                        break
                    if size:
                        process.stdout.read(1)
                    done += 1
                    if kind in (b"blob", b"missing"):
                        yield name.decode(), data
        if done < len(names):  # git ends at an object that is damaged
            yield names[done].decode(), None
            done += 1


def _parts(blobs: Sequence[str], count: int) -> list[list[str]]:
    pieces = [blobs[start : start + _PIECE] for start in range(0, len(blobs), _PIECE)]
    return [[blob for piece in pieces[number::count] for blob in piece] for number in range(count)]


@contextlib.contextmanager
def _worker(
    git: Git, blobs: Sequence[str], lines: "queue.SimpleQueue[bytes | None]"
) -> Iterator["subprocess.Popen[bytes]"]:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = f"{START}from mistral_nb.git.reading import main; main()"
    with tempfile.TemporaryFile() as names:
        names.write("\n".join(blobs).encode())
        names.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", code, root, git.folder],
            stdin=names,
            stdout=subprocess.PIPE,
            cwd=git.folder,
            env=git.environ | {"GIT_NO_LAZY_FETCH": "1"},
            process_group=0,  # Ctrl-C is for us, who end it; it would show a traceback while it starts
        )

    def listen() -> None:
        assert process.stdout  # noqa: S101, for the type checker
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
        listener.join()
        if process.stdout:
            process.stdout.close()


def _event(line: dict[str, Any]) -> Event:
    if "unreadable" in line:
        return Unreadable(line["unreadable"])
    if "blob" in line:
        return Holds(line["blob"], tuple(Finding(*finding) for finding in line["findings"]))
    return Progress(line["read"], line["bytes"])


def _tell(out: Any, line: dict[str, object]) -> None:
    out.write(json.dumps(line).encode() + b"\n")
    out.flush()
