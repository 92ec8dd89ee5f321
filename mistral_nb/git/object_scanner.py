"""Scans objects on all cores: each process has its own ``git cat-file --batch``.

A process holds one object at a time. It prints a line of JSON a finding, a part that was not read, or some progress.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mistral_nb.child_environment import BOOTSTRAP_CODE, PACKAGE_ROOT
from mistral_nb.git.run_git import Git
from mistral_nb.redaction.findings import Finding

_PIECE = 128  # objects next to each other in history are alike, and read fast one after the other
_FEW = 64  # objects for which a further process does not pay
_TELL_AFTER = 4_000_000  # bytes
_MAX_PROCESSES = 8
_PIPE = 1 << 20  # bytes between git and us: more than a pipe has by itself
_MAY_BE_BINARY = b" b"


class ScanProgress(NamedTuple):
    """What was read since the last one. ``binary``: of the blobs, those in which only keys in one piece are found."""

    blobs: int
    bytes: int
    binary: int = 0


class ObjectFindings(NamedTuple):
    """An object with keys. ``place``: of a commit or a tag; ``member``: of an archive; "" in a blob itself."""

    name: str
    findings: tuple[Finding, ...]
    place: str = ""
    member: str = ""


class UnreadableObject(NamedTuple):
    name: str


class UnreadMember(NamedTuple):
    """Of an archive; ``member`` is "" where nothing of it was read."""

    blob: str
    member: str
    reason: str


ScanEvent = ScanProgress | ObjectFindings | UnreadableObject | UnreadMember


def scan_objects(
    git: Git, names: Sequence[str], *, may_be_binary: Container[str] = (), processes: int | None = None
) -> Iterator[ScanEvent]:
    """What blobs, commits and tags contain, in no particular order. Closing the iterator ends the processes.

    ``may_be_binary``: those whose names say nothing. If their content is binary too, keys are found in it that stand
    there in one piece, plain or encoded.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = processes or max(1, min(cores, _MAX_PROCESSES, len(names) // _FEW))
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        marked = [f"{name}{_MAY_BE_BINARY.decode()}" if name in may_be_binary else name for name in names]
        workers = [stack.enter_context(_start_worker(git, part, lines)) for part in _split_names(marked, count) if part]
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
    """One of the processes: ``… ROOT FOLDER GIT_DIR``, names of objects on standard input, some with a mark."""
    from mistral_nb.git.object_search import BLOB, BinaryContent, ObjectSearch
    from mistral_nb.watchlist import build_watchlist

    search = ObjectSearch(build_watchlist(sys.argv[2]))
    git = Git(sys.argv[2], git_dir=sys.argv[3] or None)
    out, read, size, binary = sys.stdout.buffer, 0, 0, 0
    given = sys.stdin.buffer.read().splitlines()
    names = [line.removesuffix(_MAY_BE_BINARY) for line in given]
    unnamed = {name.decode() for name, line in zip(names, given, strict=True) if name != line}
    try:
        for name, kind, data in _read_objects(git, names):
            if data is None:
                _write_line(out, {"unreadable": name})
                continue
            for part in search.search(kind, data, may_be_binary=name in unnamed):
                if isinstance(part, BinaryContent):
                    binary += not part.member
                else:
                    _write_line(out, {"name": name} | part._asdict())
            if kind == BLOB:
                read, size = read + 1, size + len(data)
            if size >= _TELL_AFTER:
                _write_line(out, {"read": read, "bytes": size, "binary": binary})
                read = size = binary = 0
        _write_line(out, {"read": read, "bytes": size, "binary": binary})
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)


def _read_objects(git: Git, names: list[bytes]) -> Iterator[tuple[str, bytes, bytes | None]]:
    """Each object's kind and content, None for one that can't be read; trees are left out."""
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
                    if kind != b"tree":
                        yield name.decode(), kind, data
        if done < len(names):  # git ends at an object that is damaged
            yield names[done].decode(), b"", None
            done += 1


def _widen(pipe: int) -> None:
    """Let git write ahead, so that the two processes wait for each other less often. Only Linux can."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


def _split_names(names: Sequence[str], count: int) -> list[list[str]]:
    pieces = [names[start : start + _PIECE] for start in range(0, len(names), _PIECE)]
    return [[name for piece in pieces[number::count] for name in piece] for number in range(count)]


@contextlib.contextmanager
def _start_worker(
    git: Git, objects: Sequence[str], lines: "queue.SimpleQueue[bytes | None]"
) -> Iterator["subprocess.Popen[bytes]"]:
    code = f"{BOOTSTRAP_CODE}from mistral_nb.git.object_scanner import main; main()"
    with tempfile.TemporaryFile() as names:
        names.write("\n".join(objects).encode())
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
        return UnreadableObject(line["unreadable"])
    if "reason" in line:
        return UnreadMember(line["name"], line["member"], line["reason"])
    if "findings" in line:
        findings = tuple(Finding(*finding) for finding in line["findings"])
        return ObjectFindings(line["name"], findings, line["place"], line["member"])
    return ScanProgress(line["read"], line["bytes"], line["binary"])


def _write_line(out: Any, line: Mapping[str, object]) -> None:
    out.write(json.dumps(line).encode() + b"\n")
    out.flush()
