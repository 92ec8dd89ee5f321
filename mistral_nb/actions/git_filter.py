"""`git-filter`: what git and its hooks start. It owns its streams; git's configuration starts it directly."""

import os
import sys
from typing import TYPE_CHECKING

from mistral_nb.actions.context import Context
from mistral_nb.actions.scan_history import index_rows, told
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Action, Report

if TYPE_CHECKING:
    from mistral_nb.git.filter import Filter


def action(context: Context, clean: str | None = None, smudge: str | None = None, pre_push: bool = False) -> Action:
    yield from ()
    if pre_push:
        return _pre_push(context)
    from mistral_nb.git import filter as process
    from mistral_nb.git import packets

    work = process.Filter(context.config.home)
    try:
        for name, path in (("clean", clean), ("smudge", smudge)):
            if path is not None:
                return _once(work, name, path)
        process.serve(work, sys.stdin.buffer.read, process.write)
        return Report("")
    except (process.Unusable, packets.NotAPacket, packets.StreamEnded) as error:
        raise WrongUsage(f"This is for git to start: {error}.", "To set it up: mistral-nb protect") from None
    finally:
        work.close()


def _once(work: "Filter", name: str, path: str) -> Report:
    from mistral_nb.git import filter as process

    result = process.once(work, name, path, sys.stdin.buffer.read())
    process.write([result or b""])
    return Report("", exit_code=3 if result is None else 0)


def _pre_push(context: Context) -> Report:
    """Standard input: the remote's name and its address, then what git tells the hook."""
    from mistral_nb.git import history, prepush
    from mistral_nb.git.plumbing import Git

    _, remote, *updates = [*os.fsdecode(sys.stdin.buffer.read()).splitlines(), "", ""]
    git = Git(context.folder, context.environ)
    revisions = prepush.leaving(git, remote, updates)
    if not revisions:
        return Report("")
    *_, result = history.scan(git, revisions)
    assert isinstance(result, history.History)  # noqa: S101, for the type checker
    once = "To push it all the same, this once: git push --no-verify"
    if not result.found and not result.unreadable:
        return Report("")
    rows = (*index_rows(context), *(told(key) for key in history.keys(result.found)))
    if not result.found:
        title = f"mistral-nb: not pushed: {len(result.unreadable)} objects are not here, or damaged, and were not read."
        return Report(title, rows, ("To have them here: git fetch --refetch --no-filter", once), exit_code=3)
    notes = (
        "In the last commit only? mistral-nb protect --renormalize for notebooks, mistral-nb scrub FILE and git add "
        "for others; then git commit --amend --no-edit, and push again.",
        "Deeper? Revoke the key first, then rewrite the commits (git rebase -i, or git filter-repo).",
        once,
    )
    return Report("mistral-nb: not pushed: there are keys in what is about to leave.", rows, notes, exit_code=1)
