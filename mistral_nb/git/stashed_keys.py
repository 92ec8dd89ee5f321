"""Git commands that put git's version in a work file's place right after the filter ran: what they lose is set aside.

Imported when a file with a key comes. The stores need packages that the filter's interpreter does not load, so
another process writes them.
"""

import os
from collections.abc import Iterable, Mapping

from mistral_nb.api_key import Key
from mistral_nb.bounded_read import MAX_SETTINGS, read_file
from mistral_nb.git.calling_command import find_calling_command, merges_files
from mistral_nb.key_records import SET_ASIDE, KeyRecord, mark_kept
from mistral_nb.storage.aside_child import set_aside_in_child

STASH, SWITCH = "stash", "switch"
_UNDER_WAY = {  # commands that stop at a conflict, by the folder in which git notes what they have still to do
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "sequencer": "cherry-pick or revert",
}
UNDER_WAY = frozenset(_UNDER_WAY.values())
_FILE_SECONDS = 60.0  # for all keys of a file; the stores have limits of their own


def find_losing_command(environ: Mapping[str, str], top: str) -> str:
    """Which of these commands started the filter, in the working tree at ``top``: "" for none.

    `STASH`; `SWITCH`, with ``--merge``; one of `UNDER_WAY`, whose next commit may change the same file. (A rebase may
    also have begun with a stash that is applied again.)
    """
    if os.path.basename(environ.get("GIT_INDEX_FILE", "")).startswith("index.stash."):
        return STASH
    if merges_files(find_calling_command()):
        return SWITCH
    folder = environ.get("GIT_DIR") or _find_git_dir(top)
    return next((command for name, command in _UNDER_WAY.items() if os.path.isdir(os.path.join(folder, name))), "")


def set_aside(
    records: Iterable[KeyRecord], keys: Mapping[str, Key], home: str, environ: Mapping[str, str]
) -> tuple[KeyRecord, ...]:
    """The records, once those ``keys`` are set aside that they tell of. Raises `NotSetAside`."""
    given = tuple(records)
    first = {record.fingerprint: record for record in reversed(given) if record.fingerprint in keys}
    if first:
        places = [(keys[name], (record.file, record.cell, record.place)) for name, record in first.items()]
        set_aside_in_child(places, {**environ, "MISTRAL_NB_HOME": home}, _FILE_SECONDS)
    return mark_kept(given, dict.fromkeys(first, SET_ASIDE))


def _find_git_dir(top: str) -> str:
    """The folder of a working tree's state; of a linked one it is named in a file."""
    place = os.path.join(top, ".git")
    if not os.path.isfile(place):
        return place
    try:
        named = os.fsdecode(read_file(place, MAX_SETTINGS)).partition("gitdir:")[2].strip()
    except OSError:
        return place
    return os.path.join(top, named)
