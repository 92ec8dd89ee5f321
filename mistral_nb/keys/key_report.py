"""What reports show of a key's details, and which keys need attention."""

from typing import Any

from mistral_nb.command_context import Context
from mistral_nb.keys import aside_keys
from mistral_nb.report import Row
from mistral_nb.storage.index import COMPROMISED, Workspace

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
    for aside in context.key_manager.retired_keys():
        revoked = aside.state == COMPROMISED
        label, how = (
            ("revoked", f"revoke {aside.former_workspace}")
            if revoked
            else ("old", f"verify {aside.former_workspace} --old")
        )
        words = f"…{aside.tail} may still be accepted by Mistral"
        rows.append(
            Row(f"{label}: {aside.former_workspace}", words, "bad" if revoked else "", context.format_command(how))
        )
    return rows + aside_keys.rows(context)


def details_data(entry: Workspace, long: bool) -> dict[str, Any]:
    """The details of a key, for ``--json``: in a notebook, whose outputs get committed, without names."""
    told = entry._asdict()
    return told if long else {name: value for name, value in told.items() if name not in _MISTRAL_FIELDS}
