"""Child processes of this one that keep a key which was replaced or taken out of use here.

A child has the environment that it was started with, and nobody can change that from outside. Pools start theirs once.
"""

import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

from mistral_nb.command_context import Context
from mistral_nb.config import keys_in
from mistral_nb.wording import name_first, plural

_MAX_SHOWN = 5
_HELPER = "resource_tracker"  # of multiprocessing and of loky: it runs no task
_FORK_SERVER = "multiprocessing.forkserver"
_followers: set[int] = set()


class _Children(NamedTuple):
    """Process ids. ``holders``: their environment has the key; ``fork_servers``: likewise, and they start others.
    ``forked``: with this process's own environment of that time, which nothing tells from outside."""

    holders: list[int]
    forked: list[int]
    fork_servers: list[int]


def add_follower(host: str, pid: int) -> None:
    """From now on a process is not named: it is told of each change of the key. One of another ``host`` never is."""
    if host == socket.gethostname():
        _followers.add(pid)


def remove_follower(pid: int) -> None:
    _followers.discard(pid)


def old_key_notes(context: Context, fingerprint: str, tail: str, *, was_set: bool = True) -> tuple[str, ...]:
    """Which children still have the key with this fingerprint, and what to do about it; none for the command line.

    ``was_set``: this process's environment had it until now, and so have forked children, or an older one. Nothing
    is said where psutil is not installed, which ipykernel or IPython brings.
    """
    if not context.in_notebook:
        return ()  # a command has no children
    found = _find_children(fingerprint)
    notes = []
    if found.holders:
        holds = "still holds" if len(found.holders) == 1 else "still hold"
        notes.append(f"{_describe(found.holders)} {holds} …{tail}: restart the pool or program.")
    if found.forked and was_set:
        keeps = "was forked before this and keeps" if len(found.forked) == 1 else "were forked before this and keep"
        notes.append(f"{_describe(found.forked)} {keeps} the key of that time: restart the pool.")
    notes += [
        f"multiprocessing's fork server (pid {server}) gives …{tail} to new pools as well: "
        f"shut its pools down and end it (os.kill({server}, 15)), or restart the kernel."
        for server in found.fork_servers
    ]
    return tuple(notes)


def _describe(pids: list[int]) -> str:
    shown = name_first([*map(str, pids)], _MAX_SHOWN)
    processes = plural(len(pids), "child process", "child processes")
    return f"{processes} ({'pid' if len(pids) == 1 else 'pids'} {shown})"


def _find_children(fingerprint: str) -> _Children:
    found = _Children([], [], [])
    all_servers: set[int] = set()
    for child in _list_children():
        if child.pid in _followers:
            continue
        command = " ".join(child.command)
        is_server = _FORK_SERVER in command and child.parent not in all_servers  # what it forks has the same command
        if is_server:
            all_servers.add(child.pid)
        if child.is_forked:
            found.forked.append(child.pid)
        elif _HELPER not in command and fingerprint in child.fingerprints:
            (found.fork_servers if is_server else found.holders).append(child.pid)
    return found


class _Child(NamedTuple):
    """A child, or a child's child; ``fingerprints``: of the keys in the environment that it was started with."""

    pid: int
    parent: int
    command: list[str]
    is_forked: bool
    fingerprints: frozenset[str]


def _list_children() -> Iterator[_Child]:
    """Parents before their children; not those that have ended, or that this user may not look at."""
    try:
        import psutil
    except ImportError:
        return
    this = psutil.Process()
    own_command = this.cmdline()
    for child in this.children(recursive=True):
        try:
            yield _read_child(child, own_command)
        except (psutil.Error, OSError):
            continue


def _read_child(child: Any, own_command: list[str]) -> _Child:
    command = child.cmdline()
    keys = keys_in(child.environ()).values()
    is_forked = command == own_command  # it never became another program
    return _Child(child.pid, child.ppid(), command, is_forked, frozenset(key.fingerprint for key in keys))
