"""How a key gets out of a tracked file: by kind of file, as commands that can be run as they stand."""

import os
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence

from mistral_nb.file_scrub.file_types import ENV, SETTINGS, detect_type, rewritable_tiers
from mistral_nb.key_records import KeyRecord

FILTER, SCRUB, UNTRACK, EDIT = "filter", "scrub", "untrack", "edit"  # from the easiest
_MAX_PATHS = 8  # files named


def group_by_remedy(
    found: Mapping[str, Sequence[KeyRecord]], top: str, covered: Collection[str] = ()
) -> dict[str, dict[str, Sequence[KeyRecord]]]:
    """The files of a repository at ``top`` with their keys, by what takes these out. ``covered``: the filter's."""
    groups: dict[str, dict[str, Sequence[KeyRecord]]] = {}
    for path, records in found.items():
        remedy = FILTER if path in covered else _choose_remedy(os.path.join(top, path), records)
        groups.setdefault(remedy, {})[path] = records
    return {remedy: groups[remedy] for remedy in (FILTER, SCRUB, UNTRACK, EDIT) if remedy in groups}


def format_remedy(remedy: str, paths: Iterable[str], top: str, folder: str | None = None) -> str:
    """What to type in ``folder`` (default: at the top), for files named from the top."""
    if remedy == FILTER:
        return "mistral-nb protect --renormalize"
    start = os.path.realpath(folder or top)
    given = [os.path.relpath(os.path.join(os.path.realpath(top), path), start) for path in paths]
    files = shlex.join(given[:_MAX_PATHS])
    more = f" (and {len(given) - _MAX_PATHS} more)" if len(given) > _MAX_PATHS else ""
    if remedy == SCRUB:
        return f"mistral-nb scrub -- {files} && git add -- {files}{more}"
    if remedy == UNTRACK:
        return f"git rm --cached -- {files}{more}, and add to .gitignore"
    return f"Remove it by hand, then: git add -- {files}{more}"


def _choose_remedy(path: str, records: Iterable[KeyRecord]) -> str:
    kind = detect_type(path, b"")
    if kind in (ENV, SETTINGS):
        return UNTRACK
    removed = rewritable_tiers(kind, is_explicit=True, is_named=True)
    return SCRUB if {record.tier for record in records} <= removed else EDIT
