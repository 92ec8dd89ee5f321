"""`verify --old`: whether Mistral still accepts the key that a rotation replaced."""

from functools import partial

from mistral_nb.actions import admin_key, choose, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.pages import page_of
from mistral_nb.actions.young import is_young
from mistral_nb.api.verdict import OWN_KEYS
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.key import Key
from mistral_nb.report import Action, Report, Row, State
from mistral_nb.store.index import ADMIN, COMPROMISED, RETIRED

_TOO_NEW = "Mistral refuses it, but it is only minutes old and may yet be accepted: it stays here"


def action(context: Context, named: str | None) -> Action:
    """Asks about each old key of the workspace; one that Mistral refuses is deleted here too."""
    name = (yield from choose.choose(context, named)).name or ""
    old = [aside for aside in context.keeper.asides(name) if aside.state == RETIRED]
    kept = context.keeper.workspaces().get(f"{name}-old")
    of = context.keeper.workspaces().get(name)
    kind = ADMIN if ADMIN in (of and of.kind, kept and kept.kind, *(aside.kind for aside in old)) else "api"
    if kind == ADMIN:  # else the API refuses what the Admin API still accepts
        yield from admin_key.agree_to_host(context)
        admin_key.verify(context)
    if not old and kept is None:
        todo = _revoked(context, name) or _tails(context)
        raise WrongUsage(f"No old key of {name or 'a workspace'} is stored here.", todo)
    rows: list[Row] = []
    codes: list[int] = []
    for aside in old:
        key = yield from unlock.unlocked(context, partial(context.keeper.read_aside, aside))
        row, code = _about(context, aside.tail, key, page_of(kind))
        if code == 0 and is_young(context, aside.fingerprint):
            row, code = Row(f"…{aside.tail}", _TOO_NEW, "warn", f"Ask again in some minutes, or see {page_of(kind)}"), 1
        if code == 0:
            yield from unlock.unlocked(context, partial(context.keeper.drop_aside, aside))
        rows.append(row)
        codes.append(code)
    if kept is not None:
        key = yield from unlock.unlocked(context, lambda: context.keeper.read(f"{name}-old"))
        row, code = _about(context, kept.tail, key, page_of(kind), context.typed(f"forget {name}-old"))
        rows.append(row)
        codes.append(code)
    data = {"workspace": name, "keys": [{"tail": row.label, "answer": row.value} for row in rows]}
    return Report(f"Old keys of {name}", tuple(rows), exit_code=max(codes), data=data)


def _about(context: Context, tail: str, key: Key | None, page: str, forget: str = "") -> tuple[Row, int]:
    """The row, and 0 for a key that is refused, 1 for one that is accepted, 3 where that is not known."""
    if key is None:
        return Row(f"…{tail}", "not in its store any more", "warn", f"Is it deleted at Mistral? {page}"), 3
    try:
        verdict = context.verify(key, context.config.api)
    except MistralNbError as error:
        return Row(f"…{tail}", error.failed, "warn", error.todo), 3
    if verdict.accepts_key is None:
        return Row(f"…{tail}", verdict.sentence, "warn"), 3
    if verdict.accepts_key:
        return Row(f"…{tail}", "Mistral still accepts it", "bad", f"Delete it here: {page}"), 1
    state: State = "ok"
    gone = "Mistral refuses it: it is deleted there" + ("" if forget else ", and now here")
    return Row(f"…{tail}", gone, state, forget), 0


def _revoked(context: Context, name: str) -> str:
    """A revoked key is no old key: `revoke` itself asks about it."""
    tails = [aside.tail for aside in context.keeper.asides(name) if aside.state == COMPROMISED]
    return f"About the revoked …{tails[-1]}: {context.typed(f'revoke {name}')}" if name and tails else ""


def _tails(context: Context) -> str:
    retired = [seen.tail for seen in context.contents().seen.values() if seen.state == RETIRED]
    if not retired:
        return "There is none to ask about."
    tails = ", ".join(f"…{tail}" for tail in retired[-5:])
    return f"Keys retired on this machine: {tails}. Compare with the console's list: {OWN_KEYS}"
