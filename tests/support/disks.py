"""Folders that can't be written, for real: a full disk and a read-only one."""

import contextlib
import os
import subprocess
from collections.abc import Iterator

from support.requirements import absent


@contextlib.contextmanager
def small_disk(folder: str) -> Iterator[str]:
    """A file system of 256 KiB at ``folder``."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        absent("a file system can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(folder: str) -> None:
    """Write until not another byte goes in."""
    for size in (4096, 1):
        with contextlib.suppress(OSError), open(os.path.join(folder, f"filler{size}"), "wb", buffering=0) as file:
            while True:
                file.write(bytes(size))


@contextlib.contextmanager
def read_only(disk: str) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
