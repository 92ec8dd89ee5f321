"""`list`: the keys that are kept here; with ``--remote``, the organisation's list beside them."""

from mistral_nb.actions import admin_key, admin_list, admin_settle, expiry, unfinished
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown, store_name
from mistral_nb.actions.status import noted
from mistral_nb.report import Action, Report, Row, Step
from mistral_nb.store.index import ADMIN, Workspace

_MOST_UNKNOWN = 30  # rows of keys that nothing is the matter with


def action(context: Context, remote: bool = False, long: bool = False) -> Action:
    long = long or not context.in_notebook
    if remote:
        return (yield from _remote(context, long))
    yield from unfinished.finish(context)
    kept = context.kept()
    rows = tuple(_row(context, name, entry) for name, entry in kept.items())
    problem = (Row("index", context.problem, "bad"),) if context.problem else ()
    note = (f"What Mistral knows of them: {context.typed('list --remote')}",) if admin_key.at_hand(context) else ()
    title = f"{len(rows)} key{'s' * (len(rows) != 1)} kept here."
    data = {
        "kept": {name: noted(entry, long) for name, entry in kept.items()},
        "active": next((name for name, entry in kept.items() if _is_active(context, name, entry)), None),
        "problem": context.problem or None,
    }
    return Report(title, (*problem, *rows), note, 3 if problem else 0, data)


def _row(context: Context, name: str, entry: Workspace) -> Row:
    words, state = expiry.sentence(entry, context.today())
    kind = ", an Admin key" if entry.kind == ADMIN else ""
    active = ", active here" if _is_active(context, name, entry) else ""
    return Row(name, f"{shown(None, entry.tail, entry)} in {store_name(entry)}{kind}{active}; expires: {words}", state)


def _is_active(context: Context, name: str, entry: Workspace) -> bool:
    active = context.active
    return active is not None and active.workspace == name and active.key.fingerprint == entry.fingerprint


def _remote(context: Context, long: bool) -> Action:
    from mistral_nb.api.admin import UNTRIED, Admin

    found = yield from admin_key.find(context)
    admin = Admin(found.key, admin_key.base(context))
    yield Step("Asking Mistral's Admin API for the organisation's keys …")
    yield from admin_settle.settle(context, admin)
    listed = admin.keys()
    matched = admin_list.match(context, listed)
    admin_list.learn(context, matched)
    lines = [*admin_list.ours(context, matched), *admin_list.others(context, listed, matched)]
    findings = [line for line in lines if line.state in ("warn", "bad")]
    quiet = [line for line in lines if line not in findings]
    shown = [*findings, *quiet[:_MOST_UNKNOWN]]
    rows = tuple(Row(line.label(long), line.words, line.state, line.repair) for line in shown)
    more = len(quiet) - _MOST_UNKNOWN
    notes = (*((f"{more} more, with nothing to say: --json lists them.",) if more > 0 else ()), UNTRIED)
    title = f"Mistral lists {len(listed)} key{'s' * (len(listed) != 1)}; {_counted(lines)}."
    data = {"keys": [line.data for line in lines], "findings": len(findings), "note": UNTRIED}
    return Report(title, rows, notes, exit_code=1 if findings else 0, data=data)


def _counted(lines: list[admin_list.Line]) -> str:
    counts = {what: sum(what in line.what for line in lines) for what in admin_list.WHAT}
    said = [f"{count} {what}" for what, count in counts.items() if count]
    return ", ".join(said) or "none of them is kept here"
