"""One file, or the bytes of one: keys taken out where that is allowed, and reported where it is not."""

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mistral_nb.errors import IndexUnreadable
from mistral_nb.files import write_atomically
from mistral_nb.home import home
from mistral_nb.saving import rules
from mistral_nb.scrub import ALL_TIERS, Finding, redact
from mistral_nb.scrub.findings import REPORTED
from mistral_nb.store.index import Index
from mistral_nb.watch import Watchlist

_COUNTED = ALL_TIERS | {REPORTED}
_ATTEMPTS = 3
STDIN = "-"


class Cleaned(NamedTuple):
    """``data`` is the same object as was given when nothing was removed.

    ``removed`` and ``left`` are what counts as a finding; ``noted`` is what does not: other
    vendors' identifiers, and keys that a line or the settings say to keep.
    """

    data: bytes
    removed: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()
    noted: tuple[Finding, ...] = ()


class Outcome(NamedTuple):
    """What came of one file. ``problem``: why it could not be read or written; nothing was changed.

    ``pending``: there is something to remove that no store keeps, and `clean_file` was told to
    wait until that has been said.
    """

    path: str
    removed: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()
    noted: tuple[Finding, ...] = ()
    problem: str = ""
    note: str = ""
    pending: bool = False


class Order(NamedTuple):
    """What to do with a file: change it (``write``), or only look.

    ``asked``: a person named it or a folder above it. ``kept``: the fingerprints that a store keeps; with it, a file
    with any other key is left ``pending``, to be named first. ``binary``: look into binary files too.
    ``like``: the path whose name says what sort of file it is, where its own does not: a checkpoint's.
    ``ours``: a copy that was just made, write protection and all, for nobody to rely on yet.
    """

    write: bool
    asked: bool = True
    kept: frozenset[str] | None = None
    binary: bool = True
    like: str = ""
    ours: bool = False


class FileChanged(Exception):
    """Somebody else wrote the file between our reading and our writing."""


def clean(data: bytes, path: str, watchlist: Watchlist, allowed: frozenset[str] = ALL_TIERS) -> Cleaned:
    """``data`` without the keys of the ``allowed`` tiers; what else is found is ``left``."""
    result = redact(data, watchlist, name=path)
    if not result.findings:
        return Cleaned(data)
    removed, left, noted = parted(result.findings, allowed)
    if not removed:
        return Cleaned(data, (), left, noted)
    if any(finding.tier in ALL_TIERS for finding in left):  # they went as well
        result = redact(data, watchlist, tiers=allowed, name=path)
    return Cleaned(result.data, removed, left, noted)


def clean_file(path: str, watchlist: Watchlist, order: Order) -> Outcome:
    """Clean one file in place, or only look; mode and symbolic links stay. Never raises for what the file is."""
    try:
        for _ in range(_ATTEMPTS):
            try:
                return _clean_file(path, watchlist, order)
            except FileChanged:
                continue
        return Outcome(path, problem="it is being written by another program")
    except OSError as error:
        return Outcome(path, problem=error.strerror or type(error).__name__)
    except (MemoryError, RecursionError) as error:
        return Outcome(path, problem=type(error).__name__)


def clean_as(
    data: bytes, path: str, watchlist: Watchlist, *, asked: bool, tiers: frozenset[str] = ALL_TIERS
) -> Cleaned:
    """What may be taken out of a file at ``path`` is; the rest is ``left``."""
    kind = rules.kind_of(path, data)
    cleaned = clean(data, path, watchlist, tiers & rules.rewritten(kind, asked=asked, strict=watchlist.strict))
    if cleaned.removed and kind not in (rules.NOTEBOOK, rules.PAIRED) and is_ignored(path):
        return Cleaned(data, (), cleaned.removed + cleaned.left, cleaned.noted)
    return cleaned


def _clean_file(path: str, watchlist: Watchlist, order: Order) -> Outcome:
    data, status = _read(path)
    if not order.binary and rules.is_binary(data):
        return Outcome(path)
    cleaned = clean_as(data, order.like or path, watchlist, asked=order.asked)
    outcome = Outcome(path, cleaned.removed, cleaned.left, cleaned.noted)
    if cleaned.data is data or not order.write:
        return outcome
    if order.kept is not None and any(f.fingerprint not in order.kept for f in cleaned.removed):
        return outcome._replace(pending=True)
    _replace(path, cleaned.data, status, protected=not order.ours)
    if status.st_nlink > 1:
        note = "it has another name (a hard link), and there the key still is"
        return outcome._replace(note=note)
    return outcome


def _read(path: str) -> tuple[bytes, os.stat_result]:
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for its writer
        raise OSError(0, "it is no regular file")
    with open(path, "rb") as file:
        return file.read(), os.fstat(file.fileno())


def _replace(path: str, data: bytes, before: os.stat_result, *, protected: bool = True) -> None:
    """Put ``data`` in the file's place; a symbolic link stays, and its target changes."""
    target = os.path.realpath(path)

    def look() -> None:
        now = os.stat(target)
        if (now.st_mtime_ns, now.st_size, now.st_ino) != (before.st_mtime_ns, before.st_size, before.st_ino):
            raise FileChanged

    look()
    if protected and not os.access(target, os.W_OK):  # replacing would get around a write protection
        raise PermissionError(0, "it is write-protected")
    write_atomically(target, data, stat.S_IMODE(before.st_mode), last_look=look)
    after = os.stat(target)
    if os.name == "posix" and (after.st_uid, after.st_gid) != (before.st_uid, before.st_gid):
        with contextlib.suppress(OSError):  # only root may give a file away
            os.chown(target, before.st_uid, before.st_gid)


def is_ignored(path: str) -> bool:
    """Whether git ignores the file: then a key in it is in no commit, and may be the only copy."""
    import subprocess

    folder, name = os.path.split(os.path.abspath(path))
    try:
        asked = subprocess.run(
            ["git", "check-ignore", "-q", "--", name],
            check=False,
            cwd=folder,
            env=without_git(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):  # no git, no ignoring
        return False
    return asked.returncode == 0


def stored(environ: Mapping[str, str]) -> frozenset[str]:
    """The fingerprints of the keys that a store here keeps, in use or not; none where the index can't be read."""
    from mistral_nb.store import entries  # only where something is written

    try:
        return entries.stored(Index(home(environ)).read())
    except IndexUnreadable:  # the watchlist says so
        return frozenset()


def without_git() -> dict[str, str]:
    """The environment without what a git hook sets, which speaks of another repository's files."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def parted(
    findings: Iterable[Finding], allowed: frozenset[str]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...], tuple[Finding, ...]]:
    """What is removed, what counts and is left, and what is only noted."""
    counted = [f for f in findings if f.tier in _COUNTED]
    return (
        tuple(f for f in counted if f.tier in allowed),
        tuple(f for f in counted if f.tier not in allowed),
        tuple(f for f in findings if f.tier not in _COUNTED),
    )
