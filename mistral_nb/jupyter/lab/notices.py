"""The words of the notice that a page shows after a save that removed a key, or left one that is only suspected."""

from collections.abc import Iterable, Iterator, Sequence

from mistral_nb.key_records import (
    IN_MEMORY,
    NOT_STORED,
    SET_ASIDE,
    SOURCE,
    STORED,
    KeyRecord,
    format_place,
    format_tail,
    group_by_key,
)
from mistral_nb.wording import plural

_MAX_PLACES = 3  # places named in a notice: a front end shows 140 characters
_MAX_NAME = 40  # characters of the file's name
_COPIES = {
    STORED: "stored on this machine",
    SET_ASIDE: "set aside, so that you can keep it",
    IN_MEMORY: "in no store, only in the server's memory",
    NOT_STORED: "in no store",
}


def format_notice(records: Sequence[KeyRecord]) -> str:
    """``1 key, …TAhy, was kept out of a.ipynb (cell 3). It is in no store.`` ``records`` are of one file."""
    groups = list(group_by_key(records).values())
    tails = _join([format_tail(group[0]) for group in groups])
    verb = "was" if len(groups) == 1 else "were"
    name = _shorten(records[0].file)
    first = f"{plural(len(groups), 'key')}, {tails}, {verb} kept out of {name}{_format_places(records)}."
    return " ".join([first, *_format_copies(groups)])


def format_left_notice(records: Sequence[KeyRecord]) -> str:
    """``…TAhy looks like a Mistral key and was left in a.py (line 3).`` ``records`` are of one file."""
    tails = list(dict.fromkeys(map(format_tail, records)))
    looks = "looks like a Mistral key and was" if len(tails) == 1 else "look like Mistral keys and were"
    return f"{_join(tails)} {looks} left in {_shorten(records[0].file)}{_format_places(records)}."


def _format_copies(groups: Sequence[Sequence[KeyRecord]]) -> Iterator[str]:
    """Where the keys are now: a sentence each for those of one fate."""
    for kept, words in _COPIES.items():
        tails = [format_tail(group[0]) for group in groups if group[0].kept == kept]
        if tails:
            subject = "It is" if len(groups) == 1 else f"{_join(tails)} {'is' if len(tails) == 1 else 'are'}"
            yield f"{subject} {words}."


def _shorten(file: str) -> str:
    """The last part of a path; of a long one its end, which tells more than its beginning."""
    name = file.rpartition("/")[2]
    return name if len(name) <= _MAX_NAME else f"…{name[1 - _MAX_NAME :]}"


def _format_places(records: Iterable[KeyRecord]) -> str:
    places = list(dict.fromkeys(filter(None, map(_format_short_place, records))))
    if len(places) > _MAX_PLACES:
        places[_MAX_PLACES:] = [plural(len(places) - _MAX_PLACES, "more place")]
    return f" ({', '.join(places)})" if places else ""


def _format_short_place(record: KeyRecord) -> str:
    """``cell 3``, ``cell 3 output 1``: as `format_place`, for use within parentheses."""
    if record.cell is None:
        return format_place(record)
    return f"cell {record.cell}" + (f" {record.place}" if record.place not in ("", SOURCE) else "")


def _join(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
