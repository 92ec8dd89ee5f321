"""The packet layer: what is written is read again, however the stream is cut."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_nb.git import pkt_line

pieces = st.lists(st.binary(min_size=1, max_size=200), max_size=8)
texts = st.lists(st.binary(max_size=60).filter(lambda text: b"\n" not in text), max_size=6)
cuts = st.lists(st.integers(1, 90), min_size=1, max_size=40)


def content_of(content: list[bytes]) -> bytes:
    return b"".join(pkt_line.encode_content(content))


def reader(data: bytes, sizes: list[int]) -> Callable[[int], bytes]:
    """A buffered reader of a stream that gives the data in portions of these sizes, over and over."""

    class Portions(io.RawIOBase):
        def __init__(self) -> None:
            self.position = self.turn = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:
            size = min(sizes[self.turn % len(sizes)], len(buffer), len(data) - self.position)
            buffer[:size] = data[self.position : self.position + size]
            self.position, self.turn = self.position + size, self.turn + 1
            return size

    return io.BufferedReader(Portions(), 64).read


@given(content=pieces, sizes=cuts)
def test_content_comes_back_however_the_stream_is_cut(content: list[bytes], sizes: list[int]) -> None:
    assert pkt_line.read_content(reader(content_of(content), sizes)) == content


@given(lines=texts, sizes=cuts)
def test_lists_come_back_however_the_stream_is_cut(lines: list[bytes], sizes: list[int]) -> None:
    assert pkt_line.read_lines(reader(pkt_line.encode_lines(*lines), sizes)) == lines


@given(lists=st.lists(texts, min_size=1, max_size=4), content=pieces, sizes=cuts)
def test_messages_in_a_row_stay_apart(lists: list[list[bytes]], content: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(pkt_line.encode_lines(*lines) + content_of(content) for lines in lists)
    read = reader(stream, sizes)
    for lines in lists:
        assert pkt_line.read_lines(read) == lines
        assert pkt_line.read_content(read) == content
    with pytest.raises(pkt_line.StreamEnded) as ended:
        pkt_line.read_lines(read)
    assert ended.value.at_boundary


@given(lines=texts.filter(bool), content=pieces, sizes=cuts, data=st.data())
def test_a_truncated_stream_is_distinguished_from_one_at_its_end(
    lines: list[bytes], content: list[bytes], sizes: list[int], data: st.DataObject
) -> None:
    stream = pkt_line.encode_lines(*lines) + content_of(content)
    short = stream[: data.draw(st.integers(1, len(stream) - 1))]
    read = reader(short, sizes)
    with pytest.raises(pkt_line.StreamEnded) as ended:
        pkt_line.read_lines(read)
        pkt_line.read_content(read)
    assert not ended.value.at_boundary


@given(garbage=st.binary(min_size=4, max_size=80))
def test_invalid_packets_are_never_accepted(garbage: bytes) -> None:
    try:
        content = pkt_line.read_content(io.BytesIO(garbage).read)
    except (pkt_line.InvalidPacket, pkt_line.StreamEnded):
        return
    assert garbage.startswith(content_of(content)[:3]) or garbage[:4].lower() == content_of(content)[:4]


@pytest.mark.parametrize("head", [b"0001", b"0003", b"-001", b"+00a", b" 00a", b"00_a", b"zzzz", b"0x1f"])
def test_an_impossible_length_is_refused(head: bytes) -> None:
    with pytest.raises(pkt_line.InvalidPacket):
        pkt_line.read_packet(io.BytesIO(head + b"x" * 100).read)


@pytest.mark.parametrize("size", [0, 1, 65515, 65516, 65517, 200_000])
def test_no_packet_is_larger_than_git_takes(size: int) -> None:
    data = b"k" * size
    stream = content_of([data])
    read = io.BytesIO(stream).read
    parts = pkt_line.read_content(read)
    assert b"".join(parts) == data
    assert all(len(part) <= pkt_line.MAX_CONTENT for part in parts)
    assert stream.endswith(pkt_line.FLUSH)


def test_an_empty_packet_is_content_of_nothing() -> None:
    assert pkt_line.read_packet(io.BytesIO(b"0004").read) == b""
