"""Handles the card's messages while a cell waits for it; everything else stays queued.

A kernel runs one message after another, so what a widget sends stays in the queue until the cell is
done. ipykernel 7 reads messages with a thread and passes a cell's on by a pair of sockets; ipykernel 6
reads the socket itself. In both, the main thread owns a stream whose messages are taken here, looked at,
and given back in their order when the wait is over.

ipykernel: https://ipykernel.readthedocs.io/en/stable/api/ipykernel.html, JEP 91 (subshells)
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_COMM = ("comm_open", "comm_msg", "comm_close")
_CONTROL_TARGET = "jupyter.widget.control"  # how a page that was reloaded asks for the widgets there are
_INFO_TYPES = ("comm_info_request", "kernel_info_request")


def can_wait(shell: Any) -> bool:
    """Whether this kernel can receive widget messages while a cell runs."""
    kernel = getattr(shell, "kernel", None)
    return kernel is not None and hasattr(kernel, "comm_manager") and _find_stream(kernel) is not None


@contextmanager
def process_comm_events(shell: Any, comm_id: str) -> Iterator[Callable[[], None]]:
    """Within the block, each call of the yielded function processes the messages for this comm.

    To be used in the main thread, inside a cell.
    """
    kernel = shell.kernel
    stream, later, controls = _find_stream(kernel), [], set[str]()
    usual = stream._recv_callback

    def take(frames: Any) -> None:
        if _is_for_comm(_read_message(kernel, frames), comm_id, controls):
            _handle(kernel, frames)
        else:
            later.append(frames)

    stream._recv_callback = take
    try:
        yield lambda: _flush(stream)
    finally:
        stream._recv_callback = usual
        for frames in later:
            stream._run_callback(usual, frames)


def _find_stream(kernel: Any) -> Any:
    """The ZMQStream of the main thread's messages; None in a kernel that has none."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is not None:
        pair = getattr(thread.manager, "get_shell_channel_to_subshell_pair", None)
        stream = pair(None).to_stream if pair else None
    else:
        stream = getattr(kernel, "shell_stream", None)
    return stream if hasattr(stream, "_recv_callback") and hasattr(stream, "_run_callback") else None


def _flush(stream: Any) -> None:
    import zmq

    stream.flush(zmq.POLLIN)


def _read_message(kernel: Any, frames: Any) -> tuple[Any, Any]:
    """Without its content a message may be read twice: the session remembers whole ones only."""
    session = kernel.session
    try:
        _, parts = session.feed_identities(frames, copy=False)
        message = session.deserialize(parts, content=False, copy=False)
        return message["header"], session.unpack(message["content"])
    except (ValueError, TypeError, IndexError):  # no message of this session: the kernel says so later
        return {}, {}


def _is_for_comm(message: tuple[Any, Any], comm_id: str, controls: set[str]) -> bool:
    header, content = message
    kind = header.get("msg_type")
    if kind == "comm_open" and content.get("target_name") == _CONTROL_TARGET:
        controls.add(content.get("comm_id"))
    return kind in _INFO_TYPES or (kind in _COMM and content.get("comm_id") in {comm_id, *controls})


def _handle(kernel: Any, frames: Any) -> None:
    """Call the handler as the kernel does, with the cell's parent left in place."""
    identities, parts = kernel.session.feed_identities(frames, copy=False)
    message = kernel.session.deserialize(parts, content=True, copy=False)
    handler = kernel.shell_handlers.get(message["header"]["msg_type"])
    if handler is None:
        return
    kernel._publish_status("busy", "shell", parent=message)
    try:
        _run_coroutine(handler(_reply_socket(kernel), identities, message))
    finally:
        kernel._publish_status("idle", "shell", parent=message)
        kernel._publish_status("busy", "shell")  # the cell continues: front ends must see the kernel as busy


def _run_coroutine(result: Any) -> None:
    """These handlers are coroutines that wait for nothing."""
    if not inspect.iscoroutine(result):
        return
    try:
        result.send(None)
    except StopIteration:
        return
    result.close()


def _reply_socket(kernel: Any) -> Any:
    thread = getattr(kernel, "shell_channel_thread", None)
    return thread.manager.get_subshell_to_shell_channel_socket(None) if thread else kernel.shell_stream
