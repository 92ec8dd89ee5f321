"""What is inside a zip archive or a gzip file, within limits: of a bomb it is told that it was not read."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

MAX_DEPTH = 3  # archives in archives
MAX_MEMBERS = 5_000  # of one archive
MAX_MEMBER = 32 << 20  # bytes
MAX_TOTAL = 128 << 20  # bytes, of all members of one file
MAX_RATIO = 200  # times the compressed size, for members over `_SMALL`
_SMALL = 1 << 20  # bytes
CONTENT = "content"  # the name of what is in a gzip file, which need not have one
SEPARATOR = "!"
TOO_LARGE, TOO_MANY, TOO_DEEP = "too large", "too many members", "too deeply nested"
ENCRYPTED, UNKNOWN, DAMAGED = "encrypted", "another compression", "damaged"

_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b\x08"
_DIRECTORY_ENTRY = b"PK\x01\x02"
_READ = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # the others are unpacked without a limit
_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


class ArchiveMember(NamedTuple):
    """``name``: ``inner.zip!a.txt`` in an archive inside it; "" where the archive itself can't be read. ``data``: None
    where it was not read, for the ``reason``."""

    name: str
    data: bytes | None
    reason: str = ""


def is_archive(data: bytes) -> bool:
    return data.startswith((_ZIP, _GZIP))


def read_members(data: bytes) -> Iterator[ArchiveMember]:
    """The files in an archive, and in archives inside it. Never raises; one member at a time is in memory."""
    yield from _Reader().read(data, "", 1)


class _Reader:
    """``left``: bytes that may still be unpacked."""

    def __init__(self) -> None:
        self.left = MAX_TOTAL

    def read(self, data: bytes, prefix: str, depth: int) -> Iterator[ArchiveMember]:
        if depth > MAX_DEPTH:
            yield ArchiveMember(prefix.removesuffix(SEPARATOR), None, TOO_DEEP)
            return
        for member in self._unzip(data) if data.startswith(_ZIP) else self._gunzip(data):
            name = prefix + member.name if member.name else prefix.removesuffix(SEPARATOR)
            yield member._replace(name=name)
            if member.data is not None and is_archive(member.data):
                yield from self.read(member.data, name + SEPARATOR, depth + 1)

    def _gunzip(self, data: bytes) -> Iterator[ArchiveMember]:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                yield self._take(CONTENT, stream, len(data))
        except _DAMAGES:
            yield ArchiveMember(CONTENT, None, DAMAGED)

    def _unzip(self, data: bytes) -> Iterator[ArchiveMember]:
        if data.count(_DIRECTORY_ENTRY) > MAX_MEMBERS:
            yield ArchiveMember("", None, TOO_MANY)
            return
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
        except _DAMAGES:
            yield ArchiveMember("", None, DAMAGED)
            return
        with archive:
            yield from (self._open(archive, info) for info in archive.infolist() if not info.is_dir())

    def _open(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> ArchiveMember:
        if info.flag_bits & 1:
            return ArchiveMember(info.filename, None, ENCRYPTED)
        if info.compress_type not in _READ:
            return ArchiveMember(info.filename, None, UNKNOWN)
        try:
            with archive.open(info) as stream:
                return self._take(info.filename, stream, info.compress_size)
        except _DAMAGES:
            return ArchiveMember(info.filename, None, DAMAGED)

    def _take(self, name: str, stream: IO[bytes] | gzip.GzipFile, packed: int) -> ArchiveMember:
        limit = min(MAX_MEMBER, self.left, max(_SMALL, MAX_RATIO * packed))
        data = stream.read(limit + 1)
        self.left -= min(len(data), self.left)
        return ArchiveMember(name, None, TOO_LARGE) if len(data) > limit else ArchiveMember(name, data)
