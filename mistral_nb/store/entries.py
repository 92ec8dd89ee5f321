"""What a keeper changes in the index in one step: entries, leftovers, keys set aside."""

from collections.abc import Mapping
from typing import Any

from mistral_nb.errors import Overtaken, WrongUsage
from mistral_nb.key import Key
from mistral_nb.store.base import CURRENT, NEXT
from mistral_nb.store.index import COMPROMISED, LIVE, RETIRED, Aside, Contents, Leftover, Workspace, seen

Details = Workspace | Mapping[str, Any] | None  # what is noted on a key beside its place


def placed(key: Key, store: str, slot: str, entry: Details) -> Workspace:
    """``entry`` as the one of this key in this place, whatever it said of key and place."""
    place = {"store": store, "slot": slot, "fingerprint": key.fingerprint, "tail": key.tail}
    fields = entry._asdict() if isinstance(entry, Workspace) else dict(entry or {})
    return Workspace(**fields | place)


def announce(contents: Contents, key: Key, target: Leftover) -> None:
    """Note what is about to be put where. What was to be dropped from ``seen`` stays if it comes back."""
    contents.seen.setdefault(key.fingerprint, seen(key))
    marked = (left._replace(trace="") for left in contents.unfinished if left.trace == key.fingerprint)
    others = [left for left in contents.unfinished if left.trace != key.fingerprint]
    contents.unfinished[:] = dict.fromkeys([*others, *marked, target])


def point_to(contents: Contents, workspace: str, new: Workspace, key: Key) -> None:
    """Point the index to the new item; the old one, if any, is a leftover from here on."""
    old = contents.workspaces.get(workspace)
    contents.workspaces[workspace] = new
    contents.seen.setdefault(key.fingerprint, seen(key))
    contents.unfinished[:] = [left for left in contents.unfinished if not is_item(left, workspace, new)]
    if old and not is_item(Leftover(old.store, workspace, old.slot), workspace, new):
        note_leftover(contents, Leftover(old.store, workspace, old.slot))
    if old and not is_kept(contents, old.fingerprint):
        set_state(contents, old.fingerprint, LIVE, RETIRED)
    set_state(contents, new.fingerprint, RETIRED, LIVE)  # taken back into use


def set_state(contents: Contents, fingerprint: str, before: str, after: str) -> None:
    entry = contents.seen.get(fingerprint)
    if entry and entry.state == before:
        contents.seen[fingerprint] = entry._replace(state=after)


def compromise(contents: Contents, fingerprint: str) -> None:
    for state in (LIVE, RETIRED):
        set_state(contents, fingerprint, state, COMPROMISED)


def note_leftover(contents: Contents, leftover: Leftover) -> None:
    if leftover not in contents.unfinished:
        contents.unfinished.append(leftover)


def drop_pending(contents: Contents, workspace: str) -> None:
    """A new key that waited to be accepted is waited for no longer: its item is a leftover."""
    entry = contents.pending.pop(workspace, None)
    if entry:
        note_leftover(contents, Leftover(entry.store, workspace, entry.slot))


def drop_asides(contents: Contents, workspace: str) -> set[str]:
    """The names of the items that are leftovers from here on."""
    gone = [aside for aside in contents.aside if aside.of == workspace]
    for aside in gone:
        contents.aside.remove(aside)
        note_leftover(contents, Leftover(aside.store, aside.workspace, aside.slot))
    return {aside.workspace for aside in gone}


def make_room(contents: Contents, workspace: str, new: Workspace) -> None:
    """An old key that was set aside where the new one goes is about to be written over."""
    place = (new.store, workspace, new.slot)
    contents.aside[:] = [aside for aside in contents.aside if item_of(aside) != place]


def free_slot(contents: Contents, store: str, workspace: str) -> str:
    taken = {item_of(aside) for aside in contents.aside}
    return NEXT if (store, workspace, CURRENT) in taken else CURRENT


def revoked(of: str, what: Workspace | Aside) -> Aside:
    """Where a compromised key goes: an item that is no workspace's, so that no other key takes its place."""
    item = f"(revoked) {what.fingerprint}"
    return Aside(of, what.fingerprint, what.tail, what.store, item, CURRENT, COMPROMISED, what.verified, what.kind)


def superseded(of: str, waiting: Workspace) -> Aside:
    """Where a new key goes that was waited for until another was kept in its place."""
    item = f"(aside) {waiting.fingerprint}"
    return Aside(of, waiting.fingerprint, waiting.tail, waiting.store, item, CURRENT, RETIRED, kind=waiting.kind)


def replaced(of: str, old: Workspace) -> Aside:
    """An old key stays where it is: its slot is the one that is not in use."""
    return Aside(of, old.fingerprint, old.tail, old.store, of, old.slot, RETIRED, old.verified, old.kind)


def note_aside(contents: Contents, aside: Aside) -> None:
    """One item may be set aside for several workspaces, whose key it was; for each of them once."""
    contents.unfinished[:] = [left for left in contents.unfinished if left[:3] != item_of(aside)]
    others = (a for a in contents.aside if (a.of, *item_of(a)) != (aside.of, *item_of(aside)))
    contents.aside[:] = [*others, aside]


def item_of(aside: Aside) -> tuple[str, str, str]:
    return aside.store, aside.workspace, aside.slot


def check_expected(workspace: str, entry: Workspace | None, fingerprint: str | None) -> None:
    """Raises `Overtaken` where the workspace's key is another than the one with ``fingerprint``."""
    if fingerprint is None or fingerprint == (entry.fingerprint if entry else ""):
        return
    now = f"holds …{entry.tail} now" if entry else "holds no key any more"
    raise Overtaken(
        f"Another process was faster: workspace {workspace} {now}.",
        "Nothing was changed here. See status for how it stands.",
    )


def is_in_use(contents: Contents, leftover: Leftover) -> bool:
    entries = (contents.workspaces.get(leftover.workspace), contents.pending.get(leftover.workspace))
    if any(entry and is_item(leftover, leftover.workspace, entry) for entry in entries):
        return True
    return leftover[:3] in map(item_of, contents.aside)


def is_item(leftover: Leftover, workspace: str, entry: Workspace) -> bool:
    return leftover[:3] == (entry.store, workspace, entry.slot)


def stored(contents: Contents) -> frozenset[str]:
    """The fingerprints of the keys that a store keeps, in use or not."""
    return _of_workspaces(contents) | {aside.fingerprint for aside in contents.aside}


def is_kept(contents: Contents, fingerprint: str) -> bool:
    return fingerprint in stored(contents)


def is_in_a_workspace(contents: Contents, fingerprint: str) -> bool:
    """Whether a workspace uses the key, or waits for it; not so for one that is set aside."""
    return fingerprint in _of_workspaces(contents)


def _of_workspaces(contents: Contents) -> frozenset[str]:
    return frozenset(e.fingerprint for e in (*contents.workspaces.values(), *contents.pending.values()))


def not_while_rotating(workspace: str) -> WrongUsage:
    return WrongUsage(f"A rotation of {workspace} is not finished: its new key waits.", f"First: rotate {workspace}")


def no_such_workspace(workspace: str) -> WrongUsage:
    return WrongUsage(f"No key is kept for a workspace named {workspace}.", "Add one for it first.")
