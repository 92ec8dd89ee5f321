"""The baseline: a file that names old findings, so that only new ones make a scan fail.

It comes with a repository, so anyone may have written it. It never silences a key that is set in this process, that is
in use on this machine, or that Mistral accepts; and of a key that was in use here only what this person put into a
baseline (`Accepted`).
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mistral_nb.bounded_json import load_json
from mistral_nb.bounded_read import MAX_OWN_FILE, read_file
from mistral_nb.errors import WrongUsage, reason
from mistral_nb.file_io import READABLE_FILE, write_atomically
from mistral_nb.redaction.findings import KNOWN
from mistral_nb.scanning.scan_findings import BASELINED, LIVE, ScanFinding
from mistral_nb.storage import index
from mistral_nb.storage.index import RememberedKey
from mistral_nb.watchlist import Watchlist

FILES, HISTORY = "files", "history"  # a scan of files, and one of git's history, each have their part of the file
VERSION = 1
_ID = re.compile(r"[0-9a-f]{32}:[1-9][0-9]{0,8}")
_OTHER_NAME = "Name another file: with --update-baseline it is written."
Entry = dict[str, Any]
Accepted = Mapping[str, int]  # by key id: how many of the key's places this person accepted on this machine


class Baseline(NamedTuple):
    """The entries of each part, by the findings' ids."""

    files: Mapping[str, Entry]
    history: Mapping[str, Entry]

    def part(self, scope: str) -> Mapping[str, Entry]:
        return self.history if scope == HISTORY else self.files


EMPTY = Baseline({}, {})


def read_baseline(path: str) -> Baseline:
    """Raises `WrongUsage` where there is none, or the file is no baseline."""
    try:
        document = load_json(read_file(path, MAX_OWN_FILE))
        if document["version"] != VERSION:
            raise ValueError("version")
        return Baseline(_parse_entries(document[FILES]), _parse_entries(document[HISTORY]))
    except FileNotFoundError:
        raise WrongUsage(f"There is no baseline {path}.", "Write one: add --update-baseline.") from None
    except OSError as error:
        raise WrongUsage(f"The baseline {path} can't be read: {reason(error)}.", _OTHER_NAME) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise WrongUsage(f"{path} is no baseline that this version reads.", _OTHER_NAME) from None


class Applied(NamedTuple):
    """``findings`` with their states. ``not_silenced``: those of keys that the baseline names and may not silence."""

    findings: tuple[ScanFinding, ...]
    not_silenced: tuple[ScanFinding, ...]


def apply_baseline(
    findings: Sequence[ScanFinding], baseline: Baseline, scope: str, watchlist: Watchlist, accepted: Accepted
) -> Applied:
    """As many places of each key are `BASELINED` as the baseline names: those in the files it names, then others.

    So a key that moved is an old finding, and of a key that was copied the copy is the new one.
    """
    named, remembered = baseline.part(scope).values(), _remembered(watchlist)
    files: dict[str, list[str]] = {}
    for entry in named:
        files.setdefault(key_of(entry["id"]), []).append(str(entry.get("file")))
    places_by_key: dict[str, list[tuple[int, ScanFinding]]] = {}
    for at, finding in enumerate(findings):
        places_by_key.setdefault(finding.key_id, []).append((at, finding))
    silenced: set[int] = set()
    not_silenced: list[ScanFinding] = []
    for key_id, old_files in files.items():
        places = places_by_key.get(key_id, [])
        able = [each for each in places if can_be_silenced(each[1], remembered, is_strict=watchlist.strict)]
        count = len(old_files)
        if any(one.record.fingerprint in remembered for _, one in able):
            count = min(count, accepted.get(key_id, 0))
        able.sort(key=lambda each: each[1].record.file not in old_files)  # stable: else in their order
        silenced.update(at for at, _ in able[:count])
        not_silenced += [one for at, one in places[: len(old_files)] if at not in silenced]
    states = (one._replace(state=BASELINED) if at in silenced else one for at, one in enumerate(findings))
    return Applied(tuple(states), tuple(not_silenced))


def can_be_silenced(finding: ScanFinding, remembered: Mapping[str, RememberedKey], *, is_strict: bool = False) -> bool:
    """Whether any baseline may silence it: it is no key of this process, none in use here, and none that works.

    ``is_strict``: the index can't be read, so nobody knows which keys are in use here.
    """
    seen = remembered.get(finding.record.fingerprint)
    in_use = seen is not None and seen.state == index.LIVE
    return not (is_strict or in_use or finding.record.tier == KNOWN or finding.answer == LIVE)


def make_baseline(
    findings: Sequence[ScanFinding], before: Baseline, scope: str, watchlist: Watchlist, *, is_complete: bool
) -> Baseline:
    """``before`` with the findings that may be silenced in place of its part for this kind of scan.

    What it had stays as well where not all could be read. The findings' names were masked.
    """
    remembered = _remembered(watchlist)
    entries = {
        one.id: {"id": one.id, "tail": one.record.tail, "file": one.record.file, "place": one.record.place}
        for one in findings
        if can_be_silenced(one, remembered, is_strict=watchlist.strict)
    }
    kept = {} if is_complete else dict(before.part(scope))
    return before._replace(**{scope: kept | entries})


def count_accepted(findings: Sequence[ScanFinding], baseline: Baseline, scope: str, watchlist: Watchlist) -> Accepted:
    """Of the keys that were in use here, how many places a new baseline has."""
    remembered, counts = _remembered(watchlist), dict[str, int]()
    for finding in findings:
        if finding.id in baseline.part(scope) and finding.record.fingerprint in remembered:
            counts[finding.key_id] = max(counts.get(finding.key_id, 0), finding.number)
    return counts


def write_baseline(path: str, baseline: Baseline) -> None:
    """Write it, in an order that makes small differences. Raises OSError."""
    document = {
        "version": VERSION,
        "about": "Old findings of mistral-nb scan --baseline. No key can be derived from it.",
        **{
            scope: sorted(baseline.part(scope).values(), key=lambda entry: (str(entry.get("file")), entry["id"]))
            for scope in (FILES, HISTORY)
        },
    }
    text = json.dumps(document, indent=1)  # ASCII: a file's name may be half of a surrogate pair
    write_atomically(os.path.realpath(path), f"{text}\n".encode(), READABLE_FILE)


def key_of(finding_id: str) -> str:
    """The key that a finding's id names."""
    return finding_id.partition(":")[0]


def _remembered(watchlist: Watchlist) -> dict[str, RememberedKey]:
    return {entry.fingerprint: entry for entry in watchlist.remembered}


def _parse_entries(entries: Any) -> dict[str, Entry]:
    if not isinstance(entries, list) or not all(_ID.fullmatch(entry["id"]) for entry in entries):
        raise ValueError("entries")
    return {entry["id"]: entry for entry in entries}
