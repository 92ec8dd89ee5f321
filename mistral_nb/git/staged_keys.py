"""Keys that are already in git's index: reported, and on request removed as a change to commit."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from mistral_nb.git import attributes, filter_config, history_scan
from mistral_nb.git.filter_content import ContentFilter
from mistral_nb.git.object_scanner import ScanProgress
from mistral_nb.git.run_git import BlobReader, Git, GitFailed, list_staged_entries, split_nul
from mistral_nb.key_records import KeyRecord


class StagedKeys(NamedTuple):
    """Tracked files with keys. ``covered``: the filter has them; the others it never sees."""

    covered: dict[str, tuple[KeyRecord, ...]]
    uncovered: dict[str, tuple[KeyRecord, ...]]

    def __bool__(self) -> bool:
        return bool(self.covered or self.uncovered)


def find_staged_keys(git: Git) -> Iterator[ScanProgress | StagedKeys]:
    """Progress, of one event a blob or more, and at the end the tracked files in whose staged content there is a key.

    The first event says how many blobs there are, in the place of bytes. Raises `GitFailed`.
    """
    blobs = history_scan.list_staged_blobs(git)
    yield ScanProgress(0, len(blobs))
    found: dict[str, tuple[KeyRecord, ...]] = {}
    for event in history_scan.scan_staged(git, blobs):
        if isinstance(event, ScanProgress):
            yield event
        else:
            found = event
    has = attributes.find_filters(git, list(found)) if found else {}
    ours = set(has.get(filter_config.NAME, ()))
    yield StagedKeys(
        {path: findings for path, findings in found.items() if path in ours},
        {path: findings for path, findings in found.items() if path not in ours},
    )


def renormalize(git: Git, home: str) -> list[str]:
    """Stage every covered file without its keys, as one change to commit; returns the paths.

    Only the staged content changes: not the file, nor its unstaged changes.
    Raises `GitFailed`.
    """
    cleaning = ContentFilter(home, include_committed=True, say=_ignore_message, git=git)
    *_, found = find_staged_keys(git)
    paths = list(found.covered) if isinstance(found, StagedKeys) else []
    changed, sparse = [], _sparse_paths(git)
    with BlobReader(git) as blobs:
        for entry in list_staged_entries(git, paths) if paths else ():
            data = blobs.read(entry.blob)
            if data is None:
                raise GitFailed(f"git can't read what is staged as {entry.path}.", "Try: git fsck")
            cleaned = cleaning.clean(entry.path, data)
            if cleaned is not data:
                blob = git.text("hash-object", "-w", "--stdin", given=cleaned)
                line = f"{entry.mode} {blob} {entry.stage}\t".encode() + os.fsencode(entry.path) + b"\0"
                git.output("update-index", "-z", "--index-info", given=line)
                changed.append(entry.path)
    skipped = [path for path in dict.fromkeys(changed) if path in sparse]
    if skipped:
        given = b"".join(os.fsencode(path) + b"\0" for path in skipped)
        git.output("update-index", "--skip-worktree", "-z", "--stdin", given=given)
    return list(dict.fromkeys(changed))


def _sparse_paths(git: Git) -> set[str]:
    """What a sparse checkout leaves out: git forgets that of an entry that is added again."""
    entries = split_nul(git.output("ls-files", "-t", "-z", "--full-name", "--", ":(top)"))
    return {entry[2:] for entry in entries if entry.startswith("S ")}


def _ignore_message(text: str) -> None:
    """The caller reports what was done."""
