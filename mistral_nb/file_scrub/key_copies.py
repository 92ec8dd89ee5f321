"""Before a key is taken out of a file: whether that may be its only copy, and a copy of it where it may be."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from mistral_nb.api_key import Key
from mistral_nb.config import Environ, load, sets_aside
from mistral_nb.errors import MistralNbError, NotSetAside
from mistral_nb.key_records import SET_ASIDE, KeyRecord, find_endangered, mark_kept
from mistral_nb.redaction.findings import REMEMBERED
from mistral_nb.redaction.redact import redact
from mistral_nb.storage.index import LIVE, RememberedKey
from mistral_nb.watchlist import Watchlist

if TYPE_CHECKING:  # imported when there is a key to set aside
    from mistral_nb.storage.set_aside import RemovalPlace, SetAside

CopyKeeper = Callable[[Key, "RemovalPlace"], str]  # returns what `KeyRecord.kept` says then; raises `NotSetAside`


def open_keeper(environ: Environ) -> CopyKeeper | None:
    """Sets keys aside; None where nothing is to be set aside: turned off, or in CI. Opens nothing yet."""
    return make_keeper(environ) if sets_aside(environ) else None


def make_keeper(environ: Environ) -> CopyKeeper:
    """Sets keys aside. Opens nothing yet."""
    opened: list[SetAside] = []

    def keep(key: Key, place: "RemovalPlace") -> str:
        if not opened:
            from mistral_nb.storage.set_aside import open_set_aside

            try:
                opened.append(open_set_aside(load(environ)))
            except MistralNbError as error:  # a setting outside its choices
                raise NotSetAside(error.failed, error.todo) from None
        opened[0].put(key, place)
        return SET_ASIDE

    return keep


def keep_copies(
    records: Iterable[KeyRecord], keys: Mapping[str, Key], watchlist: Watchlist, keep: CopyKeeper, path: str = ""
) -> tuple[KeyRecord, ...]:
    """The records of a removal that is about to be made, once there is a copy of each key that may have no other.

    ``path``: where the file is on disk, if it is. Raises `NotSetAside`.
    """
    given = tuple(records)
    endangered = find_endangered(given, keys, watchlist)
    if not endangered:
        return given
    from mistral_nb.storage.set_aside import RemovalPlace

    new = {name: key for name, key in endangered.items() if name not in watchlist.set_aside}
    committed = _find_committed(path, new) if path and new else frozenset()
    first = {record.fingerprint: record for record in reversed(given)}
    kept = {
        name: keep(key, RemovalPlace(first[name].file, first[name].cell, first[name].place))
        for name, key in endangered.items()
        if name not in committed
    }
    return mark_kept(given, kept)


def _find_committed(path: str, keys: Mapping[str, Key]) -> frozenset[str]:
    """The fingerprints of those keys that the file holds in git's last commit, from where they can be had again."""
    from subprocess import SubprocessError

    from mistral_nb.git.run_git import Git, GitFailed

    folder, name = os.path.split(os.path.realpath(path))
    try:
        done = Git.at_path(folder).run("cat-file", "blob", f"HEAD:./{name}", seconds=10)
    except (GitFailed, OSError, SubprocessError):
        return frozenset()
    if done.returncode:  # no repository, no commit, or not in it
        return frozenset()
    asked = tuple(RememberedKey(name, key.length, key.tail, LIVE, "") for name, key in keys.items())
    found = redact(done.stdout, Watchlist(remembered=asked), tiers=frozenset({REMEMBERED}), name=path).findings
    return frozenset(finding.fingerprint for finding in found)
