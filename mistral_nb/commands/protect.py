"""`protect`: keep keys out of this repository's commits, and say which are in it already."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mistral_nb import environment, exit_codes
from mistral_nb.command_context import Context
from mistral_nb.command_table import CLI
from mistral_nb.errors import MistralNbError, WrongUsage, reason
from mistral_nb.key_records import KeyRecord, format_count, format_keys, to_json
from mistral_nb.redaction.redact import redact_text, redact_values
from mistral_nb.report import Action, Dialog, Lines, Report, Row, Step
from mistral_nb.scanning.git_history_report import index_rows
from mistral_nb.scanning.progress_bar import ProgressBar
from mistral_nb.scanning.tracked_key_remedies import FILTER, format_remedy, group_by_remedy
from mistral_nb.watchlist import build_watchlist
from mistral_nb.wording import name_first

if TYPE_CHECKING:
    from mistral_nb.git.hook_place import HookPlace
    from mistral_nb.git.repository_protection import ProtectionResult
    from mistral_nb.git.run_git import Git
    from mistral_nb.git.staged_keys import StagedKeys

_MAX_PATHS = 8  # files named
_AT_WORK = "Looking at this repository …"
_LIMITS = "Other files are stored as they are. This holds for your clone alone: git's configuration is not cloned."
_NOT_COVERED = "Configured but NOT effective: another attribute excludes new notebooks from the filter."


def action(
    context: Context,
    *,
    local: bool = False,
    everywhere: bool = False,
    wrap: bool = False,
    pre_push: bool = True,
    renormalize: bool = False,
    status: bool = False,
) -> Action:
    environment.register_variables(context.environ)
    from mistral_nb.git import repository_protection
    from mistral_nb.git.run_git import Git

    git = Git.at_work(context.folder, context.environ)
    if everywhere and (local or wrap or renormalize):
        raise WrongUsage(
            "--global cannot be combined with flags for a single repository.", "Remove --global or the other flag."
        )
    yield from _show_at_work(context, _AT_WORK)  # listing many notebooks takes a while
    try:
        if status:
            report = yield from _status_report(context, git)
        elif everywhere:
            report = _protected_all_report(repository_protection.protect_all(git, context.config.home))
        else:
            report = yield from _protect(context, git, renormalize, local=local, wrap=wrap, pre_push=pre_push)
    except (Exception, KeyboardInterrupt) as error:
        yield from _show_at_work(context, "")
        if isinstance(error, OSError):
            failed = f"Protection could not be {'looked at' if status else 'set up'}: "
            failed += f"{error.filename or 'a file'}: {reason(error)}."
            raise MistralNbError(failed, "Fix this and run the command again.") from None
        raise
    yield from _show_at_work(context, "")
    return _hide_keys(context, report)


def _hide_keys(context: Context, report: Report) -> Report:
    """The report without the keys that are in names of files."""
    watchlist = build_watchlist(context.folder, environ=context.environ)

    def hide(text: str) -> str:
        return redact_text(text, watchlist)[0]

    rows = tuple(row._replace(value=hide(row.value), repair=hide(row.repair)) for row in report.rows)
    return replace(report, rows=rows, data=redact_values(report.data, watchlist)[0])


def _protect(context: Context, git: "Git", renormalize: bool, **flags: bool) -> Action:
    from mistral_nb.git import repository_protection, staged_keys

    done = repository_protection.protect(git, context.config.home, **flags)
    where = repository_protection.find_repository(git)
    staged_now = staged_keys.renormalize(where.git, context.config.home) if renormalize else []
    found = yield from _find_staged_keys(context, where.git)
    return _protected_report(context, where.git, done, staged_now, found)


def _show_at_work(context: Context, text: str) -> Iterator[Step]:
    """A line that a terminal has until the report takes its place; an empty text removes it."""
    if context.host == CLI:
        yield Step(f"\r{text:38}" if text else f"\r{' ' * 38}\r")


def _find_staged_keys(context: Context, git: "Git") -> "Dialog[StagedKeys]":
    from mistral_nb.git import staged_keys

    bar: ProgressBar | None = None
    for event in staged_keys.find_staged_keys(git):
        if isinstance(event, staged_keys.StagedKeys):
            found = event
        elif bar is None:
            bar = ProgressBar(event.bytes)
        elif context.host == CLI:
            yield from bar.advance(event.blobs)
    return found


def _protected_report(
    context: Context, git: "Git", done: "ProtectionResult", renormalized: list[str], found: "StagedKeys"
) -> Report:
    rows = [Row("filter", "in this repository's configuration, which is not cloned", "ok")]
    for file in done.attributes:
        shared = os.path.basename(file) == ".gitattributes"
        todo = "Commit it." if shared and _is_modified(git, file) else ""
        rows.append(Row("attributes", file if shared else f"{file}, for all branches of this clone", "ok", todo))
    if done.driver.wraps:
        rows.append(_wrapped_row(git, done.driver.wraps))
    rows.append(_hook_row(context, done.hook))
    rows += _uncovered_rows(done)
    rows += _submodule_rows(git)
    if renormalized:
        named = name_first(renormalized, _MAX_PATHS)
        rows.append(Row("removed", f"keys in {named}: staged", "ok", "Commit it: git commit -m 'Remove keys'"))
    rows += _tracked_key_rows(context, git, found)
    rows += index_rows(context)
    return Report(
        _make_title(done),
        tuple(rows),
        (*_lines_to_add(done.hook), *_revoke_first_notes(found), _LIMITS),
        exit_code=_exit_code(done),
        data={
            "changed": done.changed,
            "attributes": done.attributes,
            "wraps": done.driver.wraps,
            "renormalized": renormalized,
            "uncovered": done.uncovered,
            "pushes_scanned": bool(done.hook and done.hook.is_called),
            "tracked": _json_data(found),
        },
    )


def _protected_all_report(done: "ProtectionResult") -> Report:
    rows = (
        Row("filter", "in your git configuration, for all repositories", "ok"),
        *(Row("attributes", file, "ok") for file in done.attributes),
        *_uncovered_rows(done),
    )
    note = "A repository whose own .gitattributes names another filter needs protect --wrap there."
    title = f"✓ Every repository of yours {'is protected' if done.changed else 'was already protected'}."
    data = {"changed": done.changed, "attributes": done.attributes}
    return Report(title if done.covers_new_notebooks else _NOT_COVERED, rows, (note,), _exit_code(done), data)


def _exit_code(done: "ProtectionResult") -> int:
    is_effective = done.covers_new_notebooks and (done.hook is None or done.hook.is_called)
    return exit_codes.OK if is_effective else exit_codes.FINDING


def _make_title(done: "ProtectionResult") -> str:
    """What holds now."""
    if not done.covers_new_notebooks:
        return _NOT_COVERED
    if done.hook and done.hook.is_called:
        return "✓ Notebooks are stored without keys; pushes are scanned."
    return "✓ Notebooks are stored without keys. Pushes are not scanned."


def _hook_row(context: Context, hook: "HookPlace | None") -> Row:
    if hook is None:
        return Row("pre-push", "not set up, by --no-pre-push", "", context.format_command("protect"))
    if not hook.is_called:
        return Row("pre-push", f"{hook.caller} does not start the scan yet", "warn", "Add the lines below to it.")
    return Row("pre-push", hook.caller or hook.path, "ok")


def _lines_to_add(hook: "HookPlace | None") -> tuple[str, ...]:
    """For the file of another tool, which a person edits."""
    if hook is None or hook.is_called:
        return ()
    is_new = "" if os.path.lexists(hook.caller) else ", a new file that has to be executable"
    return (Lines(f"For {hook.caller}{is_new}:\n\n{hook.lines}"),)


def _status_report(context: Context, git: "Git") -> Action:
    """The current state; exit 1 if something needs to be done."""
    from mistral_nb.git import repository_protection
    from mistral_nb.git.doctor_checks import protection_status

    now = protection_status(git, context.config.home)
    where = repository_protection.find_repository(git)
    found = yield from _find_staged_keys(context, where.git)
    rows = [*now.rows, *_submodule_rows(where.git), *_tracked_key_rows(context, where.git, found), *index_rows(context)]
    bad = any(row.state in ("warn", "bad") for row in rows)
    title = "✓ Protected." if not bad else ("Protected, with problems:" if now.is_protected else "Not protected here.")
    data = {"protected": now.is_protected, "tracked": _json_data(found), "rows": [row.value for row in now.rows]}
    return Report(
        title,
        tuple(rows),
        _revoke_first_notes(found),
        exit_code=exit_codes.FINDING if bad else exit_codes.OK,
        data=data,
    )


def _is_modified(git: "Git", file: str) -> bool:
    """Whether a file is not as it was committed."""
    return bool(git.output("status", "--porcelain", "--untracked-files=all", "--", file))


def _wrapped_row(git: "Git", name: str) -> Row:
    if git.config(f"filter.{name}.clean"):
        return Row("also runs", f"the filter {name}, inside this one", "ok")
    words = f"the filter {name} is assigned to notebooks but not configured here, so it does not run"
    return Row("other filter", words, "warn", f"Set {name} up in this repository; nothing more is needed for this one.")


def _uncovered_rows(done: "ProtectionResult") -> list[Row]:
    rows = []
    for name, paths in done.uncovered.items():
        what = {"unset": "no filter, by an attributes file", "unspecified": "no filter"}.get(name, f"the filter {name}")
        rows.append(
            Row(
                "NOT covered",
                f"{name_first(paths, _MAX_PATHS) or 'new notebooks'}: {what}",
                "warn",
                "See: git check-attr -a FILE",
            )
        )
    return rows


def _submodule_rows(git: "Git") -> list[Row]:
    from mistral_nb.git.run_git import SUBMODULE, list_staged_entries

    paths = [entry.path for entry in list_staged_entries(git) if entry.mode == SUBMODULE]
    if not paths:
        return []
    repair = "git submodule foreach 'mistral-nb protect'"
    return [Row("submodules", f"{name_first(paths, _MAX_PATHS)}: separate repositories, not covered", "", repair)]


def _tracked_key_rows(context: Context, git: "Git", found: "StagedKeys") -> list[Row]:
    """The tracked files with keys, by what takes these out."""
    rows = []
    for remedy, files in group_by_remedy({**found.covered, **found.uncovered}, git.folder, found.covered).items():
        state = "already committed or staged" if remedy == FILTER else "which the filter does not see"
        repair = format_remedy(remedy, files, git.folder, context.folder or os.getcwd())
        rows.append(Row("keys inside", _format_tracked(files, state), "warn", repair))
    return rows


def _revoke_first_notes(found: "StagedKeys") -> tuple[str, ...]:
    if not found:
        return ()
    return ("Treat any key that was ever pushed as leaked: revoke it first. History: scan --git-history.",)


def _format_tracked(found: Mapping[str, Sequence[KeyRecord]], state: str) -> str:
    count = format_count([record for records in found.values() for record in records])
    paths = [f"{path}: {format_keys(records)}" for path, records in found.items()]
    return f"{count}, {state}: {name_first(paths, _MAX_PATHS)}"


def _json_data(found: "StagedKeys") -> list[dict[str, object]]:
    return [
        to_json(record) | {"covered": covered}
        for covered, group in ((True, found.covered), (False, found.uncovered))
        for records in group.values()
        for record in records
    ]
