"""The live guard: from ``%load_ext mistral_nb`` on, a kernel sends and records no key it knows.

``start`` installs it, ``stop`` removes it, ``guard_state`` reports it. Why an instance's
``serialize`` and ``send`` are wrapped, and not the public hooks: those are local to a thread, and see
neither replies nor comms nor prompts.
"""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mistral_nb.guard import cell_keys, file_magics, ipython_output, typed_answers, widget_updates
from mistral_nb.guard.ipython_patches import EntryPatch, Patch
from mistral_nb.guard.known_secrets import PROCESS_SECRETS
from mistral_nb.guard.session_wrapper import GuardedSession
from mistral_nb.report import note_bundle
from mistral_nb.wording import plural


class GuardState(NamedTuple):
    """``guarded``: whether a kernel's messages are guarded; ``sentence`` says so, or why not."""

    guarded: bool
    sentence: str
    can_be_loaded: bool = False


class _Guard:
    """Everything installed for one shell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.patches: list[Patch | EntryPatch] = []
        self.cleanups: list[Callable[[], None]] = []
        self.session: GuardedSession | None = None

    def check_cell(self, info: Any) -> None:
        """What stands in a cell that is about to run."""
        code, cell = info.raw_cell or "", getattr(info, "cell_id", None)
        self.show_note(cell_keys.cell_warning(code, cell))
        self.show_note(cell_keys.marker_warning(code, cell))

    def show_note(self, text: str) -> None:
        """A note under the cell that runs: it is informative, and no error."""
        if not text:
            return
        if getattr(self.shell, "kernel", None) is None:
            print(text, file=sys.stderr)  # noqa: T201, a terminal has no other place
        else:
            self.shell.display_pub.publish(data=note_bundle(text))

    def remove(self) -> None:
        for end in self.cleanups:
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
        _install(guard, shell)
    except BaseException:  # half a guard would count as one: the next start would do nothing
        stop(shell)
        raise


def _install(guard: _Guard, shell: Any) -> None:
    if not _unsubscribe:
        _unsubscribe.append(PROCESS_SECRETS.subscribe())
    PROCESS_SECRETS.matcher()
    kernel_session = _kernel_session(shell)
    if kernel_session is not None:
        guard.session = GuardedSession(kernel_session, PROCESS_SECRETS)
    else:
        guard.patches += ipython_output.terminal_patches(shell, PROCESS_SECRETS.matcher)
        guard.cleanups.append(ipython_output.echo_patches(shell, PROCESS_SECRETS.matcher).remove)
    guard.patches += ipython_output.history_patches(shell, PROCESS_SECRETS.matcher)
    guard.patches += ipython_output.traceback_patches(shell, PROCESS_SECRETS.matcher)
    guard.patches += _handler_patches(getattr(shell, "kernel", None))
    if callable(getattr(getattr(shell, "kernel", None), "_input_request", None)):
        guard.patches.append(Patch(shell.kernel, "_input_request", typed_answers.wrap_input_request))
    shell.events.register("pre_run_cell", guard.check_cell)
    guard.cleanups.append(lambda: shell.events.unregister("pre_run_cell", guard.check_cell))
    guard.cleanups.append(file_magics.FileMagicGuard(shell, PROCESS_SECRETS.matcher).remove)
    for code in getattr(shell.history_manager, "input_hist_raw", ()):  # papermill's cell may stand first
        cell_keys.note_mistral(code)
        if cell_keys.is_papermill_cell(code):
            guard.show_note(cell_keys.cell_warning(code, None))
    if kernel_session is not None and _should_guard_descriptors():
        from mistral_nb.guard.file_descriptors import guard_descriptors

        guard.cleanups.append(guard_descriptors(PROCESS_SECRETS.matcher))


def _handler_patches(kernel: Any) -> Iterator[EntryPatch]:
    """What a kernel does with requests that bring a key along, or the marker."""
    handlers = getattr(kernel, "shell_handlers", None) or {}
    if "comm_msg" in handlers:
        yield EntryPatch(handlers, "comm_msg", widget_updates.wrap_comm_handler)
    handlers = getattr(getattr(kernel, "debugger", None), "started_debug_handlers", None) or {}
    if "dumpCell" in handlers:
        yield EntryPatch(
            handlers,
            "dumpCell",
            lambda usual: file_magics.wrap_dump_cell(usual, cell_keys.register_cell_keys, PROCESS_SECRETS.matcher),
        )


def stop(shell: Any) -> None:
    """Restore everything. Keys stay known: a guard that is started again still looks for them."""
    guard = _guards.pop(id(shell), None)
    if guard:
        guard.remove()
    while _unsubscribe and not _guards:
        _unsubscribe.pop()()


def guard_state(shell: Any) -> GuardState:
    """Whether what this shell's kernel sends is guarded, and why not."""
    guard = _guards.get(id(shell)) if shell is not None else None
    if shell is None:
        return GuardState(False, "IPython is not running here")
    if _kernel_session(shell) is None:
        return _unguarded_state(shell, started=guard is not None)
    if guard is None or guard.session is None:
        return GuardState(False, "not guarded: %load_ext mistral_nb was not run, or was undone", can_be_loaded=True)
    if guard.session.failures:
        count = guard.session.failures
        return GuardState(True, f"guarded; {plural(count, 'message')} had to be sent without text")
    return GuardState(True, "guarded")


def _unguarded_state(shell: Any, *, started: bool) -> GuardState:
    if getattr(shell, "kernel", None) is not None:
        return GuardState(False, "not guarded: this kernel is not ipykernel and has no Session to guard")
    if not started:
        return GuardState(False, "not guarded: %load_ext mistral_nb was not run, or was undone", can_be_loaded=True)
    what = "IPython's own results and tracebacks are redacted, what print writes is not"
    return GuardState(False, f"no kernel is running here: {what}")


def _kernel_session(shell: Any) -> Any:
    """The kernel's Session; None in a terminal, and for kernels that are made differently."""
    kernel_session = getattr(getattr(shell, "kernel", None), "session", None)
    methods = ("serialize", "send", "sign", "pack", "msg")
    return kernel_session if all(callable(getattr(kernel_session, name, None)) for name in methods) else None


def _should_guard_descriptors() -> bool:
    from mistral_nb import config

    return os.name == "posix" and config.guards_terminal(os.environ)  # Windows can't wait for a pipe with a limit
