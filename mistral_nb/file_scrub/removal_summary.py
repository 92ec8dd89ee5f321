"""The wording of what became of files: one line per file, then a summary. Tails at most."""

from collections.abc import Container, Iterable, Mapping, Sequence

from mistral_nb import exit_codes
from mistral_nb.file_scrub.clean_file import STDIN, FileResult
from mistral_nb.key_records import (
    SET_ASIDE,
    STORED,
    KeyRecord,
    format_copies,
    format_count,
    format_keys,
    format_place,
    group_by_key,
)
from mistral_nb.printable import one_line
from mistral_nb.redaction.findings import KNOWN, REMEMBERED, REPORTED, SUSPECTED
from mistral_nb.wording import name_first, plural

_MAX_NAMES = 5  # files named in a line
_TIER_WORDS = {
    KNOWN: "set in this environment",
    REMEMBERED: "seen on this machine",
    SUSPECTED: "by its shape, where Mistral is named",
    REPORTED: "listed in .mistral-nb-revoked",
}


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
    return one_line(f"{display_name(outcome.path)}: {'. '.join(filter(None, parts))}") if parts else ""


def format_removal_warning(outcome: FileResult) -> str:
    """The warning before a key that is in no store is rewritten: this may be its only copy."""
    lost = [record for record in outcome.removed if record.kept not in (STORED, SET_ASIDE)]
    return one_line(f"{display_name(outcome.path)}: removing; not in any store: {format_keys(lost)}")


def count_searched(outcomes: Iterable[FileResult]) -> int:
    """How many files were read: all with a finding, and all without a problem."""
    return sum(bool(outcome.removed or outcome.left or not outcome.problem) for outcome in outcomes)


def format_summary(outcomes: Sequence[FileResult], *, write: bool) -> str:
    """The summary: what could not be read, then how many files were, and the keys. A key counts once, in however many
    files it is."""
    removed = [record for outcome in outcomes for record in outcome.removed]
    found = [*removed, *(record for outcome in outcomes for record in outcome.left)]
    problems = sum(bool(outcome.problem) for outcome in outcomes)
    unread = f"{plural(problems, 'file')} could not be {'cleaned' if write else 'read'}"
    files = count_searched(outcomes)
    if problems and not files:
        return f"{unread}."
    parts = [f"{plural(files, 'file')}: {format_count(found) if found else 'no key'} found"]
    if found:
        holding = sum(bool(outcome.removed or outcome.left) for outcome in outcomes)
        parts[0] += f" in {plural(holding, 'file')}"
        if write:
            parts.append(_format_removed(removed, found))
    noted = len(group_by_key(record for outcome in outcomes for record in outcome.noted))
    if noted:
        parts.append(f"{plural(noted, 'other identifier')} noted")
    return f"{unread + '; ' if problems else ''}{', '.join(parts)}."


def format_finding(record: KeyRecord) -> str:
    """``app.py:2:19: Mistral key …e6M2 (seen on this machine)``: editors and terminals open that place."""
    position = "".join(f":{number}" for number in (record.line, record.column) if number is not None)
    key = f"Mistral key …{record.tail}" if record.tail else "passphrase"
    what = key if record.fingerprint else f"part of a {key}"
    cell = f" in {format_place(record)}" if record.path else ""
    return one_line(f"{display_name(record.file)}{position}: {what}{cell} ({_TIER_WORDS[record.tier]})")


def format_counted_files(paths: Sequence[str], cleanable: Container[str]) -> list[str]:
    """A line on the files of a folder that hold keys and were not to be changed; none if there is none.

    ``cleanable``: those of which ``--all`` would remove a key.
    """
    if not paths:
        return []
    named = one_line(name_first(paths, _MAX_NAMES))
    counted = "1 other file holds a key and was" if len(paths) == 1 else f"{len(paths)} other files hold keys and were"
    hint = " --all cleans sources and texts too." if any(path in cleanable for path in paths) else ""
    return [f"{counted} not changed: {named}.{hint}"]


def format_passed_over(passed_over: Mapping[str, Sequence[str]], plurals: Mapping[str, str]) -> list[str]:
    """A line that counts, by why, what was not looked into; none if that is nothing. ``plurals``: irregular ones."""
    if not passed_over:
        return []
    counts = ", ".join(plural(len(paths), why, plurals.get(why, "")) for why, paths in sorted(passed_over.items()))
    return [f"Not looked into: {counts}. To look into one, name it; --json names them all."]


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
