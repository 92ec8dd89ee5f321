"""Gathers what to look for: index, environment, ``.mistral-nb-revoked`` files, keep list → a `Watchlist`."""

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from mistral_nb.config import KEY_VARIABLES, PASSPHRASE_VARIABLE, Environ, find_project, home
from mistral_nb.errors import IndexUnreadable
from mistral_nb.key import SHORTEST, Secret, key_or_none
from mistral_nb.store.index import Index, Seen

REVOKED_FILE = ".mistral-nb-revoked"
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


class Watchlist(NamedTuple):
    """What redaction looks for. ``strict``: the index can't be read, so every key-shaped run goes."""

    known: tuple[Secret, ...] = ()  # keys, and a passphrase, whose characters are at hand
    remembered: tuple[Seen, ...] = ()  # from the index: fingerprint, length, tail
    reported: frozenset[str] = frozenset()  # fingerprints that came with a repository: never rewritten
    keep: frozenset[str] = frozenset()  # fingerprints in [tool.mistral-nb] keep
    strict: bool = False
    problems: tuple[str, ...] = ()  # sentences to warn with


def gather(
    folder: str | None = None,
    *,
    environ: Environ | None = None,
    with_environment: bool = True,
    extra: Iterable[Secret] = (),
) -> Watchlist:
    """The watchlist for a file in ``folder`` (default: the working directory).

    ``with_environment=False`` is for git's filter, which must make the same of a file in every
    terminal. ``extra`` holds further keys at hand. Opens no store and no network; never raises for
    a damaged index, but goes on in strict mode.
    """
    env = os.environ if environ is None else environ
    remembered, problems = _remembered(env)
    project = find_project(folder)
    keep = project.table.get("keep", ())
    return Watchlist(
        known=tuple({*extra, *(secrets_in(env) if with_environment else ())}),
        remembered=remembered,
        reported=_reported(folder),
        keep=frozenset(str(entry) for entry in keep) if isinstance(keep, list) else frozenset(),
        strict=bool(problems),
        problems=(*problems, *([project.problem] if project.problem else ())),
    )


def secrets_in(environ: Environ) -> tuple[Secret, ...]:
    """The keys in an environment's variables, and the vault's passphrase where it is long enough."""
    keys = (key_or_none(environ.get(name)) for name in KEY_VARIABLES)
    passphrase = environ.get(PASSPHRASE_VARIABLE, "")
    found: list[Secret] = [key for key in keys if key]
    if len(passphrase) >= SHORTEST:
        found.append(Secret(passphrase))
    return tuple(found)


def _remembered(environ: Environ) -> tuple[tuple[Seen, ...], tuple[str, ...]]:
    try:
        return tuple(Index(home(environ)).read().seen.values()), ()
    except IndexUnreadable as error:
        return (), (f"{error} Until then every key-shaped run is redacted.",)


def _reported(folder: str | None) -> frozenset[str]:
    """The fingerprints in the ``.mistral-nb-revoked`` files in ``folder`` and above it."""
    found: set[str] = set()
    try:
        place = os.path.abspath(folder or os.getcwd())
    except OSError:  # the working directory was deleted
        return frozenset()
    while True:
        try:
            with open(os.path.join(place, REVOKED_FILE), encoding="utf-8", errors="replace") as file:
                found.update(_FINGERPRINT.findall(file.read()))
        except OSError:
            pass
        place, child = os.path.dirname(place), place
        if place == child:
            return frozenset(found)
