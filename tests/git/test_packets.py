"""The packet layer: what is written is read again, however the stream is cut."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_nb.git import packets

pieces = st.lists(st.binary(min_size=1, max_size=200), max_size=8)
texts = st.lists(st.binary(max_size=60).filter(lambda text: b"\n" not in text), max_size=6)
cuts = st.lists(st.integers(1, 90), min_size=1, max_size=40)


def content_of(content: list[bytes]) -> bytes:
    return b"".join(packets.content(content))


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
    assert packets.read_content(reader(content_of(content), sizes)) == content


@given(lines=texts, sizes=cuts)
def test_lists_come_back_however_the_stream_is_cut(lines: list[bytes], sizes: list[int]) -> None:
    assert packets.read_lines(reader(packets.lines(*lines), sizes)) == lines


@given(lists=st.lists(texts, min_size=1, max_size=4), content=pieces, sizes=cuts)
def test_messages_in_a_row_stay_apart(lists: list[list[bytes]], content: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(packets.lines(*lines) + content_of(content) for lines in lists)
    read = reader(stream, sizes)
    for lines in lists:
        assert packets.read_lines(read) == lines
        assert packets.read_content(read) == content
    with pytest.raises(packets.StreamEnded) as ended:
        packets.read_lines(read)
    assert ended.value.between


@given(lines=texts.filter(bool), content=pieces, sizes=cuts, data=st.data())
def test_a_stream_cut_short_is_told_from_one_at_its_end(
    lines: list[bytes], content: list[bytes], sizes: list[int], data: st.DataObject
) -> None:
    stream = packets.lines(*lines) + content_of(content)
    short = stream[: data.draw(st.integers(1, len(stream) - 1))]
    read = reader(short, sizes)
    with pytest.raises(packets.StreamEnded) as ended:
        packets.read_lines(read)
        packets.read_content(read)
    assert not ended.value.between


@given(garbage=st.binary(min_size=4, max_size=80))
def test_what_is_no_packet_never_passes_for_one(garbage: bytes) -> None:
    try:
        content = packets.read_content(io.BytesIO(garbage).read)
    except (packets.NotAPacket, packets.StreamEnded):
        return
    assert garbage.startswith(content_of(content)[:3]) or garbage[:4].lower() == content_of(content)[:4]


@pytest.mark.parametrize("head", [b"0001", b"0003", b"-001", b"+00a", b" 00a", b"00_a", b"zzzz", b"0x1f"])
def test_an_impossible_length_is_refused(head: bytes) -> None:
    with pytest.raises(packets.NotAPacket):
        packets.read(io.BytesIO(head + b"x" * 100).read)


@pytest.mark.parametrize("size", [0, 1, 65515, 65516, 65517, 200_000])
def test_no_packet_is_larger_than_git_takes(size: int) -> None:
    data = b"k" * size
    stream = content_of([data])
    read = io.BytesIO(stream).read
    parts = packets.read_content(read)
    assert b"".join(parts) == data
    assert all(len(part) <= packets.LARGEST for part in parts)
    assert stream.endswith(packets.FLUSH)


def test_an_empty_packet_is_content_of_nothing() -> None:
    assert packets.read(io.BytesIO(b"0004").read) == b""
