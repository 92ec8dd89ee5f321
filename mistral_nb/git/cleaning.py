"""The closer look at a file that may hold a key: what goes, and what stays because it was committed before.

Imported by `mistral_nb.git.filter` when such a file comes, and not before.
"""

import os
from collections.abc import Callable

from mistral_nb.config import find_project
from mistral_nb.git.plumbing import Blobs, Git, GitFailed, staged
from mistral_nb.git.wrap import Wrapped
from mistral_nb.scrub import redact
from mistral_nb.scrub.findings import KNOWN, REMEMBERED, SUSPECTED, Finding
from mistral_nb.scrub.shapes import STANDARD
from mistral_nb.store.index import Seen
from mistral_nb.watch import Watchlist, gather

NOTEBOOK = frozenset({REMEMBERED, SUSPECTED})
OTHER = frozenset({REMEMBERED})  # in source files only what is certainly a key
_MOST_LINES = 5


class Cleaning:
    """One git command's files. ``say`` shows a line; ``git`` is asked only about files that hold a key."""

    def __init__(
        self,
        home: str,
        everything: bool = False,
        wraps: str = "",
        *,
        say: Callable[[str], None],
        git: Git | None = None,
    ) -> None:
        self._git = git or Git()
        self._everything = everything
        self._wrapped = Wrapped(self._git, wraps) if wraps else None
        self._say = say
        self._watchlist = for_filter(home, self._git.folder)
        self._keeps: dict[str, frozenset[str]] = {}
        self._blobs: Blobs | None = None
        self._removed: list[str] = []
        self._passed: list[str] = []
        for problem in self._watchlist.problems:
            say(problem)

    def clean(self, path: str, data: bytes) -> bytes:
        """The content to store: the same object when there is nothing to remove. Raises `GitFailed`."""
        cleaned = self._without_keys(path, data)
        if self._wrapped is None:
            return cleaned
        converted = self._wrapped.clean(path, cleaned, self._say)
        return self._without_keys(path, converted)

    def smudge(self, path: str, data: bytes) -> bytes:
        return self._wrapped.smudge(path, data, self._say) if self._wrapped else data

    def close(self) -> None:
        """Say what was done, once a command."""
        if self._blobs:
            self._blobs.close()
        removed = list(dict.fromkeys(self._removed))  # git asks about a file more than once
        for line in removed[:_MOST_LINES]:
            self._say(line)
        if len(removed) > _MOST_LINES:
            self._say(f"and keys in {len(removed) - _MOST_LINES} further files.")
        if self._passed:
            more = f" and {len(self._passed) - 1} more" if len(self._passed) > 1 else ""
            self._say(
                f"{self._passed[0]}{more}: a key that is committed already stays. "
                "To take it out: mistral-nb protect --renormalize"
            )

    def _without_keys(self, path: str, data: bytes) -> bytes:
        watchlist = self._watchlist._replace(keep=self._keep(os.path.dirname(path)))
        tiers = NOTEBOOK if path.lower().endswith(".ipynb") or watchlist.strict else OTHER
        result = redact(data, watchlist, tiers=tiers, name=path)
        if result.data is data:
            return data
        old = frozenset() if self._everything else self._committed(path, result.findings, watchlist)
        if old:
            self._passed += [path] if path not in self._passed else []
            if all(finding.fingerprint in old for finding in _removed(result.findings)):
                return data
            result = redact(data, _without(watchlist, old), tiers=tiers, name=path)
        self._removed.append(_told(path, _removed(result.findings)))
        return result.data

    def _committed(self, path: str, findings: tuple[Finding, ...], watchlist: Watchlist) -> frozenset[str]:
        """The fingerprints of those keys that are in the path's blob in the index (in a merge: in one of them)."""
        lengths = {seen.fingerprint: seen.length for seen in watchlist.remembered}
        asked = tuple(
            Seen(f.fingerprint, lengths.get(f.fingerprint, STANDARD), f.tail, "", "")
            for f in _removed(findings)
            if f.fingerprint
        )
        try:
            names = [entry.blob for entry in staged(self._git, [path])]
        except GitFailed:  # no repository around: nothing was committed
            return frozenset()
        return frozenset(name for blob in names for name in self._holds(blob, Watchlist(remembered=asked), path))

    def _holds(self, blob: str, watchlist: Watchlist, path: str) -> set[str]:
        if self._blobs is None:
            self._blobs = Blobs(self._git)
        data = self._blobs.read(blob) or b""
        written = {data, self._wrapped.smudge(path, data, self._say)} if self._wrapped else {data}  # LFS: a pointer
        findings = [finding for each in written for finding in redact(each, watchlist, tiers=OTHER, name=path).findings]
        return {finding.fingerprint for finding in findings if finding.tier == REMEMBERED}

    def _keep(self, folder: str) -> frozenset[str]:
        """The keep list that holds for a folder, seen from the top of the working tree."""
        if folder not in self._keeps:
            listed = find_project(os.path.join(self._git.folder, folder)).table.get("keep", ())
            self._keeps[folder] = frozenset(map(str, listed)) if isinstance(listed, list) else frozenset()
        return self._keeps[folder]


def for_filter(home: str, folder: str) -> Watchlist:
    """What the filter looks for: the index alone, so that every terminal makes the same of a file."""
    watchlist = gather(folder, environ={"MISTRAL_NB_HOME": home}, with_environment=False)
    return watchlist._replace(reported=frozenset())


def _without(watchlist: Watchlist, old: frozenset[str]) -> Watchlist:
    remembered = tuple(seen for seen in watchlist.remembered if seen.fingerprint not in old)
    return watchlist._replace(remembered=remembered, keep=watchlist.keep | old)


def _removed(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.tier in (KNOWN, REMEMBERED, SUSPECTED)]


def _told(path: str, findings: list[Finding]) -> str:
    tails = ", ".join(dict.fromkeys(f"…{finding.tail}" for finding in findings))
    cells = sorted({finding.cell for finding in findings if finding.cell})
    where = f" (cell {', '.join(map(str, cells[:3]))}{' …' if len(cells) > 3 else ''})" if cells else ""
    return f"{path}{where}: key {tails} is left out of what git stores; your file keeps it."
