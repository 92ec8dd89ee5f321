"""`verify --old`: whether Mistral still accepts the key that a rotation replaced."""

from functools import partial

from mistral_nb.actions import choose, unlock
from mistral_nb.actions.context import Context
from mistral_nb.api.verdict import OWN_KEYS
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.key import Key
from mistral_nb.report import Action, Report, Row, State
from mistral_nb.store.index import RETIRED


def action(context: Context, named: str | None) -> Action:
    """Asks about each old key of the workspace; one that Mistral refuses is deleted here too."""
    name = (yield from choose.choose(context, named)).name or ""
    old = [aside for aside in context.keeper.asides(name) if aside.state == RETIRED]
    kept = context.keeper.workspaces().get(f"{name}-old")
    if not old and kept is None:
        raise WrongUsage(f"No old key of {name or 'a workspace'} is stored here.", _tails(context))
    rows: list[Row] = []
    codes: list[int] = []
    for aside in old:
        key = yield from unlock.unlocked(context, partial(context.keeper.read_aside, aside))
        row, code = _about(context, aside.tail, key)
        if code == 0:
            yield from unlock.unlocked(context, partial(context.keeper.drop_aside, aside))
        rows.append(row)
        codes.append(code)
    if kept is not None:
        key = yield from unlock.unlocked(context, lambda: context.keeper.read(f"{name}-old"))
        row, code = _about(context, kept.tail, key, context.typed(f"forget {name}-old"))
        rows.append(row)
        codes.append(code)
    data = {"workspace": name, "keys": [{"tail": row.label, "answer": row.value} for row in rows]}
    return Report(f"Old keys of {name}", tuple(rows), exit_code=max(codes), data=data)


def _about(context: Context, tail: str, key: Key | None, forget: str = "") -> tuple[Row, int]:
    """The row, and 0 for a key that is refused, 1 for one that is accepted, 3 where that is not known."""
    if key is None:
        return Row(f"…{tail}", "not in its store any more", "warn", f"Is it deleted at Mistral? {OWN_KEYS}"), 3
    try:
        verdict = context.verify(key, context.config.api)
    except MistralNbError as error:
        return Row(f"…{tail}", error.failed, "warn", error.todo), 3
    if verdict.accepts_key is None:
        return Row(f"…{tail}", verdict.sentence, "warn"), 3
    if verdict.accepts_key:
        return Row(f"…{tail}", "Mistral still accepts it", "bad", f"Delete it here: {OWN_KEYS}"), 1
    state: State = "ok"
    gone = "Mistral refuses it: it is deleted there" + ("" if forget else ", and now here")
    return Row(f"…{tail}", gone, state, forget), 0


def _tails(context: Context) -> str:
    retired = [seen.tail for seen in context.contents().seen.values() if seen.state == RETIRED]
    if not retired:
        return "There is none to ask about."
    tails = ", ".join(f"…{tail}" for tail in retired[-5:])
    return f"Keys retired on this machine: {tails}. Compare with the console's list: {OWN_KEYS}"
