"""How often a text stands in what Linux shows of a process: its memory, environment and command line."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator

from support.key_traces import needles
from support.requirements import absent

_PART = 1 << 24
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")


def need_memory() -> None:
    """Skip (in CI: fail) where no process's memory can be read."""
    try:
        with open("/proc/self/mem", "rb"), open(f"/proc/{os.getppid()}/mem", "rb"):
            pass
    except OSError:
        absent("the memory of other processes can't be read here")


def occurrences(text: str, pids: Iterable[int]) -> dict[str, int]:
    """For each place of each process that has it, how often: whole, or in base64 or hex."""
    wanted = {text.encode(), *(needle for needle in needles(text) if len(needle) >= len(text))}
    found = {}
    for pid in pids:
        for place, parts in (
            ("memory", _memory(pid)),
            ("environ", _file(pid, "environ")),
            ("cmdline", _file(pid, "cmdline")),
        ):
            count = sum(part.count(needle) for part in parts for needle in wanted)
            if count:
                found[f"{place} of {pid}"] = count
    return found


def _file(pid: int, name: str) -> Iterator[bytes]:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        yield file.read()


def _memory(pid: int) -> Iterator[bytes]:
    """Every mapping that can be read, in parts that overlap."""
    with open(f"/proc/{pid}/maps") as file:
        mappings = [(int(start, 16), int(end, 16)) for start, end in map(_bounds, file) if start]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end in mappings:
            for place in range(start, end, _PART):
                with contextlib.suppress(OSError, OverflowError, ValueError):  # what the kernel keeps to itself
                    memory.seek(place)
                    yield memory.read(min(_PART + 128, end - place))


def _bounds(line: str) -> tuple[str, str]:
    match = _MAPPING.match(line)
    return (match[1], match[2]) if match else ("", "")
