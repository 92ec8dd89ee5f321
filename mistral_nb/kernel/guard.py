"""The live guard: from ``%load_ext mistral_nb`` on, a kernel sends and records no key it knows.

``start`` puts it in place, ``stop`` takes it away, ``state`` says how things stand. Why an instance's
``serialize`` and ``send`` are wrapped, and not the public hooks: those are local to a thread, and see
neither replies nor comms nor prompts.
"""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mistral_nb.kernel import literals, recording, writeback, written
from mistral_nb.kernel.guarded import GuardedSession
from mistral_nb.kernel.known import KNOWN
from mistral_nb.kernel.patches import EntryPatch, Patch


class State(NamedTuple):
    """``guarded`` is about the messages of a kernel; ``sentence`` says it, and why not."""

    guarded: bool
    sentence: str
    can_be_loaded: bool = False


class _Guard:
    """All that was put in place for one shell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.patches: list[Patch | EntryPatch] = []
        self.ending: list[Callable[[], None]] = []
        self.session: GuardedSession | None = None

    def remove(self) -> None:
        for end in self.ending:
            end()
        for patch in reversed(self.patches):
            patch.remove()
        if self.session:
            self.session.remove()


_guards: dict[int, _Guard] = {}
_unsubscribe: list[Callable[[], None]] = []


def start(shell: Any) -> None:
    """Guard this shell's kernel, and its history. Does nothing where it is guarded already."""
    if shell is None or id(shell) in _guards:
        return
    guard = _guards[id(shell)] = _Guard(shell)
    try:
        _put_in_place(guard, shell)
    except BaseException:  # half a guard would be taken for one: the next start would do nothing
        stop(shell)
        raise


def _put_in_place(guard: _Guard, shell: Any) -> None:
    if not _unsubscribe:
        _unsubscribe.append(KNOWN.follow())
    KNOWN.needles()
    kernel_session = _session(shell)
    if kernel_session is not None:
        guard.session = GuardedSession(kernel_session, KNOWN)
    else:
        guard.patches += recording.terminal_patches(shell, KNOWN.needles)
        guard.ending.append(recording.echo_patches(shell, KNOWN.needles).remove)
    guard.patches += recording.patches(shell, KNOWN.needles)
    guard.patches += _handler_patches(getattr(shell, "kernel", None))
    shell.events.register("pre_run_cell", _before_cell)
    guard.ending.append(lambda: shell.events.unregister("pre_run_cell", _before_cell))
    guard.ending.append(written.Written(shell, KNOWN.needles).remove)
    if kernel_session is not None and _wants_descriptors():
        from mistral_nb.kernel.descriptors import guard_descriptors

        guard.ending.append(guard_descriptors(KNOWN.needles))


def _handler_patches(kernel: Any) -> Iterator[EntryPatch]:
    """What a kernel does with requests that bring a key along, or the marker."""
    handlers = getattr(kernel, "shell_handlers", None) or {}
    if "comm_msg" in handlers:
        yield EntryPatch(handlers, "comm_msg", writeback.refusing)
    handlers = getattr(getattr(kernel, "debugger", None), "started_debug_handlers", None) or {}
    if "dumpCell" in handlers:
        yield EntryPatch(handlers, "dumpCell", lambda usual: written.dumping(usual, literals.notice, KNOWN.needles))


def stop(shell: Any) -> None:
    """Give everything back. Keys stay known: a guard that is started again looks for them still."""
    guard = _guards.pop(id(shell), None)
    if guard:
        guard.remove()
    while _unsubscribe and not _guards:
        _unsubscribe.pop()()


def state(shell: Any) -> State:
    """Whether what this shell's kernel sends is guarded, and why not."""
    guard = _guards.get(id(shell)) if shell is not None else None
    if shell is None:
        return State(False, "no IPython runs here")
    if _session(shell) is None:
        return _unguarded(shell, started=guard is not None)
    if guard is None or guard.session is None:
        return State(False, "not guarded: %load_ext mistral_nb was not run, or was undone", can_be_loaded=True)
    if guard.session.failures:
        count = guard.session.failures
        return State(True, f"guarded; {count} message{'s' * (count > 1)} had to be sent without text")
    return State(True, "guarded")


def _unguarded(shell: Any, *, started: bool) -> State:
    if getattr(shell, "kernel", None) is not None:
        return State(False, "not guarded on this kernel: it is no ipykernel, and has no Session to guard")
    if not started:
        return State(False, "not guarded: %load_ext mistral_nb was not run, or was undone", can_be_loaded=True)
    what = "IPython's own results and tracebacks are redacted, what print writes is not"
    return State(False, f"no kernel runs here: {what}")


def _session(shell: Any) -> Any:
    """The kernel's Session; None in a terminal, and for kernels that are made differently."""
    kernel_session = getattr(getattr(shell, "kernel", None), "session", None)
    wanted = ("serialize", "send", "sign", "pack", "msg")
    return kernel_session if all(callable(getattr(kernel_session, name, None)) for name in wanted) else None


def _before_cell(info: Any) -> None:
    told = literals.note(info.raw_cell or "", getattr(info, "cell_id", None))
    if told:
        print(told, file=sys.stderr)  # noqa: T201, a note in the cell that holds the key


def _wants_descriptors() -> bool:
    from mistral_nb import config

    return os.name == "posix" and config.guards_terminal(os.environ)  # Windows can't wait for a pipe with a limit
