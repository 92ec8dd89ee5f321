"""`status`: one report of where everything stands. Never more of a key than its tail."""

from typing import Any

from mistral_nb import session
from mistral_nb.actions import expiry, reminders, unfinished
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown, store_name, warnings
from mistral_nb.report import Action, Report, Row
from mistral_nb.store.index import ADMIN, COMPROMISED, Workspace

_TOLD_BY_MISTRAL = ("name", "organisation", "mistral_workspace", "key_id")


def action(context: Context, long: bool = False) -> Action:
    yield from unfinished.finish(context)
    kept = context.kept()
    active = context.active
    long = long or not context.in_notebook
    rows = [*_active_rows(context, active, kept, long)]
    for name, entry in kept.items():
        if not (active and active.workspace == name):
            rows.append(_kept_row(context, name, entry))
    rows += [*_index_rows(context), *(Row("warning", text, "warn") for text in warnings(context))]
    saves = _saves(context)
    kernel = _this_kernel(context)
    rows += [*kernel, *saves]
    rows += [Row("clock", text, "warn") for text in filter(None, [expiry.clock_doubt(kept.values(), context.now())])]
    next_step = _next_step(context, active, kept)
    data = {
        "active": _active_data(active),
        "workspaces": {name: _data(context, entry, long) for name, entry in kept.items()},
        "warnings": [*filter(None, (context.problem,)), *warnings(context)],
        "saves": saves[0].value if saves else None,
        "kernel": kernel[0].value if kernel else None,
        "next": next_step,
    }
    return Report(_title(active, kept), tuple(rows), (f"Next: {next_step}",), data=data)


def _title(active: session.Active | None, kept: dict[str, Workspace]) -> str:
    if active is None:
        return "No Mistral key is in this process."
    return f"Active: {shown(active.workspace or 'no workspace', active.key.tail, kept.get(active.workspace or ''))}"


def _active_rows(context: Context, active: session.Active | None, kept: dict[str, Workspace], long: bool) -> list[Row]:
    if active is None:
        unset = "holds no key (a placeholder or a marker)" if session.not_a_key(context.environ) else "is not set"
        return [Row("MISTRAL_API_KEY", unset, "warn")]
    entry = kept.get(active.workspace or "")
    rows = [Row("came from", active.origin)]
    if entry is None:
        return [
            *rows,
            Row("kept", "not kept here" if not active.workspace else "no longer kept here", "warn"),
        ]
    if entry.fingerprint != active.key.fingerprint:
        rows.append(Row("kept", f"another key is kept for {active.workspace} now: …{entry.tail}", "warn"))
    words, state = expiry.sentence(entry, context.today())
    rows += [
        Row("kept in", store_name(entry)),
        Row("expires", words, state),
        Row("verified", entry.verified or "never", "" if entry.verified else "warn"),
    ]
    if _age(context, entry):
        rows.append(Row("age", _age(context, entry).removeprefix("; "), "warn", context.typed("rotate")))
    told = (
        ("key name", entry.name),
        ("organisation", entry.organisation),
        ("at Mistral", entry.mistral_workspace),
    )
    return rows + [Row(label, value) for label, value in told if value and long]


def _kept_row(context: Context, name: str, entry: Workspace) -> Row:
    words, state = expiry.sentence(entry, context.today())
    protected = ", protected" if entry.protected else ""
    protected = f", an Admin key{protected}" if entry.kind == ADMIN else protected
    age, repair = _age(context, entry), ""
    if age:
        state, repair = state or "warn", context.typed(f"rotate {name}")
    return Row(
        f"kept: {name}", f"…{entry.tail} in {store_name(entry)}{protected}; expires: {words}{age}", state, repair
    )


def _age(context: Context, entry: Workspace) -> str:
    """Words on a key that is older than the project wants keys to be."""
    if context.problem:
        return ""
    days = reminders.overdue(context, context.contents(), entry)
    return f"; {days} days old, and this project rotates after {expiry.policy(context.config.project)}" if days else ""


def _this_kernel(context: Context) -> list[Row]:
    """Whether what this kernel sends is guarded."""
    if not context.in_notebook:
        return []
    from mistral_nb.kernel import health

    return list(health.guard_rows())


def _saves(context: Context) -> list[Row]:
    """Whether this notebook is saved without keys; a command line has no notebook."""
    if not context.in_notebook:
        return []
    from mistral_nb.saving.coverage import coverage

    found = coverage(context.environ)
    return [Row("saves", str(found), found.state, found.repair if found.state == "warn" else "")]


def _index_rows(context: Context) -> list[Row]:
    if context.problem:
        return [Row("index", context.problem, "bad")]
    return waiting_rows(context)


def waiting_rows(context: Context) -> list[Row]:
    """New keys that wait to be accepted, old and revoked ones that Mistral may still accept."""
    rows = [
        Row(f"new: {name}", f"…{entry.tail} waits to be accepted", "warn", context.typed(f"rotate {name}"))
        for name, entry in context.keeper.pending().items()
    ]
    for aside in context.keeper.asides():
        revoked = aside.state == COMPROMISED
        label, how = ("revoked", f"revoke {aside.of}") if revoked else ("old", f"verify {aside.of} --old")
        words = f"…{aside.tail} may still be accepted by Mistral"
        rows.append(Row(f"{label}: {aside.of}", words, "bad" if revoked else "", context.typed(how)))
    return rows


def _next_step(context: Context, active: session.Active | None, kept: dict[str, Workspace]) -> str:
    usable = [name for name, entry in kept.items() if entry.kind != ADMIN]
    if active is None and context.in_notebook:
        return context.typed(f"use {usable[0]}" if len(usable) == 1 else "use")
    if active is None:
        return context.typed("run -- CMD…" if usable else "add")
    return context.typed("verify")


def _active_data(active: session.Active | None) -> dict[str, Any] | None:
    if active is None:
        return None
    return {
        "workspace": active.workspace,
        "tail": active.key.tail,
        "ours": active.ours,
        "origin": active.origin,
    }


def _data(context: Context, entry: Workspace, long: bool) -> dict[str, Any]:
    return {**noted(entry, long), "days_left": expiry.days_left(entry, context.today())}


def noted(entry: Workspace, long: bool) -> dict[str, Any]:
    """What is noted on a key, for ``--json``: in a notebook, whose outputs get committed, without names."""
    told = entry._asdict()
    return told if long else {name: value for name, value in told.items() if name not in _TOLD_BY_MISTRAL}
