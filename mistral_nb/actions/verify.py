"""`verify`: ask the API about a key, and say what its answer means."""

import contextlib
from collections.abc import Generator
from typing import NamedTuple

from mistral_nb import session
from mistral_nb.actions import admin_key, choose, expiry, old_key, unfinished, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown
from mistral_nb.api.verdict import Identity, Verdict
from mistral_nb.errors import IndexNotWritten, IndexTooNew, MistralNbError
from mistral_nb.key import Key
from mistral_nb.report import Action, Answer, Ask, Report, Row, State, Step
from mistral_nb.store.index import ADMIN, Workspace


class Subject(NamedTuple):
    """The key to ask about; ``workspace`` is None for one that was in the environment."""

    key: Key
    workspace: str | None
    entry: Workspace | None


def action(context: Context, workspace: str | None = None, long: bool = False, old: bool = False) -> Action:
    yield from choose.agree_to_host(context)
    yield from unfinished.finish(context)
    if old:
        return (yield from old_key.action(context, workspace))
    subject = yield from _subject(context, workspace)
    if subject.entry and subject.entry.kind == ADMIN:
        yield from admin_key.agree_to_host(context)
        admin_key.verify(context)
    session.enter(subject.key, context.index)
    verdict = context.verify(subject.key, context.config.api)
    mismatch = _mismatch(subject.entry, verdict.identity)
    if subject.workspace and subject.entry and verdict.accepts_key:
        _record(context, subject.workspace, verdict)
    return _report(context, subject, verdict, mismatch, long or not context.in_notebook)


def _subject(context: Context, named: str | None) -> Generator[Ask | Step, Answer, Subject]:
    active = context.active
    if named is None and active:  # the key in use, whatever is kept by now
        entry = context.kept().get(active.workspace or "")
        same = entry is not None and entry.fingerprint == active.key.fingerprint
        return Subject(active.key, active.workspace, entry if same else None)
    choice = yield from choose.choose(context, named)
    entry = context.keeper.workspaces().get(choice.name or "")
    if choice.name is None or entry is None:
        what = f"for workspace {choice.name} " if choice.name else ""
        add = context.typed(f"add {choice.name}" if choice.name else "add")
        raise MistralNbError(f"No key {what}is kept here.", f"Add one: {add}")
    name = choice.name
    key = yield from unlock.unlocked(context, lambda: context.keeper.read(name))
    return Subject(key, name, entry)


def _mismatch(entry: Workspace | None, identity: Identity | None) -> str:
    """A sentence where the API tells another workspace or organisation than it did before."""
    if entry is None or identity is None:
        return ""
    pairs = (
        ("workspace", entry.mistral_workspace, identity.workspace),
        ("organisation", entry.organisation, identity.organisation),
    )
    changed = [f"{what} {now}, earlier {before}" for what, before, now in pairs if before and now and before != now]
    return f"Mistral now says {' and '.join(changed)}." if changed else ""


def _record(context: Context, workspace: str, verdict: Verdict) -> None:
    identity = verdict.identity or Identity()
    told = {
        "organisation": identity.organisation,
        "mistral_workspace": identity.workspace,
        "name": identity.key_name,
        "key_id": identity.key_id,
    }
    with contextlib.suppress(IndexNotWritten, IndexTooNew):  # the answer counts, the note on it less
        context.keeper.update(workspace, verified=context.stamp(), **{k: v for k, v in told.items() if v})


def _report(context: Context, subject: Subject, verdict: Verdict, mismatch: str, long: bool) -> Report:
    identity = verdict.identity or Identity()
    state: State = "ok" if verdict.exit_code == 0 else "bad" if verdict.exit_code == 1 else "warn"
    who = shown(subject.workspace, subject.key.tail, subject.entry)
    rows = [Row("key", who), Row("answer", f"{verdict.kind}. {verdict.sentence}", state)]
    told = [("Mistral workspace", identity.workspace)]
    if long:
        told += [("organisation", identity.organisation), ("key name", identity.key_name)]
    rows += [Row(label, value) for label, value in told if value]
    left = expiry.days_left(subject.entry, context.today()) if subject.entry else None
    if left is not None and left < 0 and subject.entry and verdict.accepts_key:
        words = f"noted as expired on {subject.entry.expires}, yet accepted: the date or this computer's clock is wrong"
        repair = context.typed(f"add {subject.workspace} --expires DATE")
        rows.append(Row("expiry", words, "warn", repair))
    if mismatch:
        rows.append(Row("mismatch", mismatch, "warn", f"If that is not meant: {context.typed('add')}"))
    data = {
        "workspace": subject.workspace,
        "tail": subject.key.tail,
        "verdict": verdict.kind,
        "sentence": verdict.sentence,
        "mismatch": mismatch or None,
        **({label.replace(" ", "_").lower(): value for label, value in told}),
    }
    return Report("Mistral's answer", tuple(rows), exit_code=verdict.exit_code, data=data)
