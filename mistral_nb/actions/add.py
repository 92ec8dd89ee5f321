"""`add`: ask for a key, verify it, keep it; in a notebook also use it."""

from mistral_nb.actions import admin_add, admin_key, choose, expiry, obtain, reach, unfinished
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import placed, shown, store_name
from mistral_nb.errors import WrongUsage
from mistral_nb.report import Action, Report


def action(  # noqa: PLR0917, the flags come by name
    context: Context,
    workspace: str | None = None,
    name: str | None = None,
    expires: str | None = None,
    yes: bool = False,
    protected: bool = False,
    unprotected: bool = False,
    admin: bool = False,
) -> Action:
    if protected and unprotected:
        raise WrongUsage("A workspace is protected or not.", "Give --protected or --unprotected.")
    choose.refuse_a_key(name or "")
    wishes = obtain.Wishes(
        workspace=choose.checked_name(workspace) if workspace else None,
        name=name,
        expires=None if expires is None else expiry.parse(expires, context.today()),
        yes=yes,
        protected=True if protected else False if unprotected else None,
    )
    if not yes and wishes.workspace in context.keeper.workspaces() and _says_something(wishes):
        return _changed(context, wishes)
    if admin:
        return (yield from admin_add.action(context, wishes))
    if wishes.workspace in admin_key.kept(context):
        raise WrongUsage(f"{wishes.workspace} keeps an Admin key.", "Add --admin, or give another name.")
    if wishes.workspace:
        yield from unfinished.finish(context)
    got = yield from obtain.obtain(context, wishes)
    where = store_name(got.entry)
    reach.agree(context, got.workspace)
    if context.in_notebook:
        return placed(context, got.key, got.workspace, f"what you typed, kept in {where}", notes=got.notes())
    return Report(
        f"Kept in {where}: {shown(got.workspace, got.key.tail, got.entry)}.",
        notes=(*got.notes(), f"To use it: {context.typed(f'run -w {got.workspace} -- CMD…')}"),
        data={"workspace": got.workspace, "tail": got.key.tail, "store": got.entry.store},
    )


def _says_something(wishes: obtain.Wishes) -> bool:
    return any(wish is not None for wish in (wishes.name, wishes.expires, wishes.protected))


def _changed(context: Context, wishes: obtain.Wishes) -> Report:
    """What is noted on a kept key, changed without the key."""
    name = str(wishes.workspace)
    fields: dict[str, object] = {}
    if wishes.expires is not None:
        fields |= {"expires": wishes.expires.on, "expiry_known": wishes.expires.known}
    if wishes.name is not None:
        fields["name"] = wishes.name
    if wishes.protected is not None:
        fields["protected"] = wishes.protected
    entry = context.keeper.update(name, **fields)
    words, _ = expiry.sentence(entry, context.today())
    return Report(
        f"Noted on {shown(name, entry.tail, entry)}; its key stays. It expires: {words}.",
        notes=(f"To give it another key: {context.typed(f'rotate {name}')}",),
        data={"workspace": name, "tail": entry.tail, "expires": entry.expires, "protected": entry.protected},
    )
