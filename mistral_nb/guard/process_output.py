"""The guard of a process other than a kernel, such as a worker: its output and its log, without IPython.

When a process is killed by a signal, what it wrote in the last moment is lost. Not redacted: what a C library still
holds back when the process ends, and files that a program writes itself.
"""

import atexit
import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from mistral_nb.guard.ipython_patches import Patch
from mistral_nb.guard.known_secrets import PROCESS_SECRETS
from mistral_nb.guard.log_records import log_patches
from mistral_nb.guard.output_streams import RedactingStream
from mistral_nb.guard.value_redaction import redact_values
from mistral_nb.prompts.ipython import running_shell

_STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")


class _State:
    process = 0  # whose output is guarded; a fork copies this
    patches: tuple[Patch, ...] = ()
    end_descriptors: tuple[Callable[[], None], ...] = ()


def guard_process_output() -> None:
    """Redact what this process prints and logs from now on: descriptors 1 and 2, so also of its children; `logging`;
    uncaught exceptions. Where IPython runs, its kernel is guarded instead, as by ``%load_ext``.

    Does nothing where it was done before. A forked child writes through its parent's guard; called in the child,
    this guards it by what the child knows.
    """
    shell = running_shell()
    if shell is not None:
        from mistral_nb.guard import lifecycle

        lifecycle.start(shell)
        return
    if _State.process == os.getpid():
        return
    _State.process = os.getpid()
    if not _State.patches:
        PROCESS_SECRETS.subscribe()
        _State.patches = (
            *log_patches(PROCESS_SECRETS.matcher),
            Patch(sys, "excepthook", _wrap_excepthook),
            Patch(threading, "excepthook", _wrap_thread_excepthook),
            Patch(os, "_exit", _wrap_exit),
        )
    PROCESS_SECRETS.matcher()  # what is in the variables now is known from the start
    if os.name == "posix":
        from mistral_nb.guard.file_descriptors import guard_descriptors

        _flush_streams()  # what was printed before belongs before
        _State.end_descriptors = (guard_descriptors(PROCESS_SECRETS.matcher),)
        atexit.register(_guard_last_output)  # after the line above: so it comes before the descriptors' end
    _guard_streams(is_guarded=_leads_to_a_descriptor if os.name == "posix" else lambda _: False)


def _guard_last_output() -> None:
    """What is printed from now on, until Python is gone, has no thread any more that would pass it on."""
    _flush_streams()
    _guard_streams(is_guarded=lambda _: False)


def _guard_streams(is_guarded: Callable[[Any], bool]) -> None:
    for name in _STREAMS:
        stream = getattr(sys, name, None)
        if stream is not None and not isinstance(stream, RedactingStream) and not is_guarded(stream):
            setattr(sys, name, RedactingStream(stream, PROCESS_SECRETS.matcher))


def _leads_to_a_descriptor(stream: Any) -> bool:
    """Whether a text stream writes to descriptor 1 or 2."""
    try:
        return stream.fileno() in (1, 2)
    except (AttributeError, OSError, ValueError):  # it has none, or is closed
        return False


def _flush_streams() -> None:
    for name in _STREAMS:
        with contextlib.suppress(AttributeError, OSError, ValueError):  # there is none, or it is closed
            getattr(sys, name).flush()


def _wrap_exit(original: Callable[..., Any]) -> Callable[..., Any]:
    def exit_now(status: int) -> Any:
        """As multiprocessing's forked children end."""
        with contextlib.suppress(Exception):
            for end in _State.end_descriptors:
                end()
        original(status)

    return exit_now


def _wrap_excepthook(original: Callable[..., Any]) -> Callable[..., Any]:
    def excepthook(kind: Any, error: Any, trace: Any) -> Any:
        return None if _write_redacted(error, "") else original(kind, error, trace)

    return excepthook


def _wrap_thread_excepthook(original: Callable[..., Any]) -> Callable[..., Any]:
    def excepthook(failure: Any) -> Any:
        name = getattr(failure.thread, "name", "")
        return None if _write_redacted(failure.exc_value, f"Exception in thread {name}:\n") else original(failure)

    return excepthook


def _write_redacted(error: BaseException | None, title: str) -> bool:
    """Write an error whose traceback shows a key; False for one that shows none: the usual hook may have it."""
    if error is None or isinstance(error, SystemExit):
        return False
    text = title + "".join(traceback.format_exception(error))
    clean = redact_values(text, PROCESS_SECRETS.matcher)
    if clean is text:
        return False
    if sys.stderr is not None:
        sys.stderr.write(clean)
    return True
