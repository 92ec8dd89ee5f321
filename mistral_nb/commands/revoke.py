"""`revoke`: takes a leaked key out of use, checks that Mistral refuses it, and shows where it leaked.

One copy stays in the store, in no workspace, so that a later call can ask Mistral
again; it is deleted when Mistral refuses the key.
"""

from dataclasses import replace

from mistral_nb import exit_codes
from mistral_nb.api.console_pages import key_page_url
from mistral_nb.api.verdict import Verdict
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, MistralNbError, StoreError
from mistral_nb.keys import host_consent, interrupted_commands, key_intake, login_report
from mistral_nb.keys import revocation as leaked_keys
from mistral_nb.keys.admin_access import can_use_admin_key, load_admin
from mistral_nb.keys.child_processes import old_key_notes
from mistral_nb.keys.expiry import is_young
from mistral_nb.keys.revocation import RevokedKey
from mistral_nb.prompts.confirm import confirm
from mistral_nb.report import Action, Dialog, Report, Row, Step
from mistral_nb.scanning import leak_search
from mistral_nb.storage.index import ADMIN
from mistral_nb.wording import plural


def action(
    context: Context,
    workspace: str | None = None,
    clean_history: bool = False,
    yes: bool = False,
    manual: bool = False,
) -> Action:
    yield from host_consent.confirm_host(context)
    found = yield from leaked_keys.take_out_of_use(context, workspace, yes=yes)
    try:
        yield from interrupted_commands.finish_interrupted(context)
        reports = []
        for leaked in found:
            reports.append((yield from _investigate(context, leaked, clean_history, yes=yes, manual=manual)))
        report = reports[0] if len(reports) == 1 else _merge_reports(found, reports)
        return (yield from _offer_new_key(context, found[-1], report))
    except KeyboardInterrupt:
        title = f"Cancelled. …{found[-1].tail} is out of use anyway."
        raise Cancelled(title, *_look_again_notes(context, found[-1])) from None


def _investigate(context: Context, leaked: RevokedKey, clean_history: bool, *, yes: bool, manual: bool) -> Action:
    """Check whether Mistral still accepts the key, and where it leaked."""
    rows: list[Row] = []
    verdict = None
    if leaked.kind == ADMIN:
        load_admin("credentials").verify_with_admin_api(context)
    elif leaked.key is not None and not manual and can_use_admin_key(context):
        leaked = yield from load_admin("revoke").delete_leaked_key(context, leaked, yes=yes)
    if leaked.key is not None:
        yield Step(f"Asking Mistral about …{leaked.tail} …")
        verdict = context.verify(leaked.key)
        if clean_history:
            changed = leak_search.clean_histories(context, leaked.key)
            yield Step(f"Removed from IPython's history in {plural(changed, 'place')}.")
        yield Step("Searching where it leaked …")
        rows = list(leak_search.leak_rows(context, leaked.key))
    report = yield from _conclude(context, leaked, verdict, rows)
    return _add_notes(report, *leaked.notes, *_child_notes(context, leaked))


def _merge_reports(found: list[RevokedKey], reports: list[Report]) -> Report:
    """One report on several revoked keys of a workspace that are not yet rejected."""
    rows = [
        Row(f"…{leaked.tail}: {row.label}", row.value, row.state, row.repair)
        for leaked, report in zip(found, reports, strict=True)
        for row in report.rows
    ]
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    data = {"keys": [report.data for report in reports]}
    code = exit_codes.worst(report.exit_code for report in reports)
    return Report(" ".join(report.title for report in reports), tuple(rows), tuple(notes), code, data)


def _conclude(context: Context, leaked: RevokedKey, verdict: Verdict | None, rows: list[Row]) -> Action:
    again = _look_again_notes(context, leaked)
    page = key_page_url(leaked.kind)
    data = {
        "workspace": leaked.workspace,
        "tail": leaked.tail,
        "verdict": verdict.kind if verdict else None,
        "leaks": [{"place": row.label, "found": row.value, "clean": row.repair} for row in rows if row.state == "bad"],
    }
    others = "Other running kernels may still hold it: restart them."
    if verdict is None:
        title = f"Mistral was not asked about …{leaked.tail}: the key could not be read. Delete it here: {page}"
        return Report(title, tuple(rows), (others,), exit_code=exit_codes.INCOMPLETE, data=data)
    if verdict.accepts_key and leaked.deleted:
        title = f"…{leaked.tail} is deleted at Mistral but still accepted; this may take a few minutes."
        return Report(title, tuple(rows), (*again, others), exit_code=exit_codes.FINDING, data=data)
    if verdict.accepts_key:
        title = f"Out of use here. Mistral still accepts …{leaked.tail} until you delete it: {page}"
        return Report(
            title,
            tuple(rows),
            (*_take_back_notes(context, leaked), *again, others),
            exit_code=exit_codes.FINDING,
            data=data,
        )
    if verdict.accepts_key is None:
        title = f"Mistral could not be asked about …{leaked.tail}. Delete it here: {page}"
        return Report(title, tuple(rows), (verdict.sentence, *again), exit_code=exit_codes.INCOMPLETE, data=data)
    if leaked.key and leaked.stored_copy and not leaked.deleted and is_young(context, leaked.key.fingerprint):
        title = f"Mistral refuses …{leaked.tail}, but it is only minutes old and may still be accepted."
        notes = (f"Delete it here: {page}", *again)
        return Report(title, tuple(rows), notes, exit_code=exit_codes.FINDING, data=data)
    yield from _drop_copy(context, leaked)
    title = f"Mistral no longer accepts …{leaked.tail}; the key is unusable."
    return Report(title, tuple(rows), data=data)


def _look_again_notes(context: Context, leaked: RevokedKey) -> tuple[str, ...]:
    """Only if a copy is left: without one the same command would refer to another key."""
    return (f"Then check again: {context.format_command(f'revoke {leaked.workspace}')}",) if leaked.stored_copy else ()


def _take_back_notes(context: Context, leaked: RevokedKey) -> tuple[str, ...]:
    """Only where `login` offers it: not for an Admin key, nor in a workspace that stores another key."""
    if leaked.kind == ADMIN or not (leaked.stored_copy and leaked.workspace):
        return ()
    if leaked.workspace in context.stored_workspaces():
        return ()
    return (f"If that was a mistake: {context.format_command(f'login {leaked.workspace}')} offers to take it back.",)


def _child_notes(context: Context, leaked: RevokedKey) -> tuple[str, ...]:
    known = leaked.key or leaked.stored_copy or leaked.entry
    if known is None:
        return ()
    return old_key_notes(context, known.fingerprint, leaked.tail, was_set=context.active is None)


def _drop_copy(context: Context, leaked: RevokedKey) -> Dialog[None]:
    for aside in context.key_manager.retired_keys():
        if leaked.key and aside.fingerprint == leaked.key.fingerprint:
            try:
                context.key_manager.drop_retired(aside)
            except StoreError as error:
                yield Step(str(error))


def _offer_new_key(context: Context, leaked: RevokedKey, report: Report) -> Action:
    """Offer to add a new key."""
    if not leaked.workspace or leaked.workspace in context.key_manager.workspaces():
        return report
    waiting = context.key_manager.pending_keys().get(leaked.workspace)
    if waiting:
        note = f"The new key …{waiting.tail} is pending: {context.format_command(f'rotate {leaked.workspace}')}"
        return _add_notes(report, note)
    later = f"To add a new key: {context.format_command(f'login {leaked.workspace}')}"
    if context.interactive:
        yield Step(report.title)
        report = replace(report, title="")  # it was said
    if not (yield from confirm("new key", f"Add a new key for {leaked.workspace} now?")):
        return _add_notes(report, later)
    wishes = key_intake.LoginOptions(workspace=leaked.workspace, yes=True, offer_revoked=False)
    advice = _take_back_notes(context, leaked)
    try:
        got = yield from key_intake.obtain_key(context, wishes)
        told = str(login_report.finish_login(context, got)).splitlines()
    except Cancelled as error:  # it says whether the key was kept
        told = [str(error)]
    except MistralNbError as error:
        told = [f"No new key was saved. {error}"]
    if leaked.workspace in context.stored_workspaces():
        report = replace(report, notes=tuple(note for note in report.notes if note not in advice))
    return _add_notes(report, *told)


def _add_notes(report: Report, *notes: str) -> Report:
    return Report(report.title, report.rows, (*report.notes, *notes), report.exit_code, report.data)
