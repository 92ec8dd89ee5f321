"""The organisation's list of keys beside the one kept here: what is the matter with which."""

import contextlib
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from mistral_nb.actions import admin_find, expiry
from mistral_nb.actions.context import Context
from mistral_nb.api.admin import ORGANISATION_KEYS
from mistral_nb.api.admin_bodies import STUDIO, Listed
from mistral_nb.errors import MistralNbError
from mistral_nb.report import State
from mistral_nb.store.index import ADMIN, COMPROMISED, RETIRED, Workspace

OURS, EXPIRED, EXPIRING, UNUSED = "kept here", "expired", "expiring", "unused"
UNKNOWN, GONE, UNCLEAR, OTHER = "unknown here", "gone there", "not to be told apart", "of other products"
OUT_OF_USE = "out of use here"
WHAT = (OURS, EXPIRED, EXPIRING, UNUSED, UNKNOWN, GONE, UNCLEAR, OTHER, OUT_OF_USE)
_UNUSED_DAYS = 30


class Matched(NamedTuple):
    """A kept key and those of the list that can be it: one, if all is well."""

    name: str
    entry: Workspace
    found: tuple[Listed, ...]


class Line(NamedTuple):
    """A key: what is the matter with it, from `WHAT`, and in words."""

    who: str
    key_name: str
    what: tuple[str, ...]
    words: str
    state: State
    repair: str
    data: dict[str, Any]

    def label(self, long: bool) -> str:
        return f"{self.who} ({self.key_name})" if long and self.key_name else self.who


def match(context: Context, listed: list[Listed]) -> list[Matched]:
    return [
        Matched(name, entry, tuple(admin_find.candidates(listed, _wanted(entry))))
        for name, entry in context.kept().items()
        if entry.kind != ADMIN
    ]


def _wanted(entry: Workspace) -> admin_find.Wanted:
    return admin_find.Wanted(entry.tail, entry.key_id, entry.name, entry.mistral_workspace)


def learn(context: Context, matched: list[Matched]) -> None:
    """Note id and expiry of our keys, which Mistral tells nobody else. What it does not tell stays as noted."""
    for name, entry, found in matched:
        if len(found) == 1:
            told: dict[str, Any] = {"key_id": found[0].key_id}
            if found[0].expiry_told:
                told |= {"expires": found[0].expires, "expiry_known": True}
            if any(getattr(entry, field) != value for field, value in told.items()):
                with contextlib.suppress(MistralNbError):  # the list counts, the note on it less
                    context.keeper.update(name, **told)


def ours(context: Context, matched: list[Matched]) -> Iterator[Line]:
    for name, entry, found in matched:
        who = f"{name} …{entry.tail}"
        if len(found) == 1:
            yield _line(context, who, found[0], OURS, rotate=context.typed(f"rotate {name}"))
            continue
        what, words = UNCLEAR, f"{len(found)} keys of Mistral's list could be it"
        repair = f"Tell them apart by their first four characters: {ORGANISATION_KEYS}"
        if not found:
            what, words = GONE, "not in Mistral's list: deleted, or of another organisation"
            repair = context.typed(f"verify {name}")
        data = {"workspace": name, "tail": entry.tail, "what": [what], "key_ids": [key.key_id for key in found]}
        yield Line(who, entry.name or "", (what,), words, "bad" if what == GONE else "warn", repair, data)


def others(context: Context, listed: list[Listed], matched: list[Matched]) -> Iterator[Line]:
    known = {key.key_id for each in matched for key in each.found}
    states = {seen.tail: seen.state for seen in context.contents().seen.values() if seen.state != "live"}
    for key in listed:
        if key.key_id in known:
            continue
        where = f" of {key.workspace}" if key.workspace else ""
        if key.product != STUDIO:
            yield _line(context, f"…{key.tail}{where}", key, OTHER)
        elif key.tail in states:
            yield _out_of_use(f"…{key.tail}{where}", key, states[key.tail])
        else:
            yield _line(context, f"…{key.tail}{where}", key, UNKNOWN)


def _out_of_use(who: str, key: Listed, state: str) -> Line:
    words = f"{'revoked' if state == COMPROMISED else 'replaced'} here, still in Mistral's list"
    serious: State = "bad" if state == COMPROMISED else "warn" if state == RETIRED else ""
    data = _data(key, (OUT_OF_USE,))
    return Line(who, key.name, (OUT_OF_USE,), words, serious, f"Delete it: {ORGANISATION_KEYS}", data)


def _line(context: Context, who: str, key: Listed, what: str, rotate: str = "") -> Line:
    today = context.today()
    left = (date.fromisoformat(key.expires) - today).days if key.expires else None
    also: list[str] = []
    state: State = "ok" if what == OURS else ""
    words = [f"expires: {'never' if key.expiry_told else 'not told'}"]
    if left is not None:
        words = [f"expires in {left} day{'s' * (left != 1)}, on {key.expires}"]
    if left is not None and left < 0:
        also, state, words = [EXPIRED], "bad" if what == OURS else "warn", [f"EXPIRED on {key.expires}"]
    elif left is not None and left < expiry.WARN_DAYS:
        also, state = [EXPIRING], "warn"
    unused = _unused(key, today)
    if unused:
        also, state = [*also, UNUSED], state if state == "bad" else "warn"
        words.append(unused)
    if what != OURS:
        words.insert(0, f"{what}: {key.product}" if what == OTHER else what)
    repair = (rotate if {EXPIRED, EXPIRING} & set(also) else "") or (f"Delete it? {ORGANISATION_KEYS}" if also else "")
    data = _data(key, (what, *also)) | ({"kept_as": who.partition(" ")[0]} if what == OURS else {})
    return Line(who, key.name, (what, *also), "; ".join(words), state, repair, data)


def _unused(key: Listed, today: date) -> str:
    """Words on a key that nobody used for 30 days; a young one is left alone, and so is one whose use is not told."""
    if not key.use_told:
        return ""
    since = key.last_used or key.created_at
    days = (today - date.fromisoformat(since)).days if since else 0
    if days < _UNUSED_DAYS:
        return ""
    return f"unused for {days} days" if key.last_used else f"never used in {days} days"


def _data(key: Listed, what: tuple[str, ...]) -> dict[str, Any]:
    names = ("key_id", "name", "tail", "workspace", "product", "created_at", "expires", "expiry_told", "last_used")
    return {"what": list(what), **{name: getattr(key, name) for name in names}}
