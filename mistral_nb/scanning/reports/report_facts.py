"""What a report tells beside its findings, and how it names their files."""

import os
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from mistral_nb.file_scrub.clean_file import STDIN
from mistral_nb.key_records import GIT_PLACES
from mistral_nb.paths import is_inside
from mistral_nb.scanning.scan_findings import ScanFinding


class ReportFacts(NamedTuple):
    """``folder``: where the scan ran, which relative names count from. ``root``: the repository's top, which names in
    a report count from. ``is_complete``: whether all could be read. ``summary``: the scan's last line."""

    findings: tuple[ScanFinding, ...]
    folder: str
    root: str
    started: datetime
    ended: datetime
    is_complete: bool
    summary: str
    messages: tuple[str, ...] = ()

    @property
    def counted(self) -> list[ScanFinding]:
        return [finding for finding in self.findings if finding.is_counted]


def name_from_root(finding: ScanFinding, facts: ReportFacts) -> str:
    """The file as the repository names it, with ``/``; an absolute path if it is outside of it.

    What is no file (standard input, a commit's message) is named in words.
    """
    record = finding.record
    if record.file == STDIN:
        return "standard input"
    if finding.is_in_history:  # as git names it already
        return f"{record.file} ({record.place})" if record.place in GIT_PLACES else record.file
    folder, name = os.path.split(os.path.join(facts.folder, record.file))
    path, root = os.path.join(_real_path(folder), name), _real_path(facts.root)
    if is_inside(path, root):
        path = os.path.relpath(path, root)
    return path.replace(os.sep, "/")


@lru_cache(maxsize=1024)
def _real_path(folder: str) -> str:
    """Files share their folders, and each part of a path costs a look at the disk."""
    return os.path.realpath(folder)


def make_uri(name: str) -> str:
    """A name as a relative or an absolute URI."""
    data = os.fsencode(name)
    return f"file://{quote(data)}" if os.path.isabs(name) else quote(data)


def format_utc(moment: datetime, end: str = "Z") -> str:
    """``2027-01-31T12:00:00Z``"""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + end
