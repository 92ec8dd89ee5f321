"""Gathers what to look for: index, environment, ``.mistral-nb-revoked`` files, keep list → a `Watchlist`."""

import os
import re
import stat
from collections.abc import Iterable
from typing import NamedTuple

from mistral_nb.config import KEY_VARIABLES, PASSPHRASE_VARIABLE, Environ, find_project, home
from mistral_nb.errors import IndexUnreadable
from mistral_nb.key import SHORTEST, Secret, key_or_none
from mistral_nb.store.index import Index, Seen

REVOKED_FILE = ".mistral-nb-revoked"
_FINGERPRINT = re.compile(r"[0-9a-fA-F]{32}")
_LARGEST_REVOKED = 4_000_000  # bytes: it comes with a repository, and may be made to fill the memory


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
    reported, unread = _reported(folder)
    project = find_project(folder)
    keep = project.table.get("keep", ())
    return Watchlist(
        known=tuple({*extra, *(secrets_in(env) if with_environment else ())}),
        remembered=remembered,
        reported=reported,
        keep=frozenset(str(entry) for entry in keep) if isinstance(keep, list) else frozenset(),
        strict=bool(problems),
        problems=(*problems, *unread, *([project.problem] if project.problem else ())),
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


def revoked_file(file: str) -> bytes:
    """What a ``.mistral-nb-revoked`` holds. Raises OSError, which says why, where it can't be one.

    It comes with a repository: a pipe would be waited for, a device read without end.
    """
    status = os.stat(file)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is no regular file")
    if status.st_size > _LARGEST_REVOKED:
        raise OSError(0, f"it is larger than {_LARGEST_REVOKED // 1_000_000} MB")
    with open(file, "rb") as stream:
        data = stream.read(_LARGEST_REVOKED)
    if b"\0" in data:
        raise OSError(0, "it is not UTF-8 text")
    return data


def _reported(folder: str | None) -> tuple[frozenset[str], list[str]]:
    """The fingerprints in the ``.mistral-nb-revoked`` files in ``folder`` and above it, and what could not be read."""
    found: set[str] = set()
    problems: list[str] = []
    try:
        place = os.path.abspath(folder or os.getcwd())
    except OSError:  # the working directory was deleted
        return frozenset(), problems
    while True:
        file = os.path.join(place, REVOKED_FILE)
        try:
            text = revoked_file(file).decode(errors="replace")
            found.update(fingerprint.lower() for fingerprint in _FINGERPRINT.findall(text))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            why = error.strerror or type(error).__name__
            problems.append(f"{file} was not read: {why}. The keys it names are not looked for; mend or remove it.")
        place, child = os.path.dirname(place), place
        if place == child:
            return frozenset(found), problems
