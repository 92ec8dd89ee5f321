"""`git-filter`: called by the pre-push hook. The filter itself is started as `mistral_nb.git.filter_process`."""

import os
import sys

from mistral_nb import exit_codes
from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Action, Report
from mistral_nb.scanning.git_history_report import count_places, describe_unread, format_history_row, index_rows


def action(context: Context, pre_push: bool = False) -> Action:
    yield from ()
    if not pre_push:
        raise WrongUsage("This command is run by git.", "To set it up: mistral-nb protect")
    return _run_pre_push(context)


def _run_pre_push(context: Context) -> Report:
    """Standard input: the remote's name and its address, then what git tells the hook."""
    from mistral_nb.file_scrub.file_types import can_be_binary
    from mistral_nb.git import history_scan, pre_push_hook
    from mistral_nb.git.run_git import Git

    _, remote, *updates = [*os.fsdecode(sys.stdin.buffer.read()).splitlines(), "", ""]
    git = Git(context.folder, context.environ)
    revisions = pre_push_hook.outgoing_revisions(git, remote, updates)
    if not revisions:
        return Report("")
    pushed = pre_push_hook.pushed_references(updates)
    *_, result = history_scan.scan_history(git, revisions, may_be_binary=can_be_binary, references=pushed)
    assert isinstance(result, history_scan.HistoryScan)  # noqa: S101, for the type checker
    once = "To push anyway: git push --no-verify"
    if not result.findings and not result.unreadable:
        told = describe_unread(result)
        return Report(f"mistral-nb: not read in this push: {told}." if told else "")
    keys = history_scan.make_key_histories(result.findings)
    rows = (*index_rows(context), *(format_history_row(key) for key in keys))
    if not result.findings:
        title = f"mistral-nb: not pushed: {len(result.unreadable)} objects are missing or damaged and were not read."
        return Report(
            title, rows, ("To fetch them: git fetch --refetch --no-filter", once), exit_code=exit_codes.INCOMPLETE
        )
    notes = (
        "In the last commit only? mistral-nb protect --renormalize for notebooks, mistral-nb scrub FILE and git add "
        "for others; then git commit --amend --no-edit, and push again.",
        "In older commits, or in a message or a name? Revoke the key first, then rewrite the commits (git rebase -i, "
        "or git filter-repo); rename the branch or the tag.",
        once,
    )
    return Report(
        f"mistral-nb: not pushed: {count_places(keys)} in the commits to be pushed.",
        rows,
        notes,
        exit_code=exit_codes.FINDING,
    )
