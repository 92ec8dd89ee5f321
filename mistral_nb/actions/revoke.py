"""`revoke`: a leaked key out of use at once, until Mistral refuses it; then where it leaked.

One copy stays in the store, sealed and out of every workspace, so that a later call can ask Mistral
again; it is deleted when Mistral refuses the key.
"""

from collections.abc import Generator

from mistral_nb.actions import admin_key, admin_revoke, choose, leaks, obtain, unfinished
from mistral_nb.actions import leaked as leaked_keys
from mistral_nb.actions.context import Context
from mistral_nb.actions.leaked import Leaked
from mistral_nb.actions.pages import page_of
from mistral_nb.actions.placed import placed, store_name
from mistral_nb.actions.young import is_young
from mistral_nb.api.verdict import Verdict
from mistral_nb.errors import Cancelled, MistralNbError, StoreError
from mistral_nb.report import Action, Answer, Ask, Report, Row, Step
from mistral_nb.store.index import ADMIN


def action(
    context: Context,
    workspace: str | None = None,
    clean_history: bool = False,
    yes: bool = False,
    by_hand: bool = False,
) -> Action:
    yield from choose.agree_to_host(context)
    found = yield from leaked_keys.taken_out(context, workspace)
    try:
        yield from unfinished.finish(context)
        reports = []
        for leaked in found:
            reports.append((yield from _looked_into(context, leaked, clean_history, yes=yes, by_hand=by_hand)))
        report = reports[0] if len(reports) == 1 else _joined(found, reports)
        return (yield from _with_a_new_key(context, found[-1], report))
    except KeyboardInterrupt:
        title = f"Cancelled. …{found[-1].tail} is out of use all the same."
        raise Cancelled(title, *_look_again(context, found[-1])) from None


def _looked_into(
    context: Context, leaked: Leaked, clean_history: bool, *, yes: bool, by_hand: bool
) -> Generator[Ask | Step, Answer, Report]:
    """Whether Mistral still accepts the key, and where it leaked."""
    rows: list[Row] = []
    verdict = None
    if leaked.kind == ADMIN:
        admin_key.verify(context)
    elif leaked.key is not None and not by_hand and admin_key.at_hand(context):
        leaked = yield from admin_revoke.deleted(context, leaked, yes=yes)
    if leaked.key is not None:
        yield Step(f"Asking Mistral about …{leaked.tail} …")
        verdict = context.verify(leaked.key, context.config.api)
        if clean_history:
            changed = leaks.clean_histories(context, leaked.key)
            yield Step(f"Taken out of IPython's history, in {changed} place{'s' * (changed != 1)}.")
        yield Step("Looking where it leaked …")
        rows = list(leaks.rows(context, leaked.key))
    report = yield from _concluded(context, leaked, verdict, rows)
    return _noting(report, *leaked.notes)


def _joined(found: list[Leaked], reports: list[Report]) -> Report:
    """One report on several keys of a workspace that wait to be refused."""
    rows = [
        Row(f"…{leaked.tail}: {row.label}", row.value, row.state, row.repair)
        for leaked, report in zip(found, reports, strict=True)
        for row in report.rows
    ]
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    data = {"keys": [report.data for report in reports]}
    code = max(report.exit_code for report in reports)
    return Report("\n".join(report.title for report in reports), tuple(rows), tuple(notes), code, data)


def _concluded(
    context: Context, leaked: Leaked, verdict: Verdict | None, rows: list[Row]
) -> Generator[Ask | Step, Answer, Report]:
    again = _look_again(context, leaked)
    page = page_of(leaked.kind)
    data = {
        "workspace": leaked.workspace,
        "tail": leaked.tail,
        "verdict": verdict.kind if verdict else None,
        "leaks": [{"place": row.label, "found": row.value, "clean": row.repair} for row in rows if row.state == "bad"],
    }
    others = "Other running kernels may still hold it: restart them."
    if verdict is None:
        title = f"Mistral was not asked about …{leaked.tail}: the key could not be read. Delete it here: {page}"
        return Report(title, tuple(rows), (others,), exit_code=3, data=data)
    if verdict.accepts_key and leaked.deleted:
        title = f"…{leaked.tail} is deleted at Mistral, and still accepted: that may take some minutes."
        return Report(title, tuple(rows), (*again, others), exit_code=1, data=data)
    if verdict.accepts_key:
        title = f"Mistral still accepts …{leaked.tail}; delete it here: {page}"
        return Report(title, tuple(rows), (*again, others), exit_code=1, data=data)
    if verdict.accepts_key is None:
        title = f"Mistral could not be asked about …{leaked.tail}. Delete it here: {page}"
        return Report(title, tuple(rows), (verdict.sentence, *again), exit_code=3, data=data)
    if leaked.key and leaked.aside and not leaked.deleted and is_young(context, leaked.key.fingerprint):
        title = f"Mistral refuses …{leaked.tail}, but it is only minutes old and may yet be accepted."
        notes = (f"Delete it here: {page}", *again)
        return Report(title, tuple(rows), notes, exit_code=1, data=data)
    yield from _drop_copy(context, leaked)
    title = f"Mistral refuses …{leaked.tail}: it is of no use to anybody any more."
    return Report(title, tuple(rows), data=data)


def _look_again(context: Context, leaked: Leaked) -> tuple[str, ...]:
    """Only where a copy waits: without one the same command would mean another key."""
    return (f"Then look again: {context.typed(f'revoke {leaked.workspace}')}",) if leaked.aside else ()


def _drop_copy(context: Context, leaked: Leaked) -> Generator[Ask | Step, Answer, None]:
    for aside in context.keeper.asides():
        if leaked.key and aside.fingerprint == leaked.key.fingerprint:
            try:
                context.keeper.drop_aside(aside)
            except StoreError as error:
                yield Step(str(error))


def _with_a_new_key(context: Context, leaked: Leaked, report: Report) -> Generator[Ask | Step, Answer, Report]:
    """Ends with a new key, if wanted."""
    if not leaked.workspace or leaked.workspace in context.keeper.workspaces():
        return report
    waiting = context.keeper.pending().get(leaked.workspace)
    if waiting:
        note = f"The new key …{waiting.tail} waits: {context.typed(f'rotate {leaked.workspace}')}"
        return _noting(report, note)
    later = f"A new key for it: {context.typed(f'add {leaked.workspace}')}"
    if context.interactive:
        yield Step(report.title)
    if (
        yield Ask("new key", f"Add a new key for {leaked.workspace} now?", choices=("yes", "no"), default="no")
    ) != "yes":
        return _noting(report, later)
    try:
        got = yield from obtain.obtain(context, obtain.Wishes(workspace=leaked.workspace, yes=True))
    except MistralNbError as error:
        return _noting(report, f"No new key was kept. {error}")
    where = store_name(got.entry)
    if context.in_notebook:
        now = placed(context, got.key, got.workspace, f"what you typed, kept in {where}", notes=got.notes())
        return _noting(report, *str(now).splitlines())
    return _noting(report, *got.notes(), f"Kept in {where}: {got.workspace} …{got.key.tail}.")


def _noting(report: Report, *notes: str) -> Report:
    return Report(report.title, report.rows, (*report.notes, *notes), report.exit_code, report.data)
