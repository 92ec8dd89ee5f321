"""The process git talks to: one for all files of a git command, version 2 of the protocol.

Started as ``python -I -S -c …`` with the package's folder, so that it costs a bare interpreter; whatever
costs more is imported at the first file that may hold a key. https://git-scm.com/docs/gitattributes#_long_running_filter_process
"""

import os
import sys

from mistral_nb.git import pkt_line
from mistral_nb.git.lfs_pointers import PointerGuard, is_pointer
from mistral_nb.printable import one_line
from mistral_nb.redaction.prefilter import Prefilter

TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from collections.abc import Callable

    from mistral_nb.git.filter_content import ContentFilter

    Writer = Callable[[list[bytes]], object]

_PIPE_SIZE = 1 << 20
_MAX_PARTS = 1000  # what a system call takes is 1024
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ: git and we then wait for each other less often
_SUCCESS = pkt_line.encode_lines(b"status=success")
_ERROR = pkt_line.encode_lines(b"status=error")
_ABORT = pkt_line.encode_lines(b"status=abort")


class ProtocolError(Exception):
    """We were not started by a git that speaks this protocol; the sentence says why."""


class Filter:
    """Clean and smudge for one git command. ``home``: the folder of the index of keys.

    ``wraps``: the name of another filter driver, whose commands run inside this one.
    """

    def __init__(self, home: str, *, wraps: str = "") -> None:
        self._prefilter = Prefilter(home)
        self._home, self._wraps = home, wraps
        self._content_filter: ContentFilter | None = None
        self._pointers = None if wraps else PointerGuard(os.getcwd())
        self._has_pointer = ""  # a file that was checked out as one

    def clean(self, path: str, pieces: list[bytes]) -> list[bytes]:
        """The pieces themselves when there is nothing to remove."""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._pointers:
            self._pointers.check(path, data)
        if not self._wraps and self._prefilter.is_clean(data, briefly=self._content_filter is not None):
            return pieces
        cleaned = self._load_content_filter().clean(path, data)
        return pieces if cleaned is data else [cleaned]

    def show_path(self, path: str) -> str:
        """A file's name as it may be shown."""
        if self._prefilter.is_clean(os.fsencode(path)):
            return path
        try:
            return self._load_content_filter().hide_keys(path)
        except Exception:  # noqa: BLE001, what fails here is what the caller reports
            return "a file whose name looks like a key"

    def smudge(self, path: str, pieces: list[bytes]) -> list[bytes]:
        if self._wraps:
            return [self._load_content_filter().smudge(path, b"".join(pieces))]
        if pieces and is_pointer(pieces[0]):
            self._has_pointer = path
        return pieces

    def close(self) -> None:
        """Report what remains, and end what was started."""
        if self._content_filter:
            self._content_filter.close()
        if self._pointers:
            self._pointers.close()
        if self._has_pointer:
            shown = self.show_path(self._has_pointer)
            say(
                f"{shown} was checked out as a pointer of Git LFS, whose filter was not run. "
                "For its content: mistral-nb protect, then git lfs pull"
            )

    def _load_content_filter(self) -> "ContentFilter":
        if self._content_filter is None:
            from mistral_nb.git.filter_content import ContentFilter

            self._content_filter = ContentFilter(self._home, self._wraps, say=say)
        return self._content_filter


def serve(work: Filter, read: "pkt_line.Reader", write: "Writer") -> None:
    """Answer git until it closes the stream. Raises `ProtocolError`, and what `pkt_line` raises."""
    _shake_hands(read, write)
    actions = {b"clean": work.clean, b"smudge": work.smudge}
    while True:
        try:
            request = dict(line.partition(b"=")[::2] for line in pkt_line.read_lines(read))
        except pkt_line.StreamEnded as end:
            if end.at_boundary:
                return
            raise
        pieces = pkt_line.read_content(read)
        action = actions.get(request.get(b"command", b""))
        path = os.fsdecode(request.get(b"pathname", b""))
        if action is None:
            write([_ABORT])
            continue
        result = _run_action(work, action, path, pieces)
        if result is None:
            write([_ERROR])
        else:
            write([_SUCCESS, *pkt_line.encode_content(result), pkt_line.FLUSH])


def filter_once(work: Filter, action: str, path: str, data: bytes) -> bytes | None:
    """One file, for a git implementation without process filters; None if it failed."""
    result = _run_action(work, {"clean": work.clean, "smudge": work.smudge}[action], path, [data])
    return None if result is None else b"".join(result)


def say(text: str) -> None:
    """A line on standard error, which git shows; a closed one is no reason to fail."""
    try:  # noqa: SIM105, importing contextlib costs 3 ms
        os.write(2, f"mistral-nb: {one_line(text)}\n".encode())
    except OSError:
        pass


def main() -> None:
    """``… ROOT HOME [--wraps=NAME] [clean|smudge PATH]``; ends the process."""
    words = sys.argv[3:]
    wraps = words.pop(0)[8:] if words and words[0].startswith("--wraps=") else ""
    os._exit(_run(Filter(sys.argv[2], wraps=wraps), words))


def _run(work: Filter, words: list[str]) -> int:
    source = open(0, "rb", buffering=_PIPE_SIZE, closefd=False)  # noqa: SIM115, the process ends with it
    try:
        if words:
            result = filter_once(work, words[0], words[1], source.read())
            write_parts([result or b""])
            return int(result is None)
        _enlarge_pipe(0)
        _enlarge_pipe(1)
        serve(work, source.read, write_parts)
        return 0
    except (ProtocolError, pkt_line.InvalidPacket) as error:
        say(f"only git should start this program: {error}.")
        return 1
    except pkt_line.StreamEnded:  # git was stopped, and has said so
        return 1
    except (BrokenPipeError, KeyboardInterrupt):
        return 130
    finally:
        work.close()


def _shake_hands(read: "pkt_line.Reader", write: "Writer") -> None:
    try:
        greeting = pkt_line.read_lines(read)
    except pkt_line.StreamEnded:
        raise ProtocolError("no request was received") from None
    if greeting[:1] != [b"git-filter-client"]:
        raise ProtocolError("the handshake is not git's")
    if b"version=2" not in greeting:
        raise ProtocolError("git does not offer version 2 of the filter protocol")
    write([pkt_line.encode_lines(b"git-filter-server", b"version=2")])
    offered = pkt_line.read_lines(read)
    write([pkt_line.encode_lines(*(line for line in (b"capability=clean", b"capability=smudge") if line in offered))])


def _run_action(
    work: Filter, action: "Callable[[str, list[bytes]], list[bytes]]", path: str, pieces: list[bytes]
) -> list[bytes] | None:
    """The action's result for the file; None, with the reason reported, if it fails."""
    try:
        return action(path, pieces)
    except Exception as error:  # noqa: BLE001, whatever it is: the file must not be stored as it is
        say(f"{work.show_path(path)}: {_describe_error(error)} Nothing was stored or changed.")
        return None


def _describe_error(error: Exception) -> str:
    """Our own sentences; for a foreign exception only its kind, because its text may contain a key."""
    if "mistral_nb.errors" in sys.modules and isinstance(error, sys.modules["mistral_nb.errors"].MistralNbError):
        return str(error)
    trace, place = error.__traceback__, ""
    while trace:
        place = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"It could not be searched: {type(error).__name__}{place}."


def write_parts(parts: list[bytes]) -> None:
    """All of it to standard output, without first making one piece of it where the system can do that."""
    if hasattr(os, "writev"):
        for start in range(0, len(parts), _MAX_PARTS):
            some = parts[start : start + _MAX_PARTS]
            written = os.writev(1, some)
            if written < sum(map(len, some)):
                _write_all(b"".join(some)[written:])
    else:
        _write_all(b"".join(parts))


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def _enlarge_pipe(descriptor: int) -> None:
    """A pipe of a megabyte, where the system has that; the default of 64 KiB works as well."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, _SET_PIPE_SIZE, _PIPE_SIZE)
    except (ImportError, OSError):
        pass
