"""`scan --git-history`: every blob of a repository's history, and which commits carry a key."""

from collections.abc import Generator
from typing import TYPE_CHECKING

from mistral_nb.actions.context import Context
from mistral_nb.actions.files import Bar
from mistral_nb.errors import Cancelled, WrongUsage
from mistral_nb.report import Action, Answer, Ask, Report, Row, Step
from mistral_nb.watch import gather

if TYPE_CHECKING:
    from mistral_nb.git.history import Found, History, Key
    from mistral_nb.git.plumbing import Git

_MANY = 6  # paths named


def action(context: Context, revisions: str = "", replacement_file: str | None = None) -> Action:
    """``revisions``: a range as for git log; default: everything that a reference reaches."""
    from mistral_nb.git import history
    from mistral_nb.git.plumbing import Git

    git = Git(context.folder, context.environ)
    if b"not a git repository" in git.run("rev-parse", "--git-dir").stderr:
        raise WrongUsage("This is not a git repository.", "Go into one, or scan files: mistral-nb scan PATH…")
    words = tuple(revisions.split()) or history.EVERYTHING
    result = yield from _scanned(git, words)
    keys = history.keys(result.found)
    rows = [*index_rows(context), *(told(key) for key in keys)]
    if result.unreadable:
        repair = "git fetch --refetch --no-filter, or scan where they are"
        value = f"{_counted(len(result.unreadable), 'object')} not here or damaged"
        rows.append(Row("not read", value, "warn", repair))
    if result.shallow:
        rows.append(Row("shallow", "this clone has only the last part of the history", "warn", "git fetch --unshallow"))
    notes = list(_what_to_do(replacement_file)) if keys else []
    if replacement_file is not None:
        notes.append(_replacements(git, replacement_file, result.found))
    size = f"{_counted(result.blobs, 'blob')}, {result.bytes / 1e6:.1f} MB"
    return Report(
        f"{size}: {_counted(len(keys), 'key') if keys else 'no key'} found.",
        tuple(rows),
        tuple(notes),
        exit_code=3 if result.unreadable else int(bool(keys)),
        data=_data(result, keys),
    )


def index_rows(context: Context) -> list[Row]:
    """Why every key-shaped run counts as a key, where the index can't be read."""
    problems = gather(context.folder, environ=context.environ).problems
    return [Row("index", problem, "warn", context.typed("doctor")) for problem in problems]


def told(key: "Key") -> Row:
    """One key, in one line: tail, fingerprint, tier, first and last commit, author and date, paths."""
    more = f" and {len(key.paths) - _MANY} more" if len(key.paths) > _MANY else ""
    paths = ", ".join(path or "a blob without a path" for path in key.paths[:_MANY]) + more
    parts = [f"{key.tier}, in {paths}"]
    if key.first and key.last:
        parts.append(f"first {key.first.name[:10]} ({key.first.author}, {key.first.date[:10]})")
        parts.append(f"last {key.last.name[:10]} ({key.last.author}, {key.last.date[:10]})")
    else:
        parts.append("in no commit of this range")
    return Row(f"…{key.tail} {key.fingerprint}", "; ".join(parts), "bad")


def _scanned(git: "Git", words: tuple[str, ...]) -> "Generator[Ask | Step, Answer, History]":
    from mistral_nb.git import history
    from mistral_nb.git.reading import Progress

    bar: Bar | None = None
    try:
        for event in history.scan(git, words):
            if isinstance(event, history.History):
                result = event
            elif isinstance(event, Progress) and bar is None:
                bar = Bar(event.bytes)  # the first one says how many blobs there are
            elif bar:
                yield from bar.advanced(event.blobs)
    except KeyboardInterrupt:
        raise Cancelled("Cancelled; nothing was changed.") from None
    if bar:
        yield from bar.cleared()
    return result


def _what_to_do(replacement_file: str | None) -> list[str]:
    steps = ["1. Revoke: a key that was ever pushed counts as known to others. mistral-nb revoke WORKSPACE."]
    if replacement_file is None:
        steps.append("2. If you want it out of the history too: scan --git-history --replacement-file FILE writes the")
        steps.append("   keys for git filter-repo --replace-text FILE. It rewrites commits: everyone clones again.")
    return steps


def _replacements(git: "Git", path: str, found: "tuple[Found, ...]") -> str:
    from mistral_nb.git import replacements

    written, left = replacements.write(git, path, [(one.blob, one.finding) for one in found])
    text = f"2. {path} holds {_counted(written, 'KEY')} in clear (mode 0600): delete it after "
    text += f"git filter-repo --replace-text {path}, scan again, and let everyone clone again."
    return text + (f" {_counted(left, 'key')} stand in encoded form only, and are not in it." if left else "")


def _data(result: "History", keys: "list[Key]") -> dict[str, object]:
    return {
        "files": result.blobs,
        "bytes": result.bytes,
        "findings": [_finding(one) for one in result.found],
        "keys": [_key(key) for key in keys],
        "unreadable": list(result.unreadable),
        "shallow": result.shallow,
    }


def _finding(one: "Found") -> dict[str, object]:
    finding = one.finding
    first, last = (one.carried.first, one.carried.last) if one.carried else (None, None)
    return {
        "tier": finding.tier,
        "fingerprint": finding.fingerprint,
        "tail": finding.tail,
        "file": one.path,
        "path": finding.path,
        "line": finding.line,
        "blob": one.blob,
        "commit": first.name if first else None,
        "last_commit": last.name if last else None,
        "author": first.author if first else None,
        "date": first.date if first else None,
    }


def _key(key: "Key") -> dict[str, object]:
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


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
