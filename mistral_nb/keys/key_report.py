"""What reports show of a key's details, and which keys need attention."""

from typing import Any

from mistral_nb.command_context import Context
from mistral_nb.keys import aside_keys
from mistral_nb.report import Row
from mistral_nb.storage.index import COMPROMISED, LIVE, RetiredKey, Workspace

UNREADABLE_TITLE = "The list of workspaces can't be read."
_MISTRAL_FIELDS = ("name", "organisation", "mistral_workspace", "key_id")


def attention_rows(context: Context) -> list[Row]:
    """Pending keys, old and revoked ones that Mistral may still accept, and what is set aside."""
    rows = [
        Row(
            f"new: {name}",
            f"…{entry.tail} is pending: the rotation is unfinished",
            "warn",
            context.format_command(f"rotate {name}"),
        )
        for name, entry in context.key_manager.pending_keys().items()
    ]
    retired = context.key_manager.retired_keys()
    remembered = context.read_index().remembered if retired else {}
    for copy in retired:
        seen = remembered.get(copy.fingerprint)
        rows.append(_retired_row(context, copy, is_taken_back=seen is not None and seen.state == LIVE))
    return rows + aside_keys.rows(context)


def _retired_row(context: Context, copy: RetiredKey, *, is_taken_back: bool) -> Row:
    """``is_taken_back``: a key that was revoked and then taken back into memory, whose stored copy is this."""
    name, words = copy.former_workspace, f"…{copy.tail} may still be accepted by Mistral"
    if copy.state != COMPROMISED:
        return Row(f"old: {name}", words, "", context.format_command(f"verify {name} --old"))
    if is_taken_back:
        words = f"…{copy.tail} was taken back into use, in memory only; this copy is stored"
        return Row(f"revoked: {name}", words, "warn", context.format_command(f"login {name}"))
    return Row(f"revoked: {name}", words, "bad", context.format_command(f"revoke {name}"))


def details_data(entry: Workspace, long: bool) -> dict[str, Any]:
    """The details of a key, for ``--json``: in a notebook, whose outputs get committed, without names."""
    told = entry._asdict()
    return told if long else {name: value for name, value in told.items() if name not in _MISTRAL_FIELDS}
