"""Reaching a kept key to use it: whether it may be used now, and the key itself."""

from collections.abc import Generator

from mistral_nb import session
from mistral_nb.actions import choose, expiry, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown
from mistral_nb.errors import Cancelled, CannotAsk, KeyExpired, WrongUsage
from mistral_nb.key import Key
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store.index import ADMIN, Workspace

_agreed: set[tuple[str, str]] = set()  # (home, workspace) of this process


def permitted(
    context: Context, name: str, entry: Workspace, *, yes: bool = False
) -> Generator[Ask | Step, Answer, None]:
    """A protected workspace is asked about once a process. Raises `Cancelled`, `CannotAsk`."""
    if not entry.protected or (context.config.home, name) in _agreed:
        return
    if not yes:
        what = shown(name, entry.tail, entry)
        try:
            answer = yield Ask("protected", f"{what}: use this key in this process?", choices=("yes", "no"))
        except CannotAsk:
            raise CannotAsk(
                f"Workspace {name} is protected, and nobody is here to agree to its use.",
                "Say so with --yes, or use another workspace.",
            ) from None
        if answer != "yes":
            raise Cancelled(f"The key of {name} is not used.")
    agree(context, name)


def agree(context: Context, name: str) -> None:
    """This process may use the workspace: somebody has just said so."""
    _agreed.add((context.config.home, name))


def refuse_admin(context: Context, name: str, entry: Workspace) -> None:
    """An Admin key goes to nothing that wants an ordinary one. Raises `WrongUsage`."""
    if entry.kind == ADMIN:
        raise WrongUsage(
            f"{name} …{entry.tail} is an Admin key: no model takes it, and it is not put into the environment.",
            f"It is used by: {context.typed('list --remote')}, {context.typed('usage')}, "
            f"{context.typed('rotate')} and {context.typed('revoke')}.",
        )


def refuse_past(context: Context, name: str, entry: Workspace, *, force: bool = False) -> None:
    """Raises `KeyExpired` for a key whose date is past by this computer's clock."""
    today = context.today()
    left = expiry.days_left(entry, today)
    if force or left is None or left >= 0:
        return
    doubt = expiry.clock_doubt(context.keeper.workspaces().values(), context.now())
    raise KeyExpired(
        f"The key of {shown(name, entry.tail, entry)} expired on {entry.expires} "
        f"(today is {today} by this computer's clock). {doubt}".strip(),
        f"Make a new one: {context.typed(f'rotate {name}')}. If the date is wrong: "
        f"{context.typed(f'add {name} --expires DATE')}, or use it with --force.",
    )


def kept_key(
    context: Context, named: str | None, *, force: bool = False, yes: bool = False
) -> Generator[Ask | Step, Answer, tuple[Key, str, Workspace]]:
    """The key of a kept workspace, its name and entry. Asks for no new key. Raises `WrongUsage` without one."""
    choice = yield from choose.choose(context, named)
    name = choice.name or ""
    entry = context.keeper.workspaces().get(name)
    if entry is None:
        what = f"No key is kept for a workspace named {name}." if name else "No key is kept here."
        raise WrongUsage(what, f"Add it: {context.typed(f'add {name}')}")
    refuse_admin(context, name, entry)
    refuse_past(context, name, entry, force=force)
    yield from permitted(context, name, entry, yes=yes)
    key = yield from unlock.unlocked(context, lambda: context.keeper.read(name))
    session.enter(key, context.index)
    return key, name, entry
