"""The process git talks to: one for all files of a git command, version 2 of the protocol.

Started as ``python -I -S -c …`` with the package's folder, so that it costs a bare interpreter; whatever
costs more is imported at the first file that may hold a key. https://git-scm.com/docs/gitattributes#_long_running_filter_process
"""

import os
import sys

from mistral_nb.git import packets
from mistral_nb.git.glance import Glance

TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from collections.abc import Callable

    from mistral_nb.git.cleaning import Cleaning

    Write = Callable[[list[bytes]], object]

_PIPE = 1 << 20
_MOST_PARTS = 1000  # what a system call takes is 1024
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ: git and we then wait for each other less often
_SUCCESS = packets.lines(b"status=success")
_ERROR = packets.lines(b"status=error")
_ABORT = packets.lines(b"status=abort")


class Unusable(Exception):
    """Whoever started us is no git that speaks this protocol; the sentence says what it is."""


class Filter:
    """Clean and smudge for one git command. ``home``: the folder of the index of keys.

    ``everything``: keys that were committed before go as well. ``wraps``: the name of another filter
    driver, whose commands run inside this one.
    """

    def __init__(self, home: str, *, everything: bool = False, wraps: str = "") -> None:
        self._glance = Glance(home)
        self._options = (home, everything, wraps)
        self._wraps = bool(wraps)
        self._cleaning: Cleaning | None = None

    def clean(self, path: str, pieces: list[bytes]) -> list[bytes]:
        """The pieces themselves when there is nothing to remove."""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if not self._wraps and self._glance.nothing_in(data, briefly=self._cleaning is not None):
            return pieces
        cleaned = self._full().clean(path, data)
        return pieces if cleaned is data else [cleaned]

    def smudge(self, path: str, pieces: list[bytes]) -> list[bytes]:
        return [self._full().smudge(path, b"".join(pieces))] if self._wraps else pieces

    def close(self) -> None:
        """Says what is left to say, and ends what was started."""
        if self._cleaning:
            self._cleaning.close()

    def _full(self) -> "Cleaning":
        if self._cleaning is None:
            from mistral_nb.git.cleaning import Cleaning

            self._cleaning = Cleaning(*self._options, say=say)
        return self._cleaning


def serve(work: Filter, read: "packets.Read", write: "Write") -> None:
    """Answer git until it closes the stream. Raises `Unusable`, and what `packets` raises."""
    _shake_hands(read, write)
    actions = {b"clean": work.clean, b"smudge": work.smudge}
    while True:
        try:
            request = dict(line.partition(b"=")[::2] for line in packets.read_lines(read))
        except packets.StreamEnded as end:
            if end.between:
                return
            raise
        pieces = packets.read_content(read)
        action = actions.get(request.get(b"command", b""))
        path = os.fsdecode(request.get(b"pathname", b""))
        if action is None:
            write([_ABORT])
            continue
        result = _tried(action, path, pieces)
        if result is None:
            write([_ERROR])
        else:
            write([_SUCCESS, *packets.content(result), packets.FLUSH])


def once(work: Filter, action: str, path: str, data: bytes) -> bytes | None:
    """One file, for an implementation of git that knows no process; None when it failed."""
    result = _tried({"clean": work.clean, "smudge": work.smudge}[action], path, [data])
    return None if result is None else b"".join(result)


def say(text: str) -> None:
    """A line on standard error, which git shows; a closed one is no reason to fail."""
    try:  # noqa: SIM105, importing contextlib costs 3 ms
        os.write(2, f"mistral-nb: {text}\n".encode("utf-8", "replace"))
    except OSError:
        pass


def main() -> None:
    """``… ROOT HOME [--everything] [--wraps=NAME] [clean|smudge PATH]``; ends the process."""
    words = sys.argv[3:]
    everything = "--everything" in words
    wraps = next((word[8:] for word in words if word[:8] == "--wraps="), "")
    work = Filter(sys.argv[2], everything=everything, wraps=wraps)
    plain = [word for word in words if word[:2] != "--"] if words[-2:-1] not in (["clean"], ["smudge"]) else words[-2:]
    os._exit(_run(work, plain))


def _run(work: Filter, words: list[str]) -> int:
    source = open(0, "rb", buffering=_PIPE, closefd=False)  # noqa: SIM115, the process ends with it
    try:
        if words:
            result = once(work, words[0], words[1], source.read())
            write([result or b""])
            return int(result is None)
        _widen(0)
        _widen(1)
        serve(work, source.read, write)
        return 0
    except (Unusable, packets.NotAPacket) as error:
        say(f"this is to be started by git alone: {error}.")
        return 1
    except packets.StreamEnded:  # git was stopped, and has said so
        return 1
    except (BrokenPipeError, KeyboardInterrupt):
        return 130
    finally:
        work.close()


def _shake_hands(read: "packets.Read", write: "Write") -> None:
    try:
        greeting = packets.read_lines(read)
    except packets.StreamEnded:
        raise Unusable("nothing was asked") from None
    if greeting[:1] != [b"git-filter-client"]:
        raise Unusable("the greeting is not git's")
    if b"version=2" not in greeting:
        raise Unusable("git offers no version 2 of the filter protocol")
    write([packets.lines(b"git-filter-server", b"version=2")])
    offered = packets.read_lines(read)
    write([packets.lines(*(line for line in (b"capability=clean", b"capability=smudge") if line in offered))])


def _tried(action: "Callable[[str, list[bytes]], list[bytes]]", path: str, pieces: list[bytes]) -> list[bytes] | None:
    """What the action makes of the file; None, with the reason said, when it can't."""
    try:
        return action(path, pieces)
    except Exception as error:  # noqa: BLE001, whatever it is: the file must not be stored as it is
        say(f"{path}: {_reason(error)} It was not stored; nothing of it was changed.")
        return None


def _reason(error: Exception) -> str:
    """Our own sentences; of a foreign exception the kind alone, because its text may hold a key."""
    if "mistral_nb.errors" in sys.modules and isinstance(error, sys.modules["mistral_nb.errors"].MistralNbError):
        return str(error)
    trace, place = error.__traceback__, ""
    while trace:
        place = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"It could not be looked through: {type(error).__name__}{place}."


def write(parts: list[bytes]) -> None:
    """All of it to standard output, without first making one piece of it where the system can do that."""
    if hasattr(os, "writev"):
        for start in range(0, len(parts), _MOST_PARTS):
            some = parts[start : start + _MOST_PARTS]
            written = os.writev(1, some)
            if written < sum(map(len, some)):
                _write_all(b"".join(some)[written:])
    else:
        _write_all(b"".join(parts))


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def _widen(descriptor: int) -> None:
    """A pipe of a megabyte, where the system has that; the default of 64 KiB works as well."""
    if sys.platform == "linux":
        import fcntl

        try:  # noqa: SIM105, as above
            fcntl.fcntl(descriptor, _SET_PIPE_SIZE, _PIPE)
        except OSError:
            pass
