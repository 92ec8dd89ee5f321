"""Scans blobs on all cores: each process has its own ``git cat-file --batch``.

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
from collections.abc import Container, Iterator, Sequence
from typing import Any, NamedTuple

from mistral_nb.child_environment import BOOTSTRAP_CODE, PACKAGE_ROOT
from mistral_nb.git.run_git import Git
from mistral_nb.redaction.findings import COUNTED_TIERS, Finding

_PIECE = 128  # blobs next to each other in history are alike, and read fast one after the other
_FEW = 64  # blobs for which a further process does not pay
_TELL_AFTER = 4_000_000  # bytes
_MAX_PROCESSES = 8
_PIPE = 1 << 20  # bytes between git and us: more than a pipe has by itself
_MAY_BE_BINARY = b" b"


class ScanProgress(NamedTuple):
    blobs: int
    bytes: int


class BlobFindings(NamedTuple):
    """A blob with keys."""

    blob: str
    findings: tuple[Finding, ...]


class UnreadableBlob(NamedTuple):
    blob: str


ScanEvent = ScanProgress | BlobFindings | UnreadableBlob


def scan_blobs(
    git: Git, blobs: Sequence[str], *, may_be_binary: Container[str] = (), processes: int | None = None
) -> Iterator[ScanEvent]:
    """What the blobs contain, in no particular order. Closing the iterator ends the processes.

    ``may_be_binary``: those whose names say nothing. If their content is binary too, keys are found in it that stand
    there in one piece, plain or encoded.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = processes or max(1, min(cores, _MAX_PROCESSES, len(blobs) // _FEW))
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        named = [f"{blob}{_MAY_BE_BINARY.decode()}" if blob in may_be_binary else blob for blob in blobs]
        workers = [stack.enter_context(_start_worker(git, part, lines)) for part in _split_blobs(named, count) if part]
        left = len(workers)
        while left:
            line = lines.get()
            if line is None:
                left -= 1
                continue
            yield _parse_event(json.loads(line))
        for worker in workers:
            if worker.wait():
                raise RuntimeError("a process that reads history ended early")


def main() -> None:
    """One of the processes: ``… ROOT FOLDER GIT_DIR``, names of blobs on standard input, some with a mark."""
    from mistral_nb.redaction.binary_data import is_binary, may_hold_keys
    from mistral_nb.redaction.redact import redact
    from mistral_nb.watchlist import build_watchlist

    watchlist = build_watchlist(sys.argv[2])
    git = Git(sys.argv[2], git_dir=sys.argv[3] or None)
    out, read, size = sys.stdout.buffer, 0, 0
    given = sys.stdin.buffer.read().splitlines()
    names = [line.removesuffix(_MAY_BE_BINARY) for line in given]
    unnamed = {name.decode() for name, line in zip(names, given, strict=True) if name != line}
    try:
        for name, data in _read_blobs(git, names):
            if data is None:
                _write_line(out, {"unreadable": name})
                continue
            if not (name in unnamed and is_binary(data)) or may_hold_keys(data, watchlist):
                findings = [f for f in redact(data, watchlist).findings if f.tier in COUNTED_TIERS]
                if findings:
                    _write_line(out, {"blob": name, "findings": findings})
            read, size = read + 1, size + len(data)
            if size >= _TELL_AFTER:
                _write_line(out, {"read": read, "bytes": size})
                read = size = 0
        _write_line(out, {"read": read, "bytes": size})
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)


def _read_blobs(git: Git, names: list[bytes]) -> Iterator[tuple[str, bytes | None]]:
    """Each blob's content, None for one that can't be read; an object that is none is left out."""
    done = 0
    while done < len(names):
        with tempfile.TemporaryFile() as names_in:
            names_in.write(b"\n".join(names[done:]) + b"\n")
            names_in.seek(0)
            words = ("cat-file", "--batch", "--buffer")
            streams = {"stdin": names_in, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "bufsize": _PIPE}
            with git.start(*words, **streams) as process:
                assert process.stdout  # noqa: S101, for the type checker
                _widen(process.stdout.fileno())
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


def _widen(pipe: int) -> None:
    """Let git write ahead, so that the two processes wait for each other less often. Only Linux can."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


def _split_blobs(blobs: Sequence[str], count: int) -> list[list[str]]:
    pieces = [blobs[start : start + _PIECE] for start in range(0, len(blobs), _PIECE)]
    return [[blob for piece in pieces[number::count] for blob in piece] for number in range(count)]


@contextlib.contextmanager
def _start_worker(
    git: Git, blobs: Sequence[str], lines: "queue.SimpleQueue[bytes | None]"
) -> Iterator["subprocess.Popen[bytes]"]:
    code = f"{BOOTSTRAP_CODE}from mistral_nb.git.blob_scanner import main; main()"
    with tempfile.TemporaryFile() as names:
        names.write("\n".join(blobs).encode())
        names.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", code, PACKAGE_ROOT, git.folder, git.git_dir or ""],
            stdin=names,
            stdout=subprocess.PIPE,
            cwd=git.folder,
            env=git.given,  # with the keys to search for
            process_group=0,  # we handle Ctrl-C and end it; it would show a traceback while it starts
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


def _parse_event(line: dict[str, Any]) -> ScanEvent:
    if "unreadable" in line:
        return UnreadableBlob(line["unreadable"])
    if "blob" in line:
        return BlobFindings(line["blob"], tuple(Finding(*finding) for finding in line["findings"]))
    return ScanProgress(line["read"], line["bytes"])


def _write_line(out: Any, line: dict[str, object]) -> None:
    out.write(json.dumps(line).encode() + b"\n")
    out.flush()
