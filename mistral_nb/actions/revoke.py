"""`revoke`: a leaked key out of use at once, until Mistral refuses it; then where it leaked.

One copy stays in the store, sealed and out of every workspace, so that a later call can ask Mistral
again; it is deleted when Mistral refuses the key.
"""

from collections.abc import Generator
from datetime import UTC, datetime
from typing import NamedTuple

from mistral_nb import session
from mistral_nb.actions import admin_key, admin_revoke, choose, leaks, obtain, unfinished, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import placed, store_name
from mistral_nb.api.verdict import OWN_KEYS, Verdict
from mistral_nb.config import KEY_VARIABLES, VARIABLE
from mistral_nb.errors import CannotAsk, MistralNbError, StoreError, WrongUsage
from mistral_nb.key import Key, key_or_none
from mistral_nb.report import Action, Answer, Ask, Report, Row, Step
from mistral_nb.store.index import ADMIN, COMPROMISED, Aside

_YOUNG = 600  # seconds: Mistral may refuse a key that is as new as this and accept it later


class Leaked(NamedTuple):
    """The leaked key; ``key`` is None where it could not be read, ``aside`` where no copy is kept."""

    workspace: str | None
    tail: str
    key: Key | None
    aside: Aside | None
    deleted: bool = False  # at Mistral, by an Admin key


def action(
    context: Context,
    workspace: str | None = None,
    clean_history: bool = False,
    yes: bool = False,
    by_hand: bool = False,
) -> Action:
    yield from choose.agree_to_host(context)
    kept = context.kept()
    leaked = yield from _take_out(context, workspace)
    yield from unfinished.finish(context)
    rows: list[Row] = []
    verdict = None
    entry = kept.get(leaked.workspace or "")
    if entry and entry.kind == ADMIN:
        admin_key.verify(context)
    elif leaked.key is not None and not by_hand and admin_key.at_hand(context):
        leaked = yield from admin_revoke.deleted(context, leaked, entry, yes=yes)
    if leaked.key is not None:
        yield Step(f"Asking Mistral about …{leaked.tail} …")
        verdict = context.verify(leaked.key, context.config.api)
        if clean_history:
            changed = leaks.clean_histories(context, leaked.key)
            yield Step(f"Taken out of IPython's history, in {changed} place{'s' * (changed != 1)}.")
        yield Step("Looking where it leaked …")
        rows = list(leaks.rows(context, leaked.key))
    report = yield from _concluded(context, leaked, verdict, rows)
    return (yield from _with_a_new_key(context, leaked, report))


def _take_out(context: Context, named: str | None) -> Generator[Ask | Step, Answer, Leaked]:
    """Out of the environment and the workspace, marked as compromised, before anything else is done."""
    active = context.active
    if named is None and active and not active.workspace:
        session.enter(active.key, context.index, COMPROMISED)
        _out_of_environment(context, active.key)
        return Leaked(None, active.key.tail, active.key, None)
    name = (yield from _which(context, named)) or ""
    kept = context.keeper.workspaces()
    if name not in kept:
        return (yield from _again(context, name))
    entry = kept[name]
    key: Key | None = None
    try:
        key = yield from unlock.unlocked(context, lambda: context.keeper.read(name))
    except (StoreError, CannotAsk) as error:
        yield Step(f"{error} It is taken out of use all the same.")
    if key:
        session.enter(key, context.index, COMPROMISED)
    if active and active.key.fingerprint == entry.fingerprint:
        _out_of_environment(context, active.key)
    asides = [context.keeper.set_aside(n) for n, e in kept.items() if e.fingerprint == entry.fingerprint]
    yield Step(
        f"{name} …{entry.tail} is out of this process's environment and of its workspace, marked as compromised."
    )
    return Leaked(name, entry.tail, key, next(filter(None, asides), None))


def _which(context: Context, named: str | None) -> Generator[Ask | Step, Answer, str | None]:
    revoked = list(dict.fromkeys(aside.of for aside in context.keeper.asides() if aside.state == COMPROMISED))
    if named is None and revoked and not context.keeper.workspaces():
        return revoked[0]
    return (yield from choose.choose(context, named)).name


def _again(context: Context, name: str) -> Generator[Ask | Step, Answer, Leaked]:
    """A workspace that was revoked before: the copy that is left of its key, to ask about again."""
    asides = [aside for aside in context.keeper.asides(name) if aside.state == COMPROMISED]
    if not asides:
        what = f"No key is kept for a workspace named {name}" if name else "No key is kept here"
        raise WrongUsage(f"{what}, and none waits to be refused.", f"See {context.typed('status')}.")
    aside = asides[-1]
    key = yield from unlock.unlocked(context, lambda: context.keeper.read_aside(aside))
    if key:
        session.enter(key, context.index, COMPROMISED)
    return Leaked(name, aside.tail, key, aside)


def _out_of_environment(context: Context, key: Key) -> None:
    if key_or_none(context.environ.get(VARIABLE)) == key:
        session.deactivate(context.environ)
    for name in KEY_VARIABLES:
        if key_or_none(context.environ.get(name)) == key:
            del context.environ[name]


def _concluded(
    context: Context, leaked: Leaked, verdict: Verdict | None, rows: list[Row]
) -> Generator[Ask | Step, Answer, Report]:
    again = context.typed(f"revoke {leaked.workspace or ''}").strip()
    data = {
        "workspace": leaked.workspace,
        "tail": leaked.tail,
        "verdict": verdict.kind if verdict else None,
        "leaks": [{"place": row.label, "found": row.value, "clean": row.repair} for row in rows if row.state == "bad"],
    }
    others = "Other running kernels may still hold it: restart them."
    if verdict is None:
        title = f"Mistral was not asked about …{leaked.tail}: the key could not be read. Delete it here: {OWN_KEYS}"
        return Report(title, tuple(rows), (others,), exit_code=3, data=data)
    if verdict.accepts_key and leaked.deleted:
        title = f"…{leaked.tail} is deleted at Mistral, and still accepted: that may take some minutes."
        return Report(title, tuple(rows), (f"Then look again: {again}", others), exit_code=1, data=data)
    if verdict.accepts_key:
        title = f"Mistral still accepts …{leaked.tail}; delete it here: {OWN_KEYS}"
        return Report(title, tuple(rows), (f"Then look again: {again}", others), exit_code=1, data=data)
    if verdict.accepts_key is None:
        title = f"Mistral could not be asked about …{leaked.tail}. Delete it here: {OWN_KEYS}"
        return Report(title, tuple(rows), (verdict.sentence, f"Then look again: {again}"), exit_code=3, data=data)
    if _young(context, leaked):
        title = f"Mistral refuses …{leaked.tail}, but it is only minutes old and may yet be accepted."
        notes = (f"Delete it here: {OWN_KEYS}", f"Then look again: {again}")
        return Report(title, tuple(rows), notes, exit_code=1, data=data)
    yield from _drop_copy(context, leaked)
    title = f"Mistral refuses …{leaked.tail}: it is of no use to anybody any more."
    return Report(title, tuple(rows), data=data)


def _young(context: Context, leaked: Leaked) -> bool:
    """Whether the key was first seen only minutes ago, and has never been accepted."""
    if leaked.deleted or leaked.key is None or leaked.aside is None or leaked.aside.verified:
        return False
    noted = context.contents().seen.get(leaked.key.fingerprint)
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(noted.since) if noted else None
    except ValueError:
        return False
    return age is not None and 0 <= age.total_seconds() < _YOUNG


def _drop_copy(context: Context, leaked: Leaked) -> Generator[Ask | Step, Answer, None]:
    for aside in context.keeper.asides(leaked.workspace):
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
