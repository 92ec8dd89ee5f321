"""`revoke` with an Admin key: the leaked key is deleted at Mistral, after a yes."""

from collections.abc import Generator

from mistral_nb.actions import admin_find, admin_key, admin_settle
from mistral_nb.actions.context import Context
from mistral_nb.actions.leaked import Leaked
from mistral_nb.api.verdict import Identity
from mistral_nb.errors import CannotAsk, MistralNbError
from mistral_nb.report import Answer, Ask, Step

_PATIENCE = 10.0  # seconds until a deleted key is refused


def deleted(context: Context, leaked: Leaked, *, yes: bool) -> Generator[Ask | Step, Answer, Leaked]:
    """Delete it at Mistral. A failure is said, and the rest of `revoke` goes on: by hand it can still be deleted."""
    from mistral_nb.api.admin import UNTRIED, Admin

    yield Step(UNTRIED)
    try:
        found = yield from admin_key.find(context)
        admin = Admin(found.key, admin_key.base(context))
        yield from admin_settle.settle(context, admin)
        entry, told = leaked.entry, Identity()
        if leaked.key is not None:
            told = context.verify(leaked.key, context.config.api).identity or told
        wanted = admin_find.Wanted(
            leaked.tail,
            (entry.key_id if entry else None) or told.key_id,
            (entry.name if entry else None) or told.key_name,
            (entry.mistral_workspace if entry else None) or told.workspace,
        )
        listed = yield from admin_find.the_one(admin, wanted, leaked.key, "deleted")
        if not yes and not (yield from _agreed(context, leaked)):
            return leaked
        admin.delete(listed.key_id)
    except MistralNbError as error:
        yield Step(f"Not deleted at Mistral by the Admin key. {error}")
        return leaked
    yield Step(f"…{leaked.tail} is deleted at Mistral.")
    _until_refused(context, leaked)
    return leaked._replace(deleted=True)


def _agreed(context: Context, leaked: Leaked) -> Generator[Ask | Step, Answer, bool]:
    question = f"Delete …{leaked.tail} at Mistral? Whatever uses it stops working. Type yes to delete it"
    try:
        return (yield Ask("delete", question)) == "yes"
    except CannotAsk:
        again = context.typed(f"revoke {leaked.workspace or ''} --yes")
        yield Step(f"Nobody is here to agree to deleting it at Mistral: {again}")
        return False


def _until_refused(context: Context, leaked: Leaked) -> None:
    waited, pause = 0.0, 0.5
    while leaked.key and waited < _PATIENCE and context.verify(leaked.key, context.config.api).accepts_key:
        context.sleep(pause)
        waited += pause
        pause *= 2
