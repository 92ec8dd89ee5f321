"""`scan --git-history`: what a repository's history holds, and which commits carry a key."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mistral_nb import exit_codes
from mistral_nb.api.console_pages import OWN_KEYS_URL
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, WrongUsage
from mistral_nb.key_records import format_count, format_file_place, format_places, format_tail, to_json
from mistral_nb.report import Dialog, Row
from mistral_nb.scanning.ci_range import CiRange, find_range
from mistral_nb.scanning.progress_bar import ProgressBar
from mistral_nb.scanning.scan_findings import ScanReport, make_findings
from mistral_nb.watchlist import build_watchlist
from mistral_nb.wording import plural

if TYPE_CHECKING:
    from mistral_nb.git.history_findings import HistoryFinding
    from mistral_nb.git.history_scan import HistoryScan, LeakedKeyHistory
    from mistral_nb.git.run_git import Git

_ALL = "--all"  # a range of git's: every reference
_ADVICE = (
    f"1. Revoke: treat any key that was ever pushed as leaked. mistral-nb revoke WORKSPACE, or {OWN_KEYS_URL}",
    "2. To remove it from the history as well: mistral-nb scan --git-history --replacement-file FILE",
    "   writes what git filter-repo needs, and tells how. It rewrites commits: everyone clones again.",
)
_OBJECT = re.compile(r"[0-9a-f]{40,64}")


def action(context: Context, revisions: str = "", replacement_file: str | None = None) -> Dialog[ScanReport]:
    """``revisions``: a range as for git log; default: in CI what was pushed, elsewhere all that a reference reaches."""
    from mistral_nb.git import history_scan
    from mistral_nb.git.run_git import Git

    git = Git.at_work(context.folder, context.environ)
    if b"not a git repository" in git.run("rev-parse", "--git-dir").stderr:
        raise WrongUsage("This is not a git repository.", "Go into one, or scan files: mistral-nb scan PATH…")
    ci = find_range(git, context.environ) if not revisions else None
    result = yield from _scan(git, ci or (() if revisions == _ALL else tuple(revisions.split())))
    keys = history_scan.make_key_histories(result.findings)
    rows = [*index_rows(context), *_range_rows(ci), *(format_history_row(key) for key in keys)]
    if result.unreadable:
        repair = "git fetch --refetch --no-filter, or scan where they are"
        value = f"{plural(len(result.unreadable), 'object')} missing or damaged"
        rows.append(Row("not read", value, "warn", repair))
    if result.shallow:
        rows.append(
            Row("shallow", "this is a shallow clone; older commits are missing", "warn", "git fetch --unshallow")
        )
    rows += _partly_read_rows(result)
    advice = _ADVICE if result.findings else ()
    notes: tuple[str, ...] = ()
    if replacement_file is not None:  # asked for, so told whether or not a baseline has the findings
        notes, advice = (*advice[:1], *_write_replacements(git, replacement_file, result.findings)), ()
    size = f"{plural(result.blobs, 'blob')}, {result.bytes / 1e6:.1f} MB"
    return ScanReport(
        f"{size}: {count_places(keys) if keys else 'no key'} found.",
        tuple(rows),
        notes,
        exit_code=exit_codes.INCOMPLETE if result.unreadable else exit_codes.FINDING if keys else exit_codes.OK,
        data=_json_data(result, keys),
        findings=make_findings((one.record, _commit_data(one)) for one in result.findings),
        advice=advice,
    )


def index_rows(context: Context) -> list[Row]:
    """A row that explains strict mode, if the index can't be read."""
    problems = build_watchlist(context.folder, environ=context.environ).problems
    return [Row("index", problem, "warn", context.format_command("doctor")) for problem in problems]


def count_places(keys: "list[LeakedKeyHistory]") -> str:
    """``1 key in 2 places``: a place counts once, in however many commits."""
    return format_count([record for key in keys for record in key.places])


def format_history_row(key: "LeakedKeyHistory") -> Row:
    """One key in one line: tail, fingerprint, tier, places, first and last commit, author and date."""
    parts = [f"{key.tier},{format_places(map(format_file_place, key.places))}"]
    if key.first and key.last:
        parts.append(f"first {key.first.name[:10]} ({key.first.author}, {key.first.date[:10]})")
        parts.append(f"last {key.last.name[:10]} ({key.last.author}, {key.last.date[:10]})")
    else:
        parts.append("in no commit of this range")
    return Row(f"{format_tail(key.places[0])} {key.fingerprint}".strip(), "; ".join(parts), "bad")


def describe_unread(result: "HistoryScan") -> str:
    """``3 archive members (2 too large, 1 encrypted)``; "" where all were read."""
    if not result.unread:
        return ""
    reasons = Counter(member.reason for member in result.unread)
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"{plural(len(result.unread), 'archive member')} ({told})"


def _partly_read_rows(result: "HistoryScan") -> Iterator[Row]:
    """What was left out, though nothing is missing."""
    if told := describe_unread(result):
        yield Row("not read", told, "warn")
    if result.binary:
        value = f"{plural(result.binary, 'blob')}: a key broken by line ends or tags is not found there"
        yield Row("binary", value)


def _range_rows(ci: CiRange | None) -> Iterator[Row]:
    """Which commits were read, where a CI system named them."""
    if ci is None:
        return
    commits = " ".join(_shorten(word) for word in ci.revisions)
    yield Row("range", f"{ci.run.name}: {commits}; --git-history={_ALL} for everything")
    if ci.is_whole:
        repair = "fetch-depth: 0 in actions/checkout, GIT_DEPTH: 0 in GitLab"
        yield Row("base", "not in this clone; all commits that are here were read", "warn", repair)


def _shorten(word: str) -> str:
    return word[:10] if _OBJECT.fullmatch(word) else word


def _scan(git: "Git", wanted: CiRange | tuple[str, ...]) -> "Dialog[HistoryScan]":
    """``wanted``: a CI run's range, words for git log, or nothing for everything."""
    from mistral_nb.file_scrub.file_types import can_be_binary
    from mistral_nb.git import history_scan
    from mistral_nb.git.key_names import Reference
    from mistral_nb.git.object_scanner import ScanProgress

    words = (wanted.revisions if isinstance(wanted, CiRange) else wanted) or history_scan.ALL_REVISIONS
    named = wanted.run.reference if isinstance(wanted, CiRange) else ""
    references = [Reference(named, words[0])] if named else []
    bar: ProgressBar | None = None
    try:
        for event in history_scan.scan_history(git, words, may_be_binary=can_be_binary, references=references):
            if isinstance(event, history_scan.HistoryScan):
                result = event
            elif isinstance(event, ScanProgress) and bar is None:
                bar = ProgressBar(event.bytes)  # the first one says how many blobs there are
            elif bar:
                yield from bar.advance(event.blobs)
    except KeyboardInterrupt:
        raise Cancelled("Cancelled; nothing was changed.") from None
    if bar:
        yield from bar.clear()
    return result


def _write_replacements(git: "Git", path: str, found: "Sequence[HistoryFinding]") -> Iterator[str]:
    """Writes the files for filter-repo, and tells what to do with them."""
    from mistral_nb.git.filter_repo_replacements import BLOBS_SUFFIX, write_replacements

    written = write_replacements(git, path, found, build_watchlist(git.folder, environ=git.given))
    place = os.path.abspath(path)
    words = ["--replace-text", place]
    words += ["--replace-message", place] if written.in_messages else []
    words += ["--strip-blobs-with-ids", place + BLOBS_SUFFIX] if written.blobs else []
    yield f"2. {path} holds {plural(len(written.rules), 'text')} with keys in clear (mode 0600). In a new clone:"
    yield f"   git filter-repo {shlex.join(words)}"
    if written.blobs:
        yield f"   That removes {plural(len(written.blobs), 'binary blob')} whole, from the last commit too."
    if written.names:
        yield f"   It leaves {plural(written.names, 'name')} of people, files, branches or tags: see --mailmap and"
        yield "   --path-rename of git filter-repo, and rename the branch or the tag."
    if written.left:
        yield f"   It leaves a key in {plural(written.left, 'text')}: remove the files with --invert-paths --path FILE."
    yield f"3. Scan again, delete {path}, push all branches and tags with --force, and let everyone clone again."


def _json_data(result: "HistoryScan", keys: "list[LeakedKeyHistory]") -> dict[str, object]:
    return {
        "files": result.blobs,
        "bytes": result.bytes,
        "findings": [to_json(one.record) | _commit_data(one) for one in result.findings],
        "keys": [_key_data(key) for key in keys],
        "unreadable": list(result.unreadable),
        "binary": result.binary,
        "unread_members": [member._asdict() for member in result.unread],
        "shallow": result.shallow,
    }


def _commit_data(one: "HistoryFinding") -> dict[str, object]:
    first, last = (one.appearance.first, one.appearance.last) if one.appearance else (None, None)
    return {
        "blob": one.name if one.is_in_blob else None,
        "commit": first.name if first else None,
        "last_commit": last.name if last else None,
        "author": first.author if first else None,
        "date": first.date if first else None,
    }


def _key_data(key: "LeakedKeyHistory") -> dict[str, object]:
    return {
        "fingerprint": key.fingerprint,
        "tail": key.tail,
        "tier": key.tier,
        "first_commit": key.first.name if key.first else None,
        "last_commit": key.last.name if key.last else None,
        "author": key.first.author if key.first else None,
        "date": key.first.date if key.first else None,
        "files": list(key.paths),
        "blobs": key.blobs,
    }
