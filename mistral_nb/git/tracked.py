"""Keys that are in the index already: told, and on request taken out as a change to commit."""

import os
from typing import NamedTuple

from mistral_nb.git import attributes, driver, history
from mistral_nb.git.cleaning import Cleaning
from mistral_nb.git.plumbing import Blobs, Git, GitFailed, split, staged
from mistral_nb.scrub.findings import Finding


class Tracked(NamedTuple):
    """Tracked files with keys. ``covered``: the filter has them; the others it never sees."""

    covered: dict[str, list[Finding]]
    others: dict[str, list[Finding]]

    def __bool__(self) -> bool:
        return bool(self.covered or self.others)


def holding(git: Git) -> Tracked:
    """The tracked files in whose staged content there is a key. Raises `GitFailed`."""
    found = history.held_by(git, history.in_index(git))
    has = attributes.filters(git, list(found)) if found else {}
    ours = set(has.get(driver.NAME, ()))
    return Tracked(
        {path: findings for path, findings in found.items() if path in ours},
        {path: findings for path, findings in found.items() if path not in ours},
    )


def renormalize(git: Git, home: str) -> list[str]:
    """Stage every covered file without its keys, as one change to commit; the paths.

    What is staged changes, and nothing else: not the file, and not what of it was left unstaged.
    Raises `GitFailed`.
    """
    cleaning = Cleaning(home, everything=True, say=_silent, git=git)
    changed, sparse = [], _not_checked_out(git)
    with Blobs(git) as blobs:
        for entry in staged(git, paths) if (paths := list(holding(git).covered)) else ():
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


def _not_checked_out(git: Git) -> set[str]:
    """What a sparse checkout leaves out: git forgets that of an entry that is put in anew."""
    entries = split(git.output("ls-files", "-t", "-z", "--full-name", "--", ":(top)"))
    return {entry[2:] for entry in entries if entry.startswith("S ")}


def _silent(text: str) -> None:
    """What is done here is reported by whoever asked for it."""
