"""What is told of keys that were found or removed: one record a key and place, and the one wording of it.

The command line, `--json`, git's output and the server's log all count and show keys by this module. A *place* is a
cell's source, one of its outputs, its metadata or its attachments in a notebook, and a line in any other file; a key
counts once, in however many places and files it is. In git's history a key may also be in a commit's or a tag's text
and in the name of a file, a branch or a tag (`GIT_PLACES`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mistral_nb.api_key import Key
from mistral_nb.redaction.findings import KNOWN, REMEMBERED, REPORTED, SUSPECTED, Finding
from mistral_nb.storage.index import LIVE, aside_id
from mistral_nb.watchlist import Watchlist
from mistral_nb.wording import plural

STORED, NOT_STORED, UNKNOWN = "stored", "not stored", "unknown"  # what is known of a key's copies, for `kept`
SET_ASIDE, IN_MEMORY = "set aside", "in memory"
SOURCE, METADATA, ATTACHMENT = "source", "metadata", "attachment"
MESSAGE, AUTHOR, COMMITTER, TAGGER, HEADER, NAME = "message", "author", "committer", "tagger", "header", "name"
GIT_PLACES = frozenset({MESSAGE, AUTHOR, COMMITTER, TAGGER, HEADER, NAME})  # `file` is then no file with the key in it
_MAX_PLACES = 5  # places named in a line
_COPIES = {
    SET_ASIDE: "Set aside: {} (to keep it: mistral-nb login --from-aside)",
    IN_MEMORY: "In the memory of this Jupyter server only: {}",
    NOT_STORED: "In no store here: {}",
}
_CERTAINTY = (KNOWN, REMEMBERED, SUSPECTED, REPORTED)  # a key in several tiers counts in the first of them
_CELL_PATH = re.compile(r"^(?:worksheets\[\d+\]\.)?cells\[\d+\](?:\.(\w+)(?:\[(\d+)\])?)?")
_PARTS = {"source": SOURCE, "input": SOURCE, "metadata": METADATA, "attachments": ATTACHMENT}


class KeyRecord(NamedTuple):
    """One key in one place; never the key.

    ``file``: as it was named, found, or called by who saves it. ``fingerprint`` is "" where only a part of a known key
    was found, ``tail`` too where it is a passphrase. ``kept``: `STORED` if a store here keeps the key, in use or not,
    `SET_ASIDE` if one keeps it until somebody takes it, `IN_MEMORY` if only the Jupyter server does, `NOT_STORED`, or
    `UNKNOWN`: the index can't be read, or only a part was found. ``aside_id`` names a key that is set aside or in
    memory; "" for others. In a notebook, ``path`` is the first value in that place that has the key,
    ``cells[3].outputs[0].text``, ``cell`` the cell's number from 1, ``cell_id`` its id where the notebook has one, and
    ``place`` the part of it: ``source``, ``output 1``, ``metadata``, ``attachment``. ``line`` and ``column``: from 1,
    in the file; None for a notebook that is saved from a page.

    Where ``place`` is one of `GIT_PLACES`, ``file`` names what has the key there: ``commit 1a2b3c4d5e`` and
    ``tag 1a2b3c4d5e`` (a message, an author, a committer, a tagger, another header), or, with `NAME`, a path,
    ``branch x`` or ``tag x``, without the key. A member of an archive is ``data.zip!member.txt``.
    """

    file: str
    tier: str
    fingerprint: str
    tail: str
    kept: str
    path: str
    cell: int | None
    cell_id: str | None
    place: str
    line: int | None
    aside_id: str = ""
    column: int | None = None


def make_records(
    file: str, findings: Iterable[Finding], watchlist: Watchlist, place: str = ""
) -> tuple[KeyRecord, ...]:
    """One record for each key and place, in the order of the findings. ``place``: one of `GIT_PLACES`, or ""."""
    records: dict[tuple[object, ...], KeyRecord] = {}
    for finding in findings:
        part, kept = place or find_place(finding.path), _find_copies(finding, watchlist)
        where = (finding.cell, part) if finding.cell or part else (finding.path, finding.line)
        record = KeyRecord(
            file,
            finding.tier,
            finding.fingerprint,
            finding.tail,
            kept,
            finding.path,
            finding.cell,
            finding.cell_id,
            part,
            finding.line,
            aside_id(finding.fingerprint) if kept == SET_ASIDE else "",
            finding.column,
        )
        records.setdefault((finding.fingerprint, finding.tail, where), record)
    return tuple(records.values())


def find_endangered(records: Iterable[KeyRecord], keys: Mapping[str, Key], watchlist: Watchlist) -> dict[str, Key]:
    """Those ``keys``, by fingerprint, that may be nowhere but in the places that the records tell of.

    A key of this process's environment is somewhere else, unless only a kernel has it; one that is out of use is no
    loss.
    """
    in_kernel = {
        secret.fingerprint: secret
        for secret in watchlist.known
        if isinstance(secret, Key) and secret.fingerprint in watchlist.kernel_only
    }
    at_hand = {**in_kernel, **keys}
    out_of_use = {seen.fingerprint for seen in watchlist.remembered if seen.state != LIVE}
    uncertain = (NOT_STORED, SET_ASIDE, *((UNKNOWN,) if watchlist.strict else ()))  # what is set aside is noted anew
    return {
        record.fingerprint: at_hand[record.fingerprint]
        for record in records
        if (record.tier in (REMEMBERED, SUSPECTED) or record.fingerprint in in_kernel)
        and record.kept in uncertain
        and record.fingerprint in at_hand.keys() - out_of_use
    }


def mark_kept(records: Iterable[KeyRecord], kept: Mapping[str, str]) -> tuple[KeyRecord, ...]:
    """The records, with where the keys are ``kept`` from now on, by fingerprint: set aside, or in memory."""
    return tuple(
        record._replace(kept=kept[record.fingerprint], aside_id=aside_id(record.fingerprint))
        if record.fingerprint in kept
        else record
        for record in records
    )


def find_place(path: str) -> str:
    """The part of a notebook that a path in it leads to: ``cells[3].outputs[0].text`` → ``output 1``."""
    match = _CELL_PATH.match(path)
    if match is None:
        return METADATA if path.startswith("metadata") else ""
    part, number = match.groups()
    if part == "outputs":
        return f"output {int(number) + 1}" if number else "output"
    return _PARTS.get(part, part or "")


def group_by_key(records: Iterable[KeyRecord]) -> dict[tuple[str, str], list[KeyRecord]]:
    """The records of each key, by fingerprint and tail, in the order in which the keys appear.

    A part of a key belongs to the key with its tail.
    """
    given = list(records)
    whole = {record.tail: record.fingerprint for record in given if record.fingerprint}
    groups: dict[tuple[str, str], list[KeyRecord]] = {}
    for record in given:
        fingerprint = record.fingerprint or whole.get(record.tail, "")
        groups.setdefault((fingerprint, record.tail), []).append(record)
    return groups


def strongest_tier(records: Iterable[KeyRecord]) -> str:
    """The tier that a key counts in."""
    tiers = {record.tier for record in records}
    return next((tier for tier in _CERTAINTY if tier in tiers), "")


def format_count(records: Sequence[KeyRecord]) -> str:
    """``1 key``, ``2 keys``, ``1 key in 2 places``."""
    keys = len(group_by_key(records))
    return plural(keys, "key") if keys == len(records) else f"{plural(keys, 'key')} in {len(records)} places"


def format_keys(records: Iterable[KeyRecord]) -> str:
    """``…Ug6Y (remembered) in cell 2 and cell 5 (output 1); …a1B2 (suspected) in line 3``. The file is not named."""
    groups = group_by_key(records).values()
    return "; ".join(f"{format_key(group)}{format_places(map(format_place, group))}" for group in groups)


def format_key(group: Sequence[KeyRecord]) -> str:
    """One key: ``…Ug6Y (remembered)``."""
    return f"{format_tail(group[0])} ({strongest_tier(group)})"


def format_tail(record: KeyRecord) -> str:
    return f"…{record.tail}" if record.tail else "part of a key"


def format_place(record: KeyRecord) -> str:
    """``cell 2``, ``cell 2 (output 1)``, ``the notebook's metadata``, ``the message``, ``line 3``."""
    if record.place in GIT_PLACES:
        return f"the {record.place}"
    if record.cell is not None:
        return f"cell {record.cell}" + (f" ({record.place})" if record.place not in ("", SOURCE) else "")
    if record.place == METADATA:
        return "the notebook's metadata"
    if record.path:
        return record.path
    return f"line {record.line}" if record.line is not None else ""


def format_file_place(record: KeyRecord) -> str:
    """``cell 2 of a.ipynb``: a place among those of several files."""
    place, file = format_place(record), record.file or "a blob without a path"
    return f"{place} of {file}" if place else file


def format_places(places: Iterable[str]) -> str:
    """`` in cell 2 and cell 5``; "" without a place."""
    named = [place for place in dict.fromkeys(places) if place]
    if not named:
        return ""
    shown = named[:_MAX_PLACES]
    if len(named) > _MAX_PLACES:
        shown.append(plural(len(named) - _MAX_PLACES, "more place"))
    return " in " + (" and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0])


def format_copies(records: Iterable[KeyRecord]) -> str:
    """Which of the keys are set aside, in memory or in no store: ``In no store here: …Ug6Y``; "" if all are stored."""
    tails: dict[str, dict[str, None]] = {kept: {} for kept in _COPIES}
    for record in records:
        if record.kept in tails:
            tails[record.kept][format_tail(record)] = None
    return ". ".join(sentence.format(", ".join(tails[kept])) for kept, sentence in _COPIES.items() if tails[kept])


def to_json(record: KeyRecord) -> dict[str, object]:
    """A record as `--json` has it."""
    return record._asdict()


def keys_to_json(records: Iterable[KeyRecord]) -> list[dict[str, object]]:
    """One entry a key."""
    return list(_key_entries(records))


def _key_entries(records: Iterable[KeyRecord]) -> Iterator[dict[str, object]]:
    for (fingerprint, tail), group in group_by_key(records).items():
        yield {
            "fingerprint": fingerprint,
            "tail": tail,
            "tier": strongest_tier(group),
            "kept": next((record.kept for record in group if record.kept != UNKNOWN), UNKNOWN),
            "files": list(dict.fromkeys(record.file for record in group)),
            "places": len(group),
        }


def _find_copies(finding: Finding, watchlist: Watchlist) -> str:
    if watchlist.strict or not (finding.fingerprint and finding.tail):
        return UNKNOWN
    if finding.fingerprint in watchlist.stored:
        return STORED
    return SET_ASIDE if finding.fingerprint in watchlist.set_aside else NOT_STORED
