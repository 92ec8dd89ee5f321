"""Which key of the organisation's list is one that is kept here."""

from collections.abc import Generator, Iterable
from typing import NamedTuple

from mistral_nb.api.admin import Admin
from mistral_nb.api.admin_bodies import STUDIO, Listed
from mistral_nb.errors import AdminFailed, CannotAsk
from mistral_nb.key import Key
from mistral_nb.report import Answer, Ask, Step


class Wanted(NamedTuple):
    """What is known of a key here; the more is known, the fewer keys of the list can be it."""

    tail: str
    key_id: str | None = None
    name: str | None = None
    workspace: str | None = None  # at Mistral


def candidates(listed: Iterable[Listed], wanted: Wanted) -> list[Listed]:
    """By the recorded ``key_id``, else by tail and name and workspace. An id with another tail is not believed."""
    same_tail = [key for key in listed if key.tail == wanted.tail and key.product == STUDIO]
    by_id = [key for key in same_tail if wanted.key_id and key.key_id == wanted.key_id]
    return by_id or [
        key
        for key in same_tail
        if (not wanted.name or key.name == wanted.name)
        and (not wanted.workspace or not key.workspace or key.workspace == wanted.workspace)
    ]


def the_one(admin: Admin, wanted: Wanted, key: Key | None, what_for: str) -> Generator[Ask | Step, Answer, Listed]:
    """The one that is meant; of several, the one that a person names. Raises `AdminFailed`, `CannotAsk`."""
    found = candidates(admin.matching(wanted.tail, lambda listed: listed.tail == wanted.tail), wanted)
    if not found:
        raise AdminFailed(
            f"No key …{wanted.tail}{_of(wanted)} is in the organisation's list, so none is {what_for}.",
            "It may be deleted already, or of another organisation.",
            "missing",
        )
    chosen = found[0] if len(found) == 1 else (yield from _which(found, wanted, what_for))
    if key is not None and chosen.head and not key.reveal().startswith(chosen.head):
        raise AdminFailed(
            f"The key {chosen.hidden} in the organisation's list begins otherwise than the one kept here.",
            f"None is {what_for}. Compare them at Mistral.",
            "missing",
        )
    return chosen


def _which(found: list[Listed], wanted: Wanted, what_for: str) -> Generator[Ask | Step, Answer, Listed]:
    by_label = {f"{key.hidden} made {key.created_at or 'some day'}, id {key.key_id[:8]}": key for key in found}
    question = f"{len(found)} keys …{wanted.tail} have that name and workspace. Which is to be {what_for}?"
    try:
        answer = yield Ask("which key", question, choices=tuple(by_label))
    except CannotAsk:
        raise CannotAsk(
            f"{len(found)} keys …{wanted.tail}{_of(wanted)} are in the organisation's list: {', '.join(by_label)}.",
            f"Nobody is here to say which is to be {what_for}, so nothing was changed.",
        ) from None
    return by_label[str(answer)]


def _of(wanted: Wanted) -> str:
    named = f" named {wanted.name}" if wanted.name else ""
    return f"{named} of workspace {wanted.workspace}" if wanted.workspace else named
