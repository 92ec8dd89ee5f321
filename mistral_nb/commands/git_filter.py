"""`git-filter`: called by the pre-push hook. The filter itself is started as `mistral_nb.git.filter_process`."""

import os
import sys
from typing import TYPE_CHECKING

from mistral_nb import exit_codes
from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from mistral_nb.key_records import GIT_PLACES, KeyRecord
from mistral_nb.redaction.archive_members import SEPARATOR
from mistral_nb.redaction.findings import SUSPECTED
from mistral_nb.report import Action, Report, Step
from mistral_nb.scanning.found_keys import NameMask
from mistral_nb.scanning.git_history_report import count_places, describe_unread, format_history_row, index_rows
from mistral_nb.scanning.scan_findings import ScanReport
from mistral_nb.scanning.tracked_key_remedies import format_remedy, group_by_remedy
from mistral_nb.watchlist import build_watchlist

if TYPE_CHECKING:
    from mistral_nb.git.run_git import Git


def action(context: Context, pre_push: bool = False) -> Action:
    if not pre_push:
        raise WrongUsage("This command is run by git.", "To set it up: mistral-nb protect")
    report = _run_pre_push(context)
    if report.title:
        for line in str(report).splitlines():
            yield Step(line)  # on standard error, where git's own messages are
    return Report("", exit_code=report.exit_code)


def _run_pre_push(context: Context) -> Report:
    """Standard input: the remote's name and its address, then what git tells the hook."""
    from mistral_nb.file_scrub.file_types import can_be_binary
    from mistral_nb.git import history_scan, pre_push_hook
    from mistral_nb.git.run_git import Git

    # at line feeds alone: a branch's name may have other line ends of Unicode
    _, remote, *lines = [*os.fsdecode(sys.stdin.buffer.read()).split("\n"), "", ""]
    updates = list(filter(None, lines))
    git = Git(context.folder, context.environ)
    revisions = pre_push_hook.outgoing_revisions(git, remote, updates)
    if not revisions:
        return Report("")
    pushed = pre_push_hook.pushed_references(updates)
    *_, result = history_scan.scan_history(git, revisions, may_be_binary=can_be_binary, references=pushed)
    assert isinstance(result, history_scan.HistoryScan)  # noqa: S101, for the type checker
    once = "To push all the same, keys included: git push --no-verify"
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
    notes = (*_next_steps(git, [record for key in keys for record in key.places]), once)
    report = ScanReport(
        f"mistral-nb: not pushed: {count_places(keys)} in the commits to be pushed.",
        rows,
        notes,
        exit_code=exit_codes.FINDING,
    )
    watchlist = build_watchlist(context.folder, environ=context.environ)
    return NameMask((one.record for one in result.findings), watchlist).report(report)


def _next_steps(git: "Git", records: list[KeyRecord]) -> list[str]:
    """What takes the keys out of the commits that were to be pushed."""
    from mistral_nb.git import attributes, filter_config

    found: dict[str, list[KeyRecord]] = {}
    top = git.top() or git.folder
    for record in records:
        file = _file_of(record, top)
        if record.place not in GIT_PLACES and os.path.lexists(os.path.join(top, file)):
            found.setdefault(file, []).append(record)
    covered = attributes.find_filters(git.in_folder(top), list(found)).get(filter_config.NAME, [])
    steps = []
    if found:
        steps.append("In the last commit only? Take the key out, then git commit --amend --no-edit, and push again:")
    for remedy, files in group_by_remedy(found, top, covered).items():
        steps.append(f"  {format_remedy(remedy, files, top)}")
    if any(record.place in GIT_PLACES for record in records):
        steps.append("In a message or an author of the last commit? git commit --amend. In a name? Rename it.")
    steps.append("In older commits? Revoke the key first, then rewrite them (git rebase -i, or git filter-repo).")
    if any(record.tier == SUSPECTED for record in records):
        steps.append(
            "Not a key? Write # mistral-nb: keep on its line and amend the commit, or add its fingerprint (above) "
            "to keep in [tool.mistral-nb] of pyproject.toml."
        )
    return steps


def _file_of(record: KeyRecord, top: str) -> str:
    """The file that a record is about: of an archive's member, the archive."""
    is_file = os.path.lexists(os.path.join(top, record.file))
    return record.file if is_file else record.file.partition(SEPARATOR)[0]
