"""Archives are read within limits; what is not read is told."""

import gzip
import io
import zipfile

import pytest

from mistral_nb.redaction import archive_members
from mistral_nb.redaction.archive_members import is_archive, read_members


def packed(**members: bytes) -> bytes:
    """A zip archive; ``a_txt`` is ``a.txt`` in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return out.getvalue()


def read(data: bytes) -> list[tuple[str, bytes | None, str]]:
    assert is_archive(data)
    return [tuple(member) for member in read_members(data)]


def test_the_members_of_a_zip_archive_and_of_one_inside_it() -> None:
    inner = packed(b_txt=b"two")
    data = packed(a_txt=b"one", inner_zip=inner)
    assert read(data) == [("a.txt", b"one", ""), ("inner.zip", inner, ""), ("inner.zip!b.txt", b"two", "")]


def test_a_gzip_file_of_several_parts_is_one_content() -> None:
    assert read(gzip.compress(b"one") + gzip.compress(b"two")) == [("content", b"onetwo", "")]


def nested(depth: int) -> bytes:
    data = b"the end"
    for _ in range(depth):
        data = gzip.compress(data)
    return data


def encrypted() -> bytes:
    data = bytearray(packed(a_txt=b"one"))
    data[6] |= 1  # in the header of the member
    data[data.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    return bytes(data)


def otherwise_compressed() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.txt", bytes(1000))
    return out.getvalue()


def damaged() -> bytes:
    whole = packed(a_txt=bytes(range(256)) * 9)
    return whole[:50] + b"xxxx" + whole[54:]


UNREAD = {
    archive_members.TOO_LARGE: lambda: packed(bomb_txt=bytes(3 << 20)),
    archive_members.TOO_DEEP: lambda: nested(archive_members.MAX_DEPTH + 1),
    archive_members.ENCRYPTED: encrypted,
    archive_members.UNKNOWN: otherwise_compressed,
    archive_members.DAMAGED: damaged,
    archive_members.TOO_MANY: lambda: (
        packed(a_txt=b"one") + archive_members._DIRECTORY_ENTRY * archive_members.MAX_MEMBERS
    ),
}


@pytest.mark.parametrize("reason", UNREAD)
def test_what_is_not_read_is_told_with_its_reason(reason: str) -> None:
    *_, last = read_members(UNREAD[reason]())
    assert (last.data, last.reason) == (None, reason)


@pytest.mark.parametrize("cut", [5, 20, 60])
def test_the_beginning_of_an_archive_is_damaged(cut: int) -> None:
    for whole in (packed(a_txt=bytes(range(256)) * 9), gzip.compress(bytes(range(256)) * 9)):
        assert [member.reason for member in read_members(whole[:cut])] == [archive_members.DAMAGED]


def test_a_bomb_takes_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_members, "MAX_TOTAL", 5 << 20)
    plain = packed(**{f"{number}_bin": bytes(900_000) for number in range(20)})
    sizes = [len(member.data) for member in read_members(plain) if member.data is not None]
    assert sum(sizes) <= 5 << 20
    told = [member for member in read_members(plain) if member.data is None]
    assert {member.reason for member in told} == {archive_members.TOO_LARGE}
    assert len(sizes) + len(told) == 20
