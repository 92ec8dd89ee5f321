"""A new key made by an Admin key, beside the one in use: looked up, asked for, written down, stored."""

import contextlib
import secrets
from collections.abc import Generator
from datetime import timedelta
from typing import NamedTuple

from mistral_nb import session
from mistral_nb.actions import admin_find, admin_settle, expiry, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown
from mistral_nb.api.admin import UNTRIED, Admin, Wish, may_be_done
from mistral_nb.api.admin_bodies import Created, Listed
from mistral_nb.api.verdict import Identity
from mistral_nb.errors import AdminFailed, MistralNbError
from mistral_nb.key import Key
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store import intentions
from mistral_nb.store.index import Workspace, utc_now
from mistral_nb.store.intentions import Intention

PATIENCE = 300  # seconds: a new key is refused for some minutes
_DAYS = 90  # asked for where nothing else is said
_LONGEST_NAME = 200  # Mistral takes 255


class Order(NamedTuple):
    """What was given with the command."""

    key_name: str | None = None
    expires: expiry.Expiry | None = None
    keep_old: bool = False
    yes: bool = False
    wait: float = PATIENCE


class Turn(NamedTuple):
    """A rotation by Admin key: the workspace, its key in use, and the Admin API."""

    name: str
    old: Workspace | None
    order: Order
    admin: Admin


def made(context: Context, turn: Turn) -> Generator[Ask | Step, Answer, tuple[Intention, Key, str]]:
    """The new key, made at Mistral and stored beside the one in use; and a sentence where its date was clamped."""
    old = turn.old
    if old is None:
        raise MistralNbError(f"No key of {turn.name} is in use.", f"Add one: {context.typed(f'add {turn.name}')}")
    listed, wish = yield from _looked_up(context, turn, old)
    intention = Intention(turn.name, wish.name, utc_now(), old.fingerprint, old.tail, listed.key_id)
    intentions.note(context.index, intention)
    yield Step(f"Making the key {wish.name} at Mistral …")
    created = _create(context, turn, intention, wish)
    key = created.key
    if key is None:
        how = admin_settle.undo(context, turn.admin, intention, created.key_id)
        raise AdminFailed(f"Mistral's Admin API made a key and did not tell it. {how}", UNTRIED, "not understood")
    intention = intention._replace(key_id=created.key_id, fingerprint=key.fingerprint, tail=key.tail)
    try:
        intentions.note(context.index, intention)
        session.enter(key, context.index)
        created = _with_its_date(turn, wish.name, created)
        yield from _stage(context, turn, old, created, listed)
    except MistralNbError as error:
        how = admin_settle.undo(context, turn.admin, intention, created.key_id)
        with contextlib.suppress(MistralNbError):
            context.keeper.drop_pending(turn.name)
        raise MistralNbError(f"{error.failed} {how} {in_use(context, turn.name)}", error.todo) from None
    return intention, key, _clamped(wish, created)


def _looked_up(context: Context, turn: Turn, old: Workspace) -> Generator[Ask | Step, Answer, tuple[Listed, Wish]]:
    """The old key in the organisation's list, and the new one to be made: of the same user and workspace."""
    key = yield from unlock.unlocked(context, lambda: context.keeper.read(turn.name))
    yield Step(f"Looking for …{old.tail} in the organisation's list …")
    told = context.verify(key, context.config.api).identity or Identity()
    wanted = admin_find.Wanted(
        old.tail, old.key_id or told.key_id, old.name or told.key_name, old.mistral_workspace or told.workspace
    )
    listed = yield from admin_find.the_one(turn.admin, wanted, key, "replaced")
    user, workspace = told.user_id or listed.created_by, listed.workspace_id or told.workspace_id
    if not user or not workspace:
        what = "whose" if not user else "of which workspace"
        raise AdminFailed(
            f"Mistral does not tell {what} the key …{old.tail} is, so no other can be made for it.",
            "Nothing was changed.",
            "not understood",
        )
    return listed, Wish(_own_name(context, turn), user, workspace, _until(context, turn))


def _own_name(context: Context, turn: Turn) -> str:
    """A name that no other key has: it is what the key is found by where the answer is lost."""
    plain = turn.order.key_name or f"{turn.name}-{context.today()}"
    return f"{plain[:_LONGEST_NAME]}-{secrets.token_hex(4)}"


def _until(context: Context, turn: Turn) -> str | None:
    if turn.order.expires and turn.order.expires.known:
        return turn.order.expires.on
    days = expiry.policy(context.config.project) or _DAYS
    return str(context.today() + timedelta(days=days))


def _create(context: Context, turn: Turn, intention: Intention, wish: Wish) -> Created:
    try:
        return turn.admin.create(wish)
    except AdminFailed as error:
        if may_be_done(error):
            how = admin_settle.undo(context, turn.admin, intention, None)
        else:
            intentions.drop(context.index, intention)
            how = "No key was made."
        raise AdminFailed(f"{error.failed} {how}", error.todo, error.kind) from None


def _with_its_date(turn: Turn, name: str, created: Created) -> Created:
    """The expiry that the server really gave, from the list where the answer did not tell it."""
    if created.expiry_told:
        return created
    with contextlib.suppress(AdminFailed):
        for listed in turn.admin.matching(name, lambda key: key.key_id == created.key_id):
            return created._replace(expires=listed.expires, expiry_told=listed.expiry_told)
    return created


def _stage(
    context: Context, turn: Turn, old: Workspace, created: Created, listed: Listed
) -> Generator[Ask | Step, Answer, None]:
    details = {
        "kind": old.kind,
        "protected": old.protected,
        "key_id": created.key_id,
        "expires": created.expires,
        "expiry_known": created.expiry_told,
        "organisation": old.organisation,
        "mistral_workspace": listed.workspace or old.mistral_workspace,
    }
    key = created.key
    if key is not None:
        yield from unlock.unlocked(context, lambda: context.keeper.stage(turn.name, key, details, old.fingerprint))


def _clamped(wish: Wish, created: Created) -> str:
    if not created.expiry_told or created.expires == wish.expires:
        return ""
    asked = f"{wish.expires} was asked for" if wish.expires else "no date was asked for"
    return f"Mistral set the new key's expiry to {created.expires or 'never'}; {asked}. The workspace has a policy."


def in_use(context: Context, name: str) -> str:
    """How it stands after a failure."""
    entry = context.keeper.workspaces().get(name)
    return f"{shown(name, entry.tail, entry)} stays in use." if entry else ""
