"""Which key `revoke` means, and that key out of use: out of the environment and of every workspace.

No key but the one that is meant: what this process holds, what is named, or what was revoked before and
waits to be refused. Where that is not clear it is asked, and nobody's silence revokes a key in use.
"""

import contextlib
from collections.abc import Generator
from functools import partial
from typing import NamedTuple

from mistral_nb import session
from mistral_nb.actions import admin_settle, choose, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown
from mistral_nb.config import KEY_VARIABLES
from mistral_nb.errors import CannotAsk, Overtaken, StoreError, WrongUsage
from mistral_nb.key import Key, key_or_none
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store.index import COMPROMISED, Aside, Workspace
from mistral_nb.store.intentions import Intention


class Leaked(NamedTuple):
    """The leaked key; ``key`` is None where it could not be read, ``aside`` where no copy is kept."""

    workspace: str | None
    tail: str
    key: Key | None
    aside: Aside | None
    entry: Workspace | None = None  # as it was kept until now
    notes: tuple[str, ...] = ()
    deleted: bool = False  # at Mistral, by an Admin key

    @property
    def kind(self) -> str:
        known = self.entry or self.aside
        return known.kind if known else "api"


Talk = Generator[Ask | Step, Answer, list[Leaked]]


def taken_out(context: Context, named: str | None) -> Talk:
    """Out of environment and workspaces, marked as compromised, before anything else is done.

    Several where more than one key of a workspace was revoked before and waits. Raises `WrongUsage`.
    """
    active = context.active
    if named is None and active:
        return (yield from _of_this_process(context, active))
    name = choose.checked_name(named) if named else (yield from _named(context))
    return (yield from _of_workspace(context, name))


def _of_this_process(context: Context, active: session.Active) -> Talk:
    """The key in the environment, wherever else it is kept."""
    kept = context.keeper.workspaces()
    entry = kept.get(active.workspace or "")
    if active.workspace and entry and entry.fingerprint != active.key.fingerprint:
        question = (
            f"This process holds …{active.key.tail}, and {shown(active.workspace, entry.tail, entry)} is kept by now. "
            "Which one leaked?"
        )
        choices = ("process", "kept")
        if (yield Ask("which leaked", question, choices=choices, default="process")) == "kept":
            return (yield from _of_workspace(context, active.workspace))
    names = [name for name, each in kept.items() if each.fingerprint == active.key.fingerprint]
    if names:
        return (yield from _of_workspace(context, active.workspace if active.workspace in names else names[0]))
    return [(yield from _of_environment(context, active.key))]


def _of_environment(context: Context, key: Key) -> Generator[Ask | Step, Answer, Leaked]:
    """A key that no workspace keeps; one that a workspace replaced or revoked before has a copy aside."""
    session.enter(key, context.index, COMPROMISED)
    _out_of_environment(context, key.fingerprint)
    asides = yield from unlock.unlocked(context, lambda: context.keeper.condemn(key.fingerprint))
    yield from _waits_no_longer(context, key.fingerprint)
    yield Step(f"…{key.tail} is out of this process's environment, marked as compromised.")
    aside = asides[-1] if asides else None
    return Leaked(aside.of if aside else None, key.tail, key, aside)


def _named(context: Context) -> Generator[Ask | Step, Answer, str]:
    """With no name, and no key in the environment: what waits to be refused, else a person says which."""
    revoked = list(dict.fromkeys(aside.of for aside in context.keeper.asides() if aside.state == COMPROMISED))
    if len(revoked) == 1:
        return revoked[0]
    kept = list(context.keeper.workspaces())
    if not revoked and not kept:
        raise WrongUsage("No key is kept here, and none waits to be refused.", f"See {context.typed('status')}.")
    names = revoked or kept
    try:
        return str((yield Ask("workspace", "Which workspace's key leaked?", choices=tuple(names))))
    except CannotAsk:
        raise CannotAsk(
            f"No key is in this process, so it is not clear which leaked ({', '.join(names)}).",
            f"Name its workspace: {context.typed('revoke WORKSPACE')}",
        ) from None


def _of_workspace(context: Context, name: str) -> Talk:
    entry = context.keeper.workspaces().get(name)
    waiting = [
        aside
        for aside in context.keeper.asides(name)
        if aside.state == COMPROMISED and not (entry and aside.fingerprint == entry.fingerprint)
    ]
    if waiting and (entry is None or (yield from _looks_again(name, entry, waiting))):
        return (yield from _again(context, waiting))
    if entry:
        return [(yield from _out(context, name, entry))]
    active = context.active
    if active and active.workspace == name:
        return [(yield from _of_environment(context, active.key))]
    raise WrongUsage(
        f"No key is kept for a workspace named {name}, and none waits to be refused.", f"See {context.typed('status')}."
    )


def _looks_again(name: str, entry: Workspace, waiting: list[Aside]) -> Generator[Ask | Step, Answer, bool]:
    """A key was revoked, and another is kept since: the same command is typed to look again, or for that one."""
    tails, new = ", ".join(f"…{aside.tail}" for aside in waiting), shown(name, entry.tail, entry)
    question = f"{tails} of {name} was revoked and is to be looked at again; {new} is kept now. Look, or revoke that?"
    look = (yield Ask("look again", question, choices=("look", "revoke"), default="look")) != "revoke"
    if look:
        yield Step(f"Looking again at {tails}, which was revoked; {new} stays in use.")
    return look


def _again(context: Context, waiting: list[Aside]) -> Talk:
    """What was revoked before: the copies that are left, to ask about again."""
    found = []
    for aside in waiting:
        key = yield from unlock.unlocked(context, partial(context.keeper.read_aside, aside))
        if key:
            session.enter(key, context.index, COMPROMISED)
        _out_of_environment(context, aside.fingerprint)
        found.append(Leaked(aside.of, aside.tail, key, aside))
    return found


def _out(context: Context, name: str, entry: Workspace) -> Generator[Ask | Step, Answer, Leaked]:
    """Out of its workspace, and out of every other that keeps the same key."""
    key: Key | None = None
    try:
        key = yield from unlock.unlocked(context, lambda: context.keeper.read(name))
    except (StoreError, CannotAsk) as error:
        yield Step(f"{error} It is taken out of use all the same.")
    if key:
        session.enter(key, context.index)
    _out_of_environment(context, entry.fingerprint)
    names, begun = _out_of_workspaces(context, entry.fingerprint)  # and compromised, in the same write
    if key:
        session.enter(key, context.index, COMPROMISED)  # also where only memory had it
    asides = context.keeper.condemn(entry.fingerprint)
    yield from _waits_no_longer(context, entry.fingerprint)
    others = ", ".join(other for other in names if other != name)
    also = f" (and of {others})" if others else ""
    yield Step(
        f"{shown(name, entry.tail, entry)} is out of this process's environment and of its workspace{also}, "
        "marked as compromised."
    )
    active = context.active
    if active and active.workspace == name:
        yield Step(f"This process holds another key of {name}, …{active.key.tail}: it stays.")
    notes = admin_settle.give_up(context, begun)
    aside = next((aside for aside in asides if aside.of == name), asides[0] if asides else None)
    return Leaked(aside.of if aside else name, entry.tail, key, aside, entry, notes)


def _out_of_workspaces(context: Context, fingerprint: str) -> tuple[list[str], list[Intention]]:
    """Out of every one that keeps it, until none does: another process may have renamed or rotated meanwhile.

    Also out of one that a key in memory hid. Their names, and their rotations, which nothing finishes now.
    """
    names: list[str] = []
    begun: list[Intention] = []
    while keeping := [name for name, e in context.keeper.workspaces().items() if e.fingerprint == fingerprint]:
        left = admin_settle.swapped_of(context, keeping[0])
        with contextlib.suppress(Overtaken, WrongUsage):
            context.keeper.set_aside(keeping[0], fingerprint)
            names.append(keeping[0])
            begun += left
    return list(dict.fromkeys(names)), begun


def _waits_no_longer(context: Context, fingerprint: str) -> Generator[Ask | Step, Answer, None]:
    """A compromised key is no workspace's new one."""
    for name, waiting in context.keeper.pending().items():
        if waiting.fingerprint == fingerprint:
            context.keeper.drop_pending(name)
            yield Step(f"…{waiting.tail} waited as the new key of {name}: it does no longer.")


def _out_of_environment(context: Context, fingerprint: str) -> None:
    """Out of every variable that holds it, whoever set it there."""
    active = context.active
    if active and active.key.fingerprint == fingerprint:
        session.deactivate(context.environ)
    for variable in KEY_VARIABLES:
        key = key_or_none(context.environ.get(variable))
        if key and key.fingerprint == fingerprint:
            del context.environ[variable]
