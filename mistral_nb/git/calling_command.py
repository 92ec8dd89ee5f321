"""Which git command started the filter: by the arguments of the processes above it, where the system shows them."""

import os
import re
from functools import cache

from mistral_nb.bounded_read import MAX_SETTINGS, read_file

_MAX_PARENTS = 4  # a shell or two, and git
_WITH_VALUE = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"})
_SECONDS = 5.0
_LEAVE_FILES = frozenset({"add", "stage", "commit", "status", "diff", "update-index"})


@cache  # the same for every file of the command; without /proc, each look starts programs
def find_calling_command() -> list[str]:
    """The sub-command of git and its arguments; empty where they can't be read."""
    process = os.getppid()
    for _ in range(_MAX_PARENTS):
        parent, words = _read_process(process)
        if words and os.path.splitext(os.path.basename(words[0]))[0] == "git":
            return _without_git_options(words[1:])
        if parent <= 1:
            return []
        process = parent
    return []


def leaves_files(words: list[str]) -> bool:
    """Whether a git command changes no work file: what is taken out for git stays in the file."""
    return bool(words) and words[0] in _LEAVE_FILES


def merges_files(words: list[str]) -> bool:
    """Whether it is a switch of branches that takes changed files along: they come back as git stores them."""
    if words[:1] not in (["switch"], ["checkout"]):
        return False
    flags = words[1 : words.index("--")] if "--" in words else words[1:]
    return any(
        flag.startswith("--conflict")
        or (flag.startswith("--m") and "--merge".startswith(flag))
        or re.match(r"-[^-bBcC]*m", flag)  # those four take what follows as a branch's name
        for flag in flags
    )


def _without_git_options(words: list[str]) -> list[str]:
    while words and words[0].startswith("-"):
        words = words[2 if words[0] in _WITH_VALUE else 1 :]
    return words


def _read_process(process: int) -> tuple[int, list[str]]:
    """A process's parent, 0 if it is not known, and its arguments."""
    try:
        words = read_file(f"/proc/{process}/cmdline", MAX_SETTINGS).split(b"\0")[:-1]
        stat = read_file(f"/proc/{process}/stat", MAX_SETTINGS).rpartition(b")")[2].split()
        return int(stat[1]), [os.fsdecode(word) for word in words]
    except (OSError, ValueError, IndexError):
        return _ask_ps(process)


def _ask_ps(process: int) -> tuple[int, list[str]]:
    """As on macOS, where arguments come in one line."""
    import subprocess

    try:
        done = subprocess.run(
            ["ps", "-o", "ppid=,args=", "-p", str(process)], capture_output=True, timeout=_SECONDS, check=False
        )
        parent, *words = os.fsdecode(done.stdout).split()
        return int(parent), words
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0, []
