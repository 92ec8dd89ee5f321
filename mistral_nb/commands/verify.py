"""`verify`: checks a key with the API and explains the answer."""

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from mistral_nb import environment, exit_codes
from mistral_nb.api.console_pages import OWN_KEYS_URL, key_page_url
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import IndexNotWritten, IndexTooNew, MistralNbError, WrongUsage
from mistral_nb.keys import (
    expiry,
    host_consent,
    interrupted_commands,
    key_sources,
    other_keys,
    passphrase_prompt,
    workspace_choice,
)
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.admin_access import load_admin
from mistral_nb.keys.expiry import is_young
from mistral_nb.keys.key_details import reported_details
from mistral_nb.keys.key_file import find_key_at_hand
from mistral_nb.report import Action, Dialog, Report, Row, RowState, Step
from mistral_nb.storage.index import ADMIN, COMPROMISED, RETIRED, Workspace
from mistral_nb.storage.store_protocol import store_name

_STATES: Mapping[int, RowState] = {exit_codes.OK: "ok", exit_codes.FINDING: "bad"}


class VerifyTarget(NamedTuple):
    """The key to check; ``workspace`` is None for one that no workspace keeps. ``origin``: where it came from."""

    key: Key
    workspace: str | None
    entry: Workspace | None
    origin: str


def action(context: Context, workspace: str | None = None, long: bool = False, old: bool = False) -> Action:
    yield from host_consent.confirm_host(context)
    yield from interrupted_commands.finish_interrupted(context)
    if old:
        return (yield from check_old_keys(context, workspace))
    subject = yield from _find_target(context, workspace)
    if subject.entry and subject.entry.kind == ADMIN:
        credentials = load_admin("credentials")
        yield from credentials.confirm_admin_host(context)
        credentials.verify_with_admin_api(context)
    environment.register_key(subject.key, context.index)
    verdict = context.verify(subject.key)
    if verdict.accepts_key:
        environment.register_key(subject.key, context.index, confirmed=True)
    mismatch = _mismatch_note(subject.entry, verdict.identity)
    if subject.workspace and subject.entry and verdict.accepts_key:
        _record_verdict(context, subject.workspace, verdict)
    return _report(context, subject, verdict, mismatch, long or not context.may_be_committed)


def _find_target(context: Context, named: str | None) -> Dialog[VerifyTarget]:
    at_hand = find_key_at_hand(context) if named is None else None
    if at_hand:  # the key in use, whatever is kept by now
        entry = context.stored_workspaces().get(at_hand.workspace or "")
        same = entry is not None and entry.fingerprint == at_hand.key.fingerprint
        return VerifyTarget(at_hand.key, at_hand.workspace, entry if same else None, at_hand.origin)
    if no_key := environment.no_key_sentence(context.environ):
        yield Step(f"{no_key} {key_sources.how_to_set(context)}")
    choice = yield from workspace_choice.choose_workspace(context, named)
    entry = context.key_manager.workspaces().get(choice.name or "")
    if choice.name is None or entry is None:
        what = f"for workspace {choice.name} " if choice.name else ""
        login = context.format_command(f"login {choice.name}" if choice.name else "login")
        misnamed = "" if choice.name else key_sources.misnamed_hint(context)
        raise MistralNbError(f"No key {what}is stored.", misnamed or f"Add one: {login}")
    name = choice.name
    key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read(name))
    return VerifyTarget(key, name, entry, store_name(entry.store))


def _mismatch_note(entry: Workspace | None, identity: Identity | None) -> str:
    """A sentence if the API reports another workspace or organisation than before."""
    if entry is None or identity is None:
        return ""
    pairs = (
        ("workspace", entry.mistral_workspace, identity.workspace),
        ("organisation", entry.organisation, identity.organisation),
    )
    changed = [f"{what} {now}, earlier {before}" for what, before, now in pairs if before and now and before != now]
    return f"Mistral now says {' and '.join(changed)}." if changed else ""


def _record_verdict(context: Context, workspace: str, verdict: Verdict) -> None:
    with contextlib.suppress(IndexNotWritten, IndexTooNew):  # the answer matters more than recording it
        context.key_manager.update(workspace, verified=context.timestamp(), **reported_details(verdict))


def _report(context: Context, subject: VerifyTarget, verdict: Verdict, mismatch: str, long: bool) -> Report:
    identity = verdict.identity or Identity()
    state: RowState = _STATES.get(verdict.exit_code, "warn")
    who = format_key(subject.workspace, subject.key.tail, subject.entry)
    rows = [
        Row("key", who),
        Row("came from", subject.origin),
        Row("answer", f"{verdict.kind}. {verdict.sentence}", state),
    ]
    told = [("Mistral workspace", identity.workspace)]
    if long:
        told += [("organisation", identity.organisation), ("key name", identity.key_name)]
    rows += [Row(label, value) for label, value in told if value]
    left = expiry.days_left(subject.entry, context.today()) if subject.entry else None
    if left is not None and left < 0 and subject.entry and verdict.accepts_key:
        words = (
            f"recorded as expired on {subject.entry.expires}, but accepted: the date or this computer's clock is wrong"
        )
        repair = context.format_command(f"edit {subject.workspace} --expires DATE")
        rows.append(Row("expiry", words, "warn", repair))
    if mismatch:
        rows.append(Row("mismatch", mismatch, "warn", f"If this is not intended: {context.format_command('login')}"))
    is_refused, has_finding = verdict.accepts_key is False, verdict.exit_code == exit_codes.FINDING
    elsewhere = other_keys.other_host_sentence(context, subject.key) if is_refused else ""
    others = other_keys.other_key_sentences(context, subject.key) if has_finding else ()
    rows += [Row("host", elsewhere, "warn")] if elsewhere else []
    rows += [Row("other key", sentence) for sentence in others]
    rows += key_sources.marker_cell_rows(context)
    data = {
        "workspace": subject.workspace,
        "tail": subject.key.tail,
        "origin": subject.origin,
        "other_keys": list(others),
        "other_host": elsewhere or None,
        "verdict": verdict.kind,
        "sentence": verdict.sentence,
        "mismatch": mismatch or None,
        **({label.replace(" ", "_").lower(): value for label, value in told}),
    }
    return Report("Mistral's answer", tuple(rows), exit_code=verdict.exit_code, data=data)


_TOO_NEW = "Mistral refuses it, but it is only minutes old and may still be accepted, so it is kept here"


def check_old_keys(context: Context, named: str | None) -> Action:
    """Asks about each old key of the workspace; one that Mistral refuses is deleted here too."""
    name = (yield from workspace_choice.choose_workspace(context, named)).name or ""
    old = [aside for aside in context.key_manager.retired_keys(name) if aside.state == RETIRED]
    kept = context.key_manager.workspaces().get(f"{name}-old")
    of = context.key_manager.workspaces().get(name)
    kind = ADMIN if ADMIN in (of and of.kind, kept and kept.kind, *(aside.kind for aside in old)) else "api"
    if kind == ADMIN:  # else the API refuses what the Admin API still accepts
        credentials = load_admin("credentials")
        yield from credentials.confirm_admin_host(context)
        credentials.verify_with_admin_api(context)
    if not old and kept is None:
        todo = _revoked_hint(context, name) or _retired_tails(context)
        raise WrongUsage(f"No old key of {name or 'a workspace'} is stored here.", todo)
    rows: list[Row] = []
    codes: list[int] = []
    for aside in old:
        key = yield from passphrase_prompt.run_unlocked(context, partial(context.key_manager.read_retired, aside))
        row, code = _old_key_row(context, aside.tail, key, key_page_url(kind))
        if code == exit_codes.OK and is_young(context, aside.fingerprint):
            row, code = (
                Row(f"…{aside.tail}", _TOO_NEW, "warn", f"Try again in a few minutes, or see {key_page_url(kind)}"),
                exit_codes.FINDING,
            )
        if code == exit_codes.OK:
            yield from passphrase_prompt.run_unlocked(context, partial(context.key_manager.drop_retired, aside))
        rows.append(row)
        codes.append(code)
    if kept is not None:
        key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read(f"{name}-old"))
        row, code = _old_key_row(
            context, kept.tail, key, key_page_url(kind), context.format_command(f"logout {name}-old")
        )
        rows.append(row)
        codes.append(code)
    data = {"workspace": name, "keys": [{"tail": row.label, "answer": row.value} for row in rows]}
    return Report(f"Old keys of {name}", tuple(rows), exit_code=exit_codes.worst(codes), data=data)


def _old_key_row(context: Context, tail: str, key: Key | None, page: str, forget: str = "") -> tuple[Row, int]:
    """The row, and an exit code: OK for a key that is refused, FINDING for one that is accepted."""
    if key is None:
        return Row(
            f"…{tail}", "no longer in its store", "warn", f"Is it deleted at Mistral? {page}"
        ), exit_codes.INCOMPLETE
    try:
        verdict = context.verify(key)
    except MistralNbError as error:
        return Row(f"…{tail}", error.failed, "warn", error.todo), exit_codes.INCOMPLETE
    if verdict.accepts_key is None:
        return Row(f"…{tail}", verdict.sentence, "warn"), exit_codes.INCOMPLETE
    if verdict.accepts_key:
        return Row(f"…{tail}", "Mistral still accepts it", "bad", f"Delete it here: {page}"), exit_codes.FINDING
    state: RowState = "ok"
    gone = "Mistral refuses it: it is deleted there" + ("" if forget else ", and now here")
    return Row(f"…{tail}", gone, state, forget), exit_codes.OK


def _revoked_hint(context: Context, name: str) -> str:
    """A revoked key is not an old key: `revoke` itself checks it."""
    tails = [aside.tail for aside in context.key_manager.retired_keys(name) if aside.state == COMPROMISED]
    return f"About the revoked …{tails[-1]}: {context.format_command(f'revoke {name}')}" if name and tails else ""


def _retired_tails(context: Context) -> str:
    retired = [seen.tail for seen in context.read_index().remembered.values() if seen.state == RETIRED]
    if not retired:
        return "There is no old key to check."
    tails = ", ".join(f"…{tail}" for tail in retired[-5:])
    return f"Keys retired on this machine: {tails}. Compare with the console's list: {OWN_KEYS_URL}"
