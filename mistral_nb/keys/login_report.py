"""The one line that `login` ends with, and `switch` after it asked for a key."""

from dataclasses import replace

from mistral_nb.command_context import Context
from mistral_nb.keys import expiry
from mistral_nb.keys.activation_report import activate_and_report, format_key
from mistral_nb.keys.key_prompt import AT_THE_PROMPT
from mistral_nb.keys.key_saving import StoredKey
from mistral_nb.keys.store_choice import memory_reason
from mistral_nb.report import Report
from mistral_nb.storage.store_protocol import FILE, KEYRING, MEMORY, store_name

_PLACES = {KEYRING: "in your keyring", FILE: f"in {store_name(FILE)}", MEMORY: "in memory only"}


def finish_login(context: Context, stored: StoredKey) -> Report:
    """Report the key; in a notebook it is used at once."""
    return _activate(context, stored) if context.in_notebook else _report(context, stored)


def _activate(context: Context, stored: StoredKey) -> Report:
    origin = f"{stored.source}, stored in {store_name(stored.entry.store)}"
    used = activate_and_report(context, stored.key, stored.workspace, origin, notes=_notes(context, stored))
    line = _line(context, stored, "MISTRAL_API_KEY is set")
    return replace(used, title=line, data={**used.data, "store": stored.entry.store})


def _report(context: Context, stored: StoredKey) -> Report:
    organisation = "" if context.may_be_committed else stored.entry.organisation
    line = _line(context, stored, f"organisation {organisation}" if organisation else "")
    data = {"workspace": stored.workspace, "tail": stored.key.tail, "store": stored.entry.store}
    return Report(line, notes=_notes(context, stored), data=data)


def _line(context: Context, stored: StoredKey, told: str) -> str:
    """``✓ research …Ajr6 · organisation Acme · in your keyring · expiry unknown: mistral-nb edit …``."""
    entry = stored.entry
    parts = (
        f"✓ {format_key(stored.workspace, stored.key.tail, entry)}",
        "" if stored.source == AT_THE_PROMPT else f"from {stored.source}",
        told,
        _PLACES.get(entry.store, entry.store),
        _expiry_text(context, stored),
    )
    return " · ".join(filter(None, parts))


def _expiry_text(context: Context, stored: StoredKey) -> str:
    entry = stored.entry
    if not entry.expires and not entry.expiry_known:
        return f"expiry unknown: {context.format_command(f'edit {stored.workspace} --expires 90d')}"
    words, _ = expiry.describe_expiry(entry, context.today())
    return f"expires {words}" if entry.expires else "never expires"


def _notes(context: Context, stored: StoredKey) -> tuple[str, ...]:
    """Why the key is in memory only, and whether Mistral was asked about it."""
    unverified = "It is unverified: Mistral could not be asked. Run verify once it can be."
    in_memory = stored.entry.store == MEMORY
    return (
        *((stored.problem,) if stored.problem else ()),
        *((memory_reason(context, known=bool(stored.problem)),) if in_memory else ()),
        *((unverified,) if stored.verdict.accepts_key is None else ()),
    )
