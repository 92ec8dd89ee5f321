"""Finds the key in the organisation's list that is stored here."""

from collections.abc import Iterable
from typing import NamedTuple

from mistral_nb.admin.client import AdminClient
from mistral_nb.admin.responses import STUDIO_PRODUCT, ApiKeyInfo
from mistral_nb.api_key import Key
from mistral_nb.errors import AdminFailed, CannotAsk
from mistral_nb.report import Ask, Dialog


class KeyCriteria(NamedTuple):
    """What is known about a key here; the more is known, the fewer keys in the list can match."""

    tail: str
    key_id: str | None = None
    name: str | None = None
    workspace: str | None = None  # at Mistral


def candidates(listed: Iterable[ApiKeyInfo], wanted: KeyCriteria) -> list[ApiKeyInfo]:
    """By the recorded ``key_id``, else by tail, name and workspace. An id with another tail is ignored."""
    same_tail = [key for key in listed if key.tail == wanted.tail and key.product == STUDIO_PRODUCT]
    by_id = [key for key in same_tail if wanted.key_id and key.key_id == wanted.key_id]
    return by_id or [
        key
        for key in same_tail
        if (not wanted.name or key.name == wanted.name)
        and (not wanted.workspace or not key.workspace or key.workspace == wanted.workspace)
    ]


def find_unique(admin: AdminClient, wanted: KeyCriteria, key: Key | None, what_for: str) -> Dialog[ApiKeyInfo]:
    """The matching key; of several, the one the person chooses. Raises `AdminFailed`, `CannotAsk`."""
    found = candidates(admin.find_keys(wanted.tail, lambda listed: listed.tail == wanted.tail), wanted)
    if not found:
        raise AdminFailed(
            f"No key …{wanted.tail}{_describe_criteria(wanted)} is in the organisation's list, "
            f"so nothing was {what_for}.",
            "It may already be deleted, or belong to another organisation.",
            "missing",
        )
    chosen = found[0] if len(found) == 1 else (yield from _ask_which(found, wanted, what_for))
    if key is not None and chosen.head and not key.reveal().startswith(chosen.head):
        raise AdminFailed(
            f"The key {chosen.masked} in the organisation's list starts differently from the one stored here.",
            f"Nothing was {what_for}. Compare them at Mistral.",
            "missing",
        )
    return chosen


def _ask_which(found: list[ApiKeyInfo], wanted: KeyCriteria, what_for: str) -> Dialog[ApiKeyInfo]:
    by_label = {
        f"{key.masked} created {key.created_at or 'on an unknown date'}, id {key.key_id[:8]}": key for key in found
    }
    question = f"{len(found)} keys …{wanted.tail} have that name and workspace. Which one should be {what_for}?"
    try:
        answer = yield Ask("which key", question, choices=tuple(by_label))
    except CannotAsk:
        raise CannotAsk(
            f"{len(found)} keys …{wanted.tail}{_describe_criteria(wanted)} are in the organisation's list: "
            f"{', '.join(by_label)}.",
            f"Cannot ask which one should be {what_for}; nothing was changed.",
        ) from None
    return by_label[str(answer)]


def _describe_criteria(wanted: KeyCriteria) -> str:
    named = f" named {wanted.name}" if wanted.name else ""
    return f"{named} of workspace {wanted.workspace}" if wanted.workspace else named
