"""`scan --git-history`: every blob of a repository's history, and which commits carry a key."""

from typing import TYPE_CHECKING

from mistral_nb import exit_codes
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, WrongUsage
from mistral_nb.key_records import format_count, format_file_place, format_places, format_tail, to_json
from mistral_nb.report import Dialog, Row
from mistral_nb.scanning.progress_bar import ProgressBar
from mistral_nb.scanning.scan_findings import ScanReport, make_findings
from mistral_nb.watchlist import build_watchlist
from mistral_nb.wording import plural

if TYPE_CHECKING:
    from mistral_nb.git.history_scan import BlobFinding, HistoryScan, LeakedKeyHistory
    from mistral_nb.git.run_git import Git


def action(context: Context, revisions: str = "", replacement_file: str | None = None) -> Dialog[ScanReport]:
    """``revisions``: a range as for git log; default: everything that a reference reaches."""
    from mistral_nb.git import history_scan
    from mistral_nb.git.run_git import Git

    git = Git.at_work(context.folder, context.environ)
    if b"not a git repository" in git.run("rev-parse", "--git-dir").stderr:
        raise WrongUsage("This is not a git repository.", "Go into one, or scan files: mistral-nb scan PATH…")
    words = tuple(revisions.split()) or history_scan.ALL_REVISIONS
    result = yield from _scan(git, words)
    keys = history_scan.make_key_histories(result.findings)
    rows = [*index_rows(context), *(format_history_row(key) for key in keys)]
    if result.unreadable:
        repair = "git fetch --refetch --no-filter, or scan where they are"
        value = f"{plural(len(result.unreadable), 'object')} missing or damaged"
        rows.append(Row("not read", value, "warn", repair))
    if result.shallow:
        rows.append(
            Row("shallow", "this is a shallow clone; older commits are missing", "warn", "git fetch --unshallow")
        )
    notes = list(_next_steps(replacement_file)) if keys else []
    if replacement_file is not None:
        notes.append(_write_replacements(git, replacement_file, result.findings))
    size = f"{plural(result.blobs, 'blob')}, {result.bytes / 1e6:.1f} MB"
    return ScanReport(
        f"{size}: {count_places(keys) if keys else 'no key'} found.",
        tuple(rows),
        tuple(notes),
        exit_code=exit_codes.INCOMPLETE if result.unreadable else exit_codes.FINDING if keys else exit_codes.OK,
        data=_json_data(result, keys),
        findings=make_findings((one.record, _commit_data(one)) for one in result.findings),
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


def _scan(git: "Git", words: tuple[str, ...]) -> "Dialog[HistoryScan]":
    from mistral_nb.file_scrub.file_types import can_be_binary
    from mistral_nb.git import history_scan
    from mistral_nb.git.blob_scanner import ScanProgress

    bar: ProgressBar | None = None
    try:
        for event in history_scan.scan_history(git, words, may_be_binary=can_be_binary):
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


def _next_steps(replacement_file: str | None) -> list[str]:
    steps = ["1. Revoke: treat any key that was ever pushed as leaked. mistral-nb revoke WORKSPACE."]
    if replacement_file is None:
        steps.append("2. To remove it from the history as well: scan --git-history --replacement-file FILE writes the")
        steps.append("   keys for git filter-repo --replace-text FILE. It rewrites commits: everyone clones again.")
    return steps


def _write_replacements(git: "Git", path: str, found: "tuple[BlobFinding, ...]") -> str:
    from mistral_nb.git import filter_repo_replacements

    written, left = filter_repo_replacements.write_replacements(git, path, [(one.blob, one.record) for one in found])
    text = f"2. {path} holds {plural(written, 'KEY')} in clear (mode 0600): delete it after "
    text += f"git filter-repo --replace-text {path}, scan again, and let everyone clone again."
    return text + (f" {plural(left, 'key')} appear only in encoded form and are not in it." if left else "")


def _json_data(result: "HistoryScan", keys: "list[LeakedKeyHistory]") -> dict[str, object]:
    return {
        "files": result.blobs,
        "bytes": result.bytes,
        "findings": [to_json(one.record) | _commit_data(one) for one in result.findings],
        "keys": [_key_data(key) for key in keys],
        "unreadable": list(result.unreadable),
        "shallow": result.shallow,
    }


def _commit_data(one: "BlobFinding") -> dict[str, object]:
    first, last = (one.appearance.first, one.appearance.last) if one.appearance else (None, None)
    return {
        "blob": one.blob,
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
