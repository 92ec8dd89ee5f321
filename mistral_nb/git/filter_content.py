"""The full search of a file that may contain a key: what is removed, and what stays because it was committed.

Imported by `mistral_nb.git.filter_process` when such a file comes, and not before.
"""

import os
from collections.abc import Callable, Mapping

from mistral_nb.api_key import Key
from mistral_nb.config import find_project, sets_aside
from mistral_nb.errors import CannotClean, NotSetAside
from mistral_nb.git import stashed_keys
from mistral_nb.git.calling_command import find_calling_command, leaves_files
from mistral_nb.git.key_names import hide_keys
from mistral_nb.git.run_git import BlobReader, Git, GitFailed, list_staged_entries
from mistral_nb.git.wrapped_filter import WrappedFilter
from mistral_nb.key_records import (
    SET_ASIDE,
    KeyRecord,
    find_endangered,
    format_copies,
    format_count,
    format_keys,
    make_records,
)
from mistral_nb.redaction.findings import KNOWN, REMEMBERED, SUSPECTED, Finding
from mistral_nb.redaction.keep_list import read_keep_list
from mistral_nb.redaction.key_spellings import STANDARD_LENGTH
from mistral_nb.redaction.redact import redact
from mistral_nb.storage.index import RememberedKey
from mistral_nb.watchlist import Watchlist, build_watchlist
from mistral_nb.wording import plural

NOTEBOOK_TIERS = frozenset({REMEMBERED, SUSPECTED})
OTHER_TIERS = frozenset({REMEMBERED})  # in source files, only certain keys
_MOST_LINES = 5


class ContentFilter:
    """One git command's files. ``say`` shows a line; ``git`` is asked only about files that contain a key.

    ``include_committed``: keys that were committed before are removed as well.
    """

    def __init__(
        self,
        home: str,
        wraps: str = "",
        *,
        include_committed: bool = False,
        say: Callable[[str], None],
        git: Git | None = None,
    ) -> None:
        self._home = home
        self._git = git or Git()
        self._includes_committed = include_committed
        self._wrapped_filter = WrappedFilter(self._git, wraps) if wraps else None
        self._watchlist = filter_watchlist(home, self._git.folder)
        self._say_line = say
        self._keep_lists: dict[str, frozenset[str]] = {}
        self._blobs: BlobReader | None = None
        self._removal_lines: list[str] = []
        self._left: dict[str, tuple[KeyRecord, ...]] = {}  # by path: keys that were committed before
        for problem in self._watchlist.problems:
            self._say(problem)

    def hide_keys(self, line: str) -> str:
        """A line, or a name in it, as it may be shown."""
        return hide_keys(line, self._watchlist)

    def clean(self, path: str, data: bytes) -> bytes:
        """The content to store: the same object when there is nothing to remove. Raises `GitFailed`, `CannotClean`."""
        cleaned = self._remove_keys(path, data)
        if self._wrapped_filter is None:
            return cleaned
        converted = self._wrapped_filter.clean(path, cleaned, self._say)
        return self._remove_keys(path, converted)

    def smudge(self, path: str, data: bytes) -> bytes:
        return self._wrapped_filter.smudge(path, data, self._say) if self._wrapped_filter else data

    def close(self) -> None:
        """Report what was done, once per command."""
        if self._blobs:
            self._blobs.close()
        removed = list(dict.fromkeys(self._removal_lines))  # git asks about a file more than once
        for line in removed[:_MOST_LINES]:
            self._say(line)
        if len(removed) > _MOST_LINES:
            self._say(f"and keys in {len(removed) - _MOST_LINES} further files.")
        if self._left:
            path, records = next(iter(self._left.items()))
            more = f", and {plural(len(self._left) - 1, 'more file')}" if len(self._left) > 1 else ""
            self._say(
                f"{path}: already committed, so left in place: {format_count(records)}, {format_keys(records)}{more}. "
                "To remove them: mistral-nb protect --renormalize"
            )

    def _say(self, line: str) -> None:
        self._say_line(self.hide_keys(line))  # the name of a file may hold one

    def _remove_keys(self, path: str, data: bytes) -> bytes:
        watchlist = self._watchlist._replace(keep=self._keep_list(os.path.dirname(path)))
        tiers = NOTEBOOK_TIERS if path.lower().endswith(".ipynb") or watchlist.strict else OTHER_TIERS
        result = redact(data, watchlist, tiers=tiers, name=path)
        if result.problem:
            raise CannotClean(f"It contains a key: {result.problem}.", "Remove it by hand.")
        if result.data is data:
            return data
        old = frozenset() if self._includes_committed else self._find_committed(path, result.findings, watchlist)
        if old:
            rewritten = _select_rewritten(result.findings)
            left = [finding for finding in rewritten if finding.fingerprint in old]
            self._left.setdefault(path, make_records(path, left, self._watchlist))
            if len(left) == len(rewritten):
                return data
            result = redact(data, _exclude_committed(watchlist, old), tiers=tiers, name=path)
        removed = make_records(path, _select_rewritten(result.findings), self._watchlist)
        self._removal_lines.append(self._format_removal(path, removed, result.keys))
        return result.data

    def _format_removal(self, path: str, removed: tuple[KeyRecord, ...], keys: Mapping[str, Key]) -> str:
        """What was removed; where the file is about to lose it as well, it is set aside first. Raises `NotSetAside`."""
        what = f"{path}: {format_count(removed)} removed from what git stores"
        command = stashed_keys.find_losing_command(os.environ, self._git.folder)
        if not (command and sets_aside(os.environ)):
            # all of it set aside: a stash may have begun, which takes it out of the file
            has_other = any(record.kept != SET_ASIDE for record in removed)
            stays = has_other and not command and leaves_files(find_calling_command())
            return f"{what}{', not from your file' * stays}: {format_keys(removed)}"
        endangered = find_endangered(removed, keys, self._watchlist)
        try:
            removed = stashed_keys.set_aside(removed, endangered, self._home, os.environ)
        except NotSetAside as error:
            if command not in stashed_keys.UNDER_WAY:
                raise
            return f"{what}, and your file may lose it in this {command}: {format_keys(removed)}. {error.failed}"
        return ". ".join(filter(None, (f"{what}: {format_keys(removed)}", format_copies(removed))))

    def _find_committed(self, path: str, findings: tuple[Finding, ...], watchlist: Watchlist) -> frozenset[str]:
        """The fingerprints of those keys that are in the path's blob in the index (in a merge: in one of them)."""
        lengths = {seen.fingerprint: seen.length for seen in watchlist.remembered}
        asked = tuple(
            RememberedKey(f.fingerprint, lengths.get(f.fingerprint, STANDARD_LENGTH), f.tail, "", "")
            for f in _select_rewritten(findings)
            if f.fingerprint
        )
        try:
            names = [entry.blob for entry in list_staged_entries(self._git, [path])]
        except GitFailed:  # no repository around: nothing was committed
            return frozenset()
        return frozenset(name for blob in names for name in self._find_in_blob(blob, Watchlist(remembered=asked), path))

    def _find_in_blob(self, blob: str, watchlist: Watchlist, path: str) -> set[str]:
        if self._blobs is None:
            self._blobs = BlobReader(self._git)
        data = self._blobs.read(blob) or b""
        written = (
            {data, self._wrapped_filter.smudge(path, data, self._say)} if self._wrapped_filter else {data}
        )  # LFS: a pointer
        findings = [
            finding for each in written for finding in redact(each, watchlist, tiers=OTHER_TIERS, name=path).findings
        ]
        return {finding.fingerprint for finding in findings if finding.tier == REMEMBERED}

    def _keep_list(self, folder: str) -> frozenset[str]:
        """The keep list for a folder, relative to the top of the working tree."""
        if folder not in self._keep_lists:
            self._keep_lists[folder] = read_keep_list(find_project(os.path.join(self._git.folder, folder)).table)
        return self._keep_lists[folder]


def filter_watchlist(home: str, folder: str) -> Watchlist:
    """What the filter looks for: only the index, so that every terminal gives the same result."""
    watchlist = build_watchlist(folder, environ={"MISTRAL_NB_HOME": home}, with_environment=False)
    return watchlist._replace(reported=frozenset())


def _exclude_committed(watchlist: Watchlist, old: frozenset[str]) -> Watchlist:
    remembered = tuple(seen for seen in watchlist.remembered if seen.fingerprint not in old)
    return watchlist._replace(remembered=remembered, keep=watchlist.keep | old)


def _select_rewritten(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.tier in (KNOWN, REMEMBERED, SUSPECTED)]
