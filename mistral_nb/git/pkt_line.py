"""Git's pkt-line format for long-running processes: four hex digits of length, then the content.

A flush packet, ``0000``, ends a list or a content. Imports nothing: the filter starts once a git command.
https://git-scm.com/docs/gitprotocol-common, https://git-scm.com/docs/long-running-process-protocol
"""

MAX_CONTENT = 65516  # bytes of content in a packet
FLUSH = b"0000"
TYPE_CHECKING = False  # importing typing costs 10 ms
if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[int], bytes]  # as a BufferedReader's: blocks, and gives less only at the end


class StreamEnded(Exception):
    """The other side closed the stream. ``between``: between two messages."""

    def __init__(self, between: bool) -> None:
        super().__init__("git closed the stream" + ("" if between else " in the middle of a message"))
        self.at_boundary = between


class InvalidPacket(Exception):
    """The input is not a packet: the sender does not speak the protocol."""


def read_packet(source: "Reader") -> bytes | None:
    """The next packet's content; None for a flush packet. Raises `StreamEnded`, `InvalidPacket`."""
    head = source(4)
    if head == FLUSH:
        return None
    if len(head) < 4:
        raise StreamEnded(between=not head)
    try:
        size = int(head, 16) - 4
    except ValueError:
        raise InvalidPacket("a packet has no length") from None
    if size < 0 or head.strip(b"0123456789abcdefABCDEF"):
        raise InvalidPacket("a packet's length is none")
    content = source(size)
    if len(content) < size:
        raise StreamEnded(between=False)
    return content


def read_lines(source: "Reader") -> list[bytes]:
    """A list of text packets, each without its newline. Raises `StreamEnded`, `InvalidPacket`."""
    lines: list[bytes] = []
    while True:
        try:
            line = read_packet(source)
        except StreamEnded as end:
            raise StreamEnded(end.at_boundary and not lines) from None
        if line is None:
            return lines
        lines.append(line[:-1] if line[-1:] == b"\n" else line)


def read_content(source: "Reader") -> list[bytes]:
    """Content of any size, as the packets brought it. Raises `StreamEnded`, `InvalidPacket`."""
    pieces: list[bytes] = []
    while True:
        try:
            piece = read_packet(source)
        except StreamEnded:
            raise StreamEnded(between=False) from None
        if piece is None:
            return pieces
        pieces.append(piece)


def encode_lines(*texts: bytes) -> bytes:
    """A list of text packets and its flush."""
    return b"".join([b"%04x%s\n" % (len(text) + 5, text) for text in texts]) + FLUSH


def encode_content(pieces: list[bytes]) -> list[bytes]:
    """Packets of the pieces, none larger than `MAX_CONTENT`, and their flush: in parts, to be written one by one."""
    packets: list[bytes] = []
    for piece in pieces:
        for start in range(0, len(piece), MAX_CONTENT):
            part = piece[start : start + MAX_CONTENT] if len(piece) > MAX_CONTENT else piece
            packets += (b"%04x" % (len(part) + 4), part)
    packets.append(FLUSH)
    return packets
