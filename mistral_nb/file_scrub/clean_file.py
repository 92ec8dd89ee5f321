"""Cleans one file, or its bytes: keys are removed where that is allowed, and reported where it is not."""

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from mistral_nb.api_key import Key
from mistral_nb.bounded_read import read_with_status
from mistral_nb.errors import CannotClean, NotSetAside, reason
from mistral_nb.file_io import stamp_of, write_atomically
from mistral_nb.file_scrub import file_types
from mistral_nb.file_scrub.key_copies import CopyKeeper, keep_copies
from mistral_nb.key_records import SET_ASIDE, STORED, KeyRecord, make_records
from mistral_nb.paths import is_inside
from mistral_nb.redaction.findings import ALL_TIERS, COUNTED_TIERS, Finding, select_counted
from mistral_nb.redaction.redact import redact
from mistral_nb.watchlist import Watchlist

_ATTEMPTS = 3
STDIN = "-"


class CleanResult(NamedTuple):
    """``data`` is the same object as was given when nothing was removed.

    ``removed`` and ``left`` count as findings; ``noted`` does not: other
    vendors' keys, identifiers, and keys that a line or the settings say to keep. ``keys``: by fingerprint, at least the
    remembered and suspected ones that were removed. ``why_left``: a reason, if there is one to give to a person who
    asked for removal.
    """

    data: bytes
    removed: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()
    noted: tuple[Finding, ...] = ()
    keys: Mapping[str, Key] = MappingProxyType({})
    why_left: str = ""


class FileResult(NamedTuple):
    """The result for one file. ``problem``: why it could not be read or written; nothing was changed.

    ``needs_warning``: there is a key to remove that is in no store, and `clean_file` was asked to
    wait until that was reported. ``note``: what else the person has to know. ``why_left``: as in `CleanResult`.
    """

    path: str
    removed: tuple[KeyRecord, ...] = ()
    left: tuple[KeyRecord, ...] = ()
    noted: tuple[KeyRecord, ...] = ()
    problem: str = ""
    note: str = ""
    needs_warning: bool = False
    why_left: str = ""

    def rename(self, name: str) -> "FileResult":
        """The same for a file that people know by another name."""
        removed, left, noted = (
            tuple(record._replace(file=name) for record in group) for group in (self.removed, self.left, self.noted)
        )
        return self._replace(path=name, removed=removed, left=left, noted=noted)


class CleanOptions(NamedTuple):
    """What to do with a file: change it (``write``), or only search it.

    ``is_explicit``: a person named it or a folder above it; ``is_named``: it, rather than the folder. ``root``: a
    link that leads out of this folder is not followed; "": every link is. ``warns_first``: a file with a key that no
    store keeps is left to be warned about first. ``type_path``: the path whose name says what sort of file it is, where
    its own does not: a checkpoint's. ``is_own_copy``: a copy that was just made, including write protection, that
    nothing relies on yet. ``keep_copy`` is called with each key that may be in no other place, before the file is
    changed; None: such keys are removed all the same. ``name``: what people call the file, where that is not its path.
    """

    write: bool
    is_explicit: bool = True
    is_named: bool = True
    root: str = ""
    warns_first: bool = False
    type_path: str = ""
    is_own_copy: bool = False
    keep_copy: CopyKeeper | None = None
    name: str = ""


def make_result(path: str, cleaned: CleanResult, watchlist: Watchlist) -> FileResult:
    """What is told of a file, called ``path``, or of a text that is called so."""
    removed, left, noted = (
        make_records(path, group, watchlist) for group in (cleaned.removed, cleaned.left, cleaned.noted)
    )
    return FileResult(path, removed, left, noted, why_left=cleaned.why_left)


class FileChanged(Exception):
    """Another program wrote the file between our reading and our writing."""


def clean_bytes(data: bytes, path: str, watchlist: Watchlist, allowed: frozenset[str] = ALL_TIERS) -> CleanResult:
    """``data`` without the keys of the ``allowed`` tiers; what else is found is ``left``. Raises `CannotClean`."""
    result = redact(data, watchlist, name=path)
    if not result.findings:
        return CleanResult(data)
    removed, left, noted = split_findings(result.findings, allowed)
    if not removed:
        return CleanResult(data, (), left, noted)
    if any(finding.tier in ALL_TIERS for finding in left):  # they went as well
        result = redact(data, watchlist, tiers=allowed, name=path)
    if result.problem:
        raise CannotClean(result.problem)
    return CleanResult(result.data, removed, left, noted, result.keys)


def search_bytes(data: bytes, path: str, watchlist: Watchlist) -> CleanResult:
    """What `clean_bytes` finds, with nothing removed. Never raises."""
    removed, left, noted = split_findings(redact(data, watchlist, name=path).findings, ALL_TIERS)
    return CleanResult(data, (), (*removed, *left), noted)


def clean_file(path: str, watchlist: Watchlist, options: CleanOptions) -> FileResult:
    """Clean or only search one file; mode and symbolic links stay. Never raises because of the file's content."""
    try:
        for _ in range(_ATTEMPTS):
            try:
                return _clean_file_once(path, watchlist, options)
            except FileChanged:
                continue
        return FileResult(path, problem="it is being written by another program")
    except OSError as error:
        return FileResult(path, problem=reason(error))
    except CannotClean as error:
        return FileResult(path, problem=str(error))
    except (MemoryError, RecursionError) as error:
        return FileResult(path, problem=type(error).__name__)


def clean_by_type(
    data: bytes,
    path: str,
    watchlist: Watchlist,
    *,
    is_explicit: bool,
    is_named: bool = False,
    tiers: frozenset[str] = ALL_TIERS,
    beginning: bytes | None = None,
) -> CleanResult:
    """Remove what may be removed from a file at ``path``; the rest is ``left``.

    ``beginning``: the file's first bytes, where ``data`` is a later part of it.
    """
    kind = file_types.detect_type(path, data if beginning is None else beginning)
    rewritable = file_types.rewritable_tiers(kind, is_explicit=is_explicit, is_named=is_named, strict=watchlist.strict)
    cleaned = clean_bytes(data, path, watchlist, tiers & rewritable)
    if cleaned.removed and kind not in (file_types.NOTEBOOK, file_types.PAIRED) and is_git_ignored(path):
        why = "git ignores this file, so the key is in no commit, and it may be the only copy"
        return CleanResult(data, (), cleaned.removed + cleaned.left, cleaned.noted, why_left=why)
    left = frozenset(finding.tier for finding in cleaned.left)
    if not (left and is_explicit):
        return cleaned
    return cleaned._replace(why_left=file_types.explain_left(kind, left, is_named=is_named))


def _clean_file_once(path: str, watchlist: Watchlist, options: CleanOptions) -> FileResult:
    if options.root and leads_out(path, os.path.realpath(options.root)):
        return FileResult(path, problem=f"it is a link to {os.path.realpath(path)}; give that path instead")
    data, status = read_with_status(path)
    type_path, explicit = options.type_path or path, options.is_explicit
    try:
        cleaned = clean_by_type(data, type_path, watchlist, is_explicit=explicit, is_named=options.is_named)
    except CannotClean:
        if options.write:
            raise
        cleaned = search_bytes(data, type_path, watchlist)
    outcome = make_result(options.name or path, cleaned, watchlist)
    if cleaned.data is data or not options.write:
        return outcome
    return _remove_from_file(path, outcome, cleaned, status, watchlist=watchlist, options=options)


def _remove_from_file(
    path: str,
    outcome: FileResult,
    cleaned: CleanResult,
    status: os.stat_result,
    *,
    watchlist: Watchlist,
    options: CleanOptions,
) -> FileResult:
    """Write the cleaned content, once there is a copy of each key, and whoever wants to know of others first does."""
    if options.keep_copy:
        try:
            committed = options.type_path or path  # of a checkpoint, what git has is the notebook
            removed = keep_copies(outcome.removed, cleaned.keys, watchlist, options.keep_copy, committed)
        except NotSetAside as error:
            return outcome._replace(removed=(), left=(*outcome.removed, *outcome.left), problem=str(error))
        outcome = outcome._replace(removed=removed)
    if options.warns_first and any(record.kept not in (STORED, SET_ASIDE) for record in outcome.removed):
        return outcome._replace(needs_warning=True)
    _write_back(path, cleaned.data, status, protected=not options.is_own_copy)
    if status.st_nlink > 1:
        note = "it has another name (a hard link), which still contains the key"
        return outcome._replace(note=note)
    return outcome


def _write_back(path: str, data: bytes, before: os.stat_result, *, protected: bool = True) -> None:
    """Put ``data`` in the file's place; a symbolic link stays, and its target changes."""
    target = os.path.realpath(path)

    def look() -> None:
        if stamp_of(os.stat(target)) != stamp_of(before):
            raise FileChanged

    look()
    if protected and not os.access(target, os.W_OK):  # replacing would get around a write protection
        raise PermissionError(0, "it is write-protected")
    write_atomically(target, data, stat.S_IMODE(before.st_mode), before_replace=look, attributes_of=target)
    after = os.stat(target)
    if os.name == "posix" and (after.st_uid, after.st_gid) != (before.st_uid, before.st_gid):
        with contextlib.suppress(OSError):  # only root may give a file away
            os.chown(target, before.st_uid, before.st_gid)


def leads_out(path: str, root: str) -> bool:
    """Whether a path, by a link in it, is of a file outside ``root``, a folder without links."""
    return not is_inside(os.path.realpath(path), root)


def is_run_by_git(environ: Mapping[str, str]) -> bool:
    """Whether a commit's hook started this process: then nobody named the files."""
    return "PRE_COMMIT" in environ or "GIT_INDEX_FILE" in environ


def is_git_ignored(path: str) -> bool:
    """Whether git ignores the file: then a key in it is in no commit, and may be the only copy."""
    from subprocess import SubprocessError

    from mistral_nb.git.run_git import Git, GitFailed

    folder, name = os.path.split(os.path.abspath(path))
    try:
        return Git.at_path(folder).run("check-ignore", "-q", "--", name, seconds=10).returncode == 0
    except (GitFailed, OSError, SubprocessError):  # without git nothing is ignored
        return False


def split_findings(
    findings: Iterable[Finding], allowed: frozenset[str]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...], tuple[Finding, ...]]:
    """What is removed, what counts and is left, and what is only noted."""
    counted = select_counted(findings)
    return (
        tuple(f for f in counted if f.tier in allowed),
        tuple(f for f in counted if f.tier not in allowed),
        tuple(f for f in findings if f.tier not in COUNTED_TIERS),
    )
