"""The wording of what became of files: one line per file, then a summary. Tails at most."""

from collections.abc import Iterable, Sequence

from mistral_nb import exit_codes
from mistral_nb.file_scrub.clean_file import STDIN, FileResult
from mistral_nb.key_records import (
    SET_ASIDE,
    STORED,
    KeyRecord,
    count_tiers,
    format_copies,
    format_count,
    format_keys,
    group_by_key,
)
from mistral_nb.printable import one_line
from mistral_nb.wording import plural

_MAX_NAMES = 5  # files named in a line


def display_name(path: str) -> str:
    return "standard input" if path == STDIN else path


def format_line(outcome: FileResult, *, write: bool) -> str:
    """One file, in one line; "" if there is nothing to report."""
    parts = []
    if outcome.problem:
        parts.append(f"could not be {'cleaned' if write else 'read'}: {outcome.problem}")
    removed, left = (outcome.removed, outcome.left) if write else ((), (*outcome.removed, *outcome.left))
    if removed:
        parts.append(f"{format_count(removed)} removed: {format_keys(removed)}")
        parts.append(format_copies(removed))
    if left:
        why = f" ({outcome.why_left})" if write and outcome.why_left else ""
        parts.append(f"{format_count(left)} found{' and left in place' if write else ''}: {format_keys(left)}{why}")
    if outcome.note:
        parts.append(outcome.note)
    if outcome.skipped:
        parts.append(f"not {'cleaned' if write else 'read'}: {outcome.skipped}")
    return one_line(f"{display_name(outcome.path)}: {'. '.join(filter(None, parts))}") if parts else ""


def format_removal_warning(outcome: FileResult) -> str:
    """The warning before a key that is in no store is rewritten: this may be its only copy."""
    lost = [record for record in outcome.removed if record.kept not in (STORED, SET_ASIDE)]
    return one_line(f"{display_name(outcome.path)}: removing; not in any store: {format_keys(lost)}")


def format_summary(files: int, outcomes: Sequence[FileResult], *, write: bool) -> str:
    """The summary: how many files, keys and tiers. A key counts once, in however many files it is."""
    removed = [record for outcome in outcomes for record in outcome.removed]
    found = [*removed, *(record for outcome in outcomes for record in outcome.left)]
    problems = sum(bool(outcome.problem) for outcome in outcomes)
    unread = f"{plural(problems, 'file')} could not be {'cleaned' if write else 'read'}"
    if problems >= files and not found:
        return f"{unread}."
    parts = [f"{plural(files, 'file')}: {format_count(found) if found else 'no key'} found"]
    if found:
        tiers = ", ".join(f"{number} {tier}" for tier, number in sorted(count_tiers(found).items()))
        holding = sum(bool(outcome.removed or outcome.left) for outcome in outcomes)
        parts[0] += f" ({tiers}) in {plural(holding, 'file')}"
        if write:
            parts.append(_format_removed(removed, found))
    noted = len(group_by_key(record for outcome in outcomes for record in outcome.noted))
    if noted:
        parts.append(f"{plural(noted, 'other identifier')} noted")
    passed_over = len(list_passed_over(outcomes))
    if passed_over:
        parts.append(f"{plural(passed_over, 'binary file')} passed over")
    return f"{unread + '; ' if problems else ''}{', '.join(parts)}."


def list_passed_over(outcomes: Iterable[FileResult]) -> list[str]:
    """The paths of binary files, which were not looked into."""
    return [outcome.path for outcome in outcomes if outcome.passed_over]


def format_passed_over(outcomes: Iterable[FileResult]) -> list[str]:
    """A line that names the first of them and says how to look into them; none if there is none."""
    paths = list_passed_over(outcomes)
    if not paths:
        return []
    more = f" and {len(paths) - _MAX_NAMES} more" if len(paths) > _MAX_NAMES else ""
    named = one_line(", ".join(paths[:_MAX_NAMES]))
    return [f"Binary, so not looked into: {named}{more}. To look into one: mistral-nb scan FILE"]


def exit_code(outcomes: Iterable[FileResult], *, write: bool) -> int:
    """Whether everything is clean (for `scrub`: afterwards), a key is left, or something was not read."""
    return exit_codes.worst(_exit_code(outcome, write) for outcome in outcomes)


def _exit_code(outcome: FileResult, write: bool) -> int:
    if outcome.problem:
        return exit_codes.INCOMPLETE
    found = outcome.left or outcome.note or (outcome.removed and not write)
    return exit_codes.FINDING if found else exit_codes.OK


def _format_removed(removed: Sequence[KeyRecord], found: Sequence[KeyRecord]) -> str:
    """How much of what was found was removed: ``all removed``, ``1 removed``, ``removed in 1 of 2 places``."""
    if len(removed) == len(found):
        return "all removed"
    if len(group_by_key(found)) == len(found):
        return f"{len(removed)} removed"
    return f"removed in {len(removed)} of {len(found)} places"
