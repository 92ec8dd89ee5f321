"""Compares the organisation's list of keys with the stored ones, and says what is wrong with which."""

import contextlib
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from mistral_nb import exit_codes
from mistral_nb.admin import credentials, interrupted_rotation, key_lookup
from mistral_nb.admin.client import ORGANISATION_KEYS, UNTRIED_NOTE, AdminClient
from mistral_nb.admin.responses import STUDIO_PRODUCT, ApiKeyInfo
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError
from mistral_nb.keys import expiry
from mistral_nb.report import Action, Report, Row, RowState, Step
from mistral_nb.storage.index import ADMIN, COMPROMISED, RETIRED, Workspace
from mistral_nb.wording import plural

STORED_HERE, EXPIRED, EXPIRING, UNUSED = "stored here", "expired", "expiring", "unused"
UNKNOWN_HERE, GONE_AT_MISTRAL, AMBIGUOUS, OTHER_PRODUCT = (
    "unknown here",
    "deleted at Mistral",
    "ambiguous",
    "for other products",
)
OUT_OF_USE = "retired here"
STATUSES = (STORED_HERE, EXPIRED, EXPIRING, UNUSED, UNKNOWN_HERE, GONE_AT_MISTRAL, AMBIGUOUS, OTHER_PRODUCT, OUT_OF_USE)
_UNUSED_DAYS = 30
_MAX_UNKNOWN = 30  # rows of keys without problems


class KeyMatch(NamedTuple):
    """A stored key and the entries of the list that can match: one, if all is well."""

    name: str
    entry: Workspace
    found: tuple[ApiKeyInfo, ...]


class InventoryLine(NamedTuple):
    """A key and its state, from `STATUSES`, and in words."""

    who: str
    key_name: str
    statuses: tuple[str, ...]
    text: str
    state: RowState
    repair: str
    data: dict[str, Any]

    def label(self, long: bool) -> str:
        return f"{self.who} ({self.key_name})" if long and self.key_name else self.who


def list_remote(context: Context, long: bool) -> Action:
    """`list --remote`: the organisation's keys beside the stored ones."""
    found = yield from credentials.find_admin_key(context)
    admin = AdminClient(found.key, credentials.admin_base_url(context))
    yield Step("Asking Mistral's Admin API for the organisation's keys …")
    yield from interrupted_rotation.recover_interrupted_rotations(context, admin)
    listed = admin.list_keys()
    matched = match_stored_keys(context, listed)
    record_details(context, matched)
    lines = [*stored_key_lines(context, matched), *other_key_lines(context, listed, matched)]
    findings = [line for line in lines if line.state in ("warn", "bad")]
    quiet = [line for line in lines if line not in findings]
    shown = [*findings, *quiet[:_MAX_UNKNOWN]]
    rows = tuple(Row(line.label(long), line.text, line.state, line.repair) for line in shown)
    more = len(quiet) - _MAX_UNKNOWN
    notes = (*((f"{more} more without problems; --json lists them.",) if more > 0 else ()), UNTRIED_NOTE)
    title = f"Mistral lists {plural(len(listed), 'key')}; {_count_statuses(lines)}."
    data = {"keys": [line.data for line in lines], "findings": len(findings), "note": UNTRIED_NOTE}
    return Report(title, rows, notes, exit_code=exit_codes.FINDING if findings else exit_codes.OK, data=data)


def _count_statuses(lines: list[InventoryLine]) -> str:
    counts = {what: sum(what in line.statuses for line in lines) for what in STATUSES}
    said = [f"{count} {what}" for what, count in counts.items() if count]
    return ", ".join(said) or "none of them is stored here"


def match_stored_keys(context: Context, listed: list[ApiKeyInfo]) -> list[KeyMatch]:
    return [
        KeyMatch(name, entry, tuple(key_lookup.candidates(listed, _criteria(entry))))
        for name, entry in context.stored_workspaces().items()
        if entry.kind != ADMIN
    ]


def _criteria(entry: Workspace) -> key_lookup.KeyCriteria:
    return key_lookup.KeyCriteria(entry.tail, entry.key_id, entry.name, entry.mistral_workspace)


def record_details(context: Context, matched: list[KeyMatch]) -> None:
    """Record id and expiry of our keys, available nowhere else. What the list lacks stays as recorded."""
    for name, entry, found in matched:
        if len(found) == 1:
            told: dict[str, Any] = {"key_id": found[0].key_id}
            if found[0].expiry_known:
                told |= {"expires": found[0].expires, "expiry_known": True}
            if any(getattr(entry, field) != value for field, value in told.items()):
                with contextlib.suppress(MistralNbError):  # the list matters more than recording it
                    context.key_manager.update(name, **told)


def stored_key_lines(context: Context, matched: list[KeyMatch]) -> Iterator[InventoryLine]:
    for name, entry, found in matched:
        who = f"{name} …{entry.tail}"
        if len(found) == 1:
            yield _make_line(context, who, found[0], STORED_HERE, rotate=context.format_command(f"rotate {name}"))
            continue
        what, words = AMBIGUOUS, f"{len(found)} keys in Mistral's list could match"
        repair = f"Compare their first four characters: {ORGANISATION_KEYS}"
        if not found:
            what, words = GONE_AT_MISTRAL, "not in Mistral's list: deleted, or in another organisation"
            repair = context.format_command(f"verify {name}")
        data = {"workspace": name, "tail": entry.tail, "what": [what], "key_ids": [key.key_id for key in found]}
        yield InventoryLine(
            who, entry.name or "", (what,), words, "bad" if what == GONE_AT_MISTRAL else "warn", repair, data
        )


def other_key_lines(context: Context, listed: list[ApiKeyInfo], matched: list[KeyMatch]) -> Iterator[InventoryLine]:
    known = {key.key_id for each in matched for key in each.found}
    states = {seen.tail: seen.state for seen in context.read_index().remembered.values() if seen.state != "live"}
    for key in listed:
        if key.key_id in known:
            continue
        where = f" of {key.workspace}" if key.workspace else ""
        if key.product != STUDIO_PRODUCT:
            yield _make_line(context, f"…{key.tail}{where}", key, OTHER_PRODUCT)
        elif key.tail in states:
            yield _out_of_use_line(f"…{key.tail}{where}", key, states[key.tail])
        else:
            yield _make_line(context, f"…{key.tail}{where}", key, UNKNOWN_HERE)


def _out_of_use_line(who: str, key: ApiKeyInfo, state: str) -> InventoryLine:
    words = f"{'revoked' if state == COMPROMISED else 'replaced'} here, still in Mistral's list"
    serious: RowState = "bad" if state == COMPROMISED else "warn" if state == RETIRED else ""
    data = _json_data(key, (OUT_OF_USE,))
    return InventoryLine(who, key.name, (OUT_OF_USE,), words, serious, f"Delete it: {ORGANISATION_KEYS}", data)


def _make_line(context: Context, who: str, key: ApiKeyInfo, what: str, rotate: str = "") -> InventoryLine:
    today = context.today()
    left = (date.fromisoformat(key.expires) - today).days if key.expires else None
    also: list[str] = []
    state: RowState = "ok" if what == STORED_HERE else ""
    words = [f"expires: {'never' if key.expiry_known else 'unknown'}"]
    if left is not None:
        words = [f"expires in {plural(left, 'day')}, on {key.expires}"]
    if left is not None and left < 0:
        also, state, words = [EXPIRED], "bad" if what == STORED_HERE else "warn", [f"EXPIRED on {key.expires}"]
    elif left is not None and left < expiry.WARN_DAYS:
        also, state = [EXPIRING], "warn"
    unused = _unused_text(key, today)
    if unused:
        also, state = [*also, UNUSED], state if state == "bad" else "warn"
        words.append(unused)
    if what != STORED_HERE:
        words.insert(0, f"{what}: {key.product}" if what == OTHER_PRODUCT else what)
    repair = (rotate if {EXPIRED, EXPIRING} & set(also) else "") or (f"Delete it? {ORGANISATION_KEYS}" if also else "")
    data = _json_data(key, (what, *also)) | ({"kept_as": who.partition(" ")[0]} if what == STORED_HERE else {})
    return InventoryLine(who, key.name, (what, *also), "; ".join(words), state, repair, data)


def _unused_text(key: ApiKeyInfo, today: date) -> str:
    """The text for a key unused for 30 days; not for a new one, nor one whose use is unknown."""
    if not key.last_used_known:
        return ""
    since = key.last_used or key.created_at
    days = (today - date.fromisoformat(since)).days if since else 0
    if days < _UNUSED_DAYS:
        return ""
    return f"unused for {days} days" if key.last_used else f"never used in {days} days"


def _json_data(key: ApiKeyInfo, what: tuple[str, ...]) -> dict[str, Any]:
    names = ("key_id", "name", "tail", "workspace", "product", "created_at", "expires", "expiry_known", "last_used")
    return {"what": list(what), **{name: getattr(key, name) for name in names}}
