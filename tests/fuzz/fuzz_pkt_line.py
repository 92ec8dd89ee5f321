"""What something other than git might send to the filter: one of the protocol's errors, and never a lost byte."""

import contextlib
import io
import tempfile

from fuzz.harness import run, within
from mistral_nb.git import filter_process, pkt_line

SEEDS = (
    pkt_line.encode_lines(b"git-filter-client", b"version=2")
    + pkt_line.encode_lines(b"capability=clean", b"capability=smudge")
    + pkt_line.encode_lines(b"command=clean", b"pathname=a\n::error::\x1b[31m.ipynb")
    + b"".join(pkt_line.encode_content([b'{"cells": []}'])),
    b"0000",
    b"0004",
    b"ffff",
    b"000z",
    b"-001",
)
_PROTOCOL = (pkt_line.InvalidPacket, pkt_line.StreamEnded)
_HOME = tempfile.mkdtemp()


def one_input(data: bytes) -> None:
    with within():
        parse(data)
        answers: list[bytes] = []
        with contextlib.suppress(filter_process.ProtocolError, *_PROTOCOL):
            filter_process.serve(filter_process.Filter(_HOME), io.BytesIO(data).read, answers.extend)
    pieces = [data[:n] for n in (0, 1, len(data) // 2, len(data))]
    source = io.BytesIO(b"".join(pkt_line.encode_content(pieces)))
    assert b"".join(pkt_line.read_content(source.read)) == b"".join(pieces)


def parse(data: bytes) -> None:
    for read in (pkt_line.read_packet, pkt_line.read_lines, pkt_line.read_content):
        with contextlib.suppress(*_PROTOCOL):
            read(io.BytesIO(data).read)


if __name__ == "__main__":
    run(one_input)
