"""`protect`: keep keys out of this repository's commits, and say which are in it already."""

import os
from typing import TYPE_CHECKING

from mistral_nb.actions.context import Context
from mistral_nb.actions.scan_history import index_rows
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.report import Action, Report, Row
from mistral_nb.scrub.findings import Finding

if TYPE_CHECKING:
    from mistral_nb.git.plumbing import Git
    from mistral_nb.git.protect import Protected
    from mistral_nb.git.tracked import Tracked

_MANY = 8  # files named
_NOT_COVERED = "Set up, and NOT in force: something else says that new notebooks do not go through the filter."


def action(
    context: Context,
    *,
    local: bool = False,
    everywhere: bool = False,
    wrap: bool = False,
    pre_push: bool = False,
    renormalize: bool = False,
    status: bool = False,
) -> Action:
    yield from ()
    from mistral_nb.git import protect, tracked
    from mistral_nb.git.plumbing import Git

    git = Git(context.folder, context.environ)
    if everywhere and (local or wrap or pre_push or renormalize):
        raise WrongUsage("--global sets up no single repository.", "Leave the other flag out, or --global.")
    if status:
        return _status(context, git)
    try:
        if everywhere:
            return _protected_all(protect.protect_all(git, context.config.home))
        done = protect.protect(git, context.config.home, local=local, wrap=wrap, pre_push=pre_push)
        where = protect.find(git)
        staged_now = tracked.renormalize(where.git, context.config.home) if renormalize else []
        return _protected(context, where.git, done, staged_now)
    except OSError as error:
        why = f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}"
        raise MistralNbError(f"Protection could not be set up: {why}.", "Mend that, and run it again.") from None


def _protected(context: Context, git: "Git", done: "Protected", renormalized: list[str]) -> Report:
    from mistral_nb.git import tracked

    rows = [Row("filter", "in this repository's configuration; nobody who clones it gets it", "ok")]
    shared = os.path.basename(done.attributes) == ".gitattributes"
    todo = "Commit it." if shared and done.place.attributes else ""
    rows.append(Row("attributes", done.attributes, "ok", todo))
    if done.driver.wraps:
        rows.append(_wrapped(git, done.driver.wraps))
    if done.place.hook:
        rows.append(Row("pre-push", done.place.hook, "ok"))
    rows += _uncovered(done)
    rows += _submodules(git)
    if renormalized:
        named = _named(renormalized)
        rows.append(Row("taken out", f"keys in {named}: staged", "ok", "Commit it: git commit -m 'Take keys out'"))
    found = tracked.holding(git)
    rows += _already(context, found)
    rows += index_rows(context)
    words = "is protected" if done.changed else "was protected already"
    title = f"✓ This repository {words}: keys in its notebooks stay out of your commits."
    return Report(
        title if done.covers else _NOT_COVERED,
        tuple(rows),
        _revoke_first(found),
        exit_code=int(not done.covers),
        data={
            "changed": done.changed,
            "attributes": done.attributes,
            "wraps": done.driver.wraps,
            "renormalized": renormalized,
            "uncovered": done.uncovered,
            "tracked": _data(found),
        },
    )


def _protected_all(done: "Protected") -> Report:
    rows = (
        Row("filter", "in your git configuration, for all repositories", "ok"),
        Row("attributes", done.attributes, "ok"),
        *_uncovered(done),
    )
    note = "A repository whose own .gitattributes names another filter needs protect --wrap there."
    title = f"✓ Every repository of yours {'is protected' if done.changed else 'was protected already'}."
    data = {"changed": done.changed, "attributes": done.attributes}
    return Report(title if done.covers else _NOT_COVERED, rows, (note,), int(not done.covers), data)


def _status(context: Context, git: "Git") -> Report:
    """What holds here; exit 1 where something is to be done."""
    from mistral_nb.git import protect, tracked
    from mistral_nb.git.health import standing

    now = standing(git, context.config.home)
    where = protect.find(git)
    found = tracked.holding(where.git)
    rows = [*now.rows, *_submodules(where.git), *_already(context, found), *index_rows(context)]
    bad = any(row.state in ("warn", "bad") for row in rows)
    title = "✓ Protected." if not bad else ("Protected, and:" if now.protects else "Not protected here.")
    data = {"protected": now.protects, "tracked": _data(found), "rows": [row.value for row in now.rows]}
    return Report(title, tuple(rows), _revoke_first(found), exit_code=int(bad), data=data)


def _wrapped(git: "Git", name: str) -> Row:
    if git.config(f"filter.{name}.clean"):
        return Row("also runs", f"the filter {name}, inside this one", "ok")
    words = f"the filter {name} is named for notebooks, and not set up here: it does not run"
    return Row("other filter", words, "warn", f"Set {name} up in this repository; nothing more is needed for this one.")


def _uncovered(done: "Protected") -> list[Row]:
    rows = []
    for name, paths in done.uncovered.items():
        what = {"unset": "no filter, by an attributes file", "unspecified": "no filter"}.get(name, f"the filter {name}")
        rows.append(
            Row("NOT covered", f"{_named(paths) or 'new notebooks'}: {what}", "warn", "See: git check-attr -a FILE")
        )
    return rows


def _submodules(git: "Git") -> list[Row]:
    from mistral_nb.git.plumbing import SUBMODULE, staged

    paths = [entry.path for entry in staged(git) if entry.mode == SUBMODULE]
    if not paths:
        return []
    repair = "git submodule foreach 'mistral-nb protect'"
    return [Row("submodules", f"{_named(paths)}: repositories of their own, not covered by this", "", repair)]


def _already(context: Context, found: "Tracked") -> list[Row]:
    rows = []
    if found.covered:
        value = f"{_told(found.covered)}: committed or staged before, and left as they are"
        repair = f"To take them out: {context.typed('protect --renormalize')}"
        rows.append(Row("keys inside", value, "warn", repair))
    if found.others:
        repair = f"{context.typed('scrub FILE')}, then git add FILE"
        value = f"{_told(found.others)}: no notebooks, the filter does not see them"
        rows.append(Row("keys inside", value, "warn", repair))
    return rows


def _revoke_first(found: "Tracked") -> tuple[str, ...]:
    if not found:
        return ()
    return ("A key that was ever pushed counts as known to others: revoke it first. History: scan --git-history.",)


def _told(found: dict[str, list[Finding]]) -> str:
    each = [f"{path} (…{', …'.join(dict.fromkeys(f.tail for f in findings))})" for path, findings in found.items()]
    return _named(each)


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - _MANY} more" if len(paths) > _MANY else ""
    return ", ".join(paths[:_MANY]) + more


def _data(found: "Tracked") -> list[dict[str, object]]:
    return [
        {"tier": f.tier, "fingerprint": f.fingerprint, "file": path, "path": f.path, "line": f.line, "covered": covered}
        for covered, group in ((True, found.covered), (False, found.others))
        for path, findings in group.items()
        for f in findings
    ]
