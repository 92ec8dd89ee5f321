"""Builds the `Watchlist` from the index, the environment, ``.mistral-nb-revoked`` files and the keep list."""

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from mistral_nb.api_key import Key, Secret, key_or_none
from mistral_nb.bounded_read import MAX_SECRET, MAX_SETTINGS, read_file
from mistral_nb.config import (
    KEY_FILE_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    Environ,
    data_folder,
    find_project,
    initial_environment,
    keys_in,
)
from mistral_nb.errors import IndexUnreadable, reason
from mistral_nb.file_cache import ParsedFileCache, remember_last
from mistral_nb.paths import NO_FOLDER, NO_HOME_TEXT, parents
from mistral_nb.printable import one_line
from mistral_nb.redaction import strict_mode
from mistral_nb.redaction.keep_list import read_keep_list
from mistral_nb.storage.index import Index, RememberedKey
from mistral_nb.storage.index_edits import stored_fingerprints
from mistral_nb.storage.vault_passphrase import is_guarded, read_regular_file

_KERNEL_VARIABLE = "JPY_PARENT_PID"  # Jupyter sets it for kernels, whose children inherit it; VS Code does not
_SET_BY_IPYKERNEL = (("PAGER", "cat"), ("GIT_PAGER", "cat"), ("CLICOLOR_FORCE", "1"))
REVOKED_FILE = ".mistral-nb-revoked"
_keep_list = remember_last(read_keep_list)
_FINGERPRINT = re.compile(r"[0-9a-fA-F]{32}")
_LARGEST_REVOKED = 4 << 20  # bytes: it comes with a repository, and could be crafted to exhaust memory


class Watchlist(NamedTuple):
    """What redaction looks for. ``strict``: the index can't be read, so everything key-shaped is removed."""

    known: tuple[Secret, ...] = ()  # keys, and a passphrase, whose characters are known
    remembered: tuple[RememberedKey, ...] = ()  # from the index: fingerprint, length, tail
    reported: frozenset[str] = frozenset()  # fingerprints that came with a repository: never rewritten
    keep: frozenset[str] = frozenset()  # fingerprints in [tool.mistral-nb] keep
    strict: bool = False
    problems: tuple[str, ...] = ()  # sentences to warn with
    stored: frozenset[str] = frozenset()  # fingerprints of the keys that a store here keeps, in use or not
    set_aside: frozenset[str] = frozenset()  # fingerprints of the keys that are set aside
    kernel_only: frozenset[str] = frozenset()  # fingerprints of known keys that may end with the kernel that has them


def build_watchlist(
    folder: str | None = None,
    *,
    environ: Environ | None = None,
    with_environment: bool = True,
    extra: Iterable[Secret] = (),
) -> Watchlist:
    """The watchlist for a file in ``folder`` (default: the working directory).

    ``with_environment=False`` is for git's filter, which must produce the same result in every
    terminal. ``extra`` has further known keys. Opens no store and no network; never raises for
    a damaged index, but goes on in strict mode.
    """
    env = os.environ if environ is None else environ
    remembered, stored, set_aside, problems = _read_index(env)
    homeless = [NO_HOME_TEXT] if data_folder(env) == NO_FOLDER else []
    reported, unread = _read_reported(folder)
    project = find_project(folder)
    known = tuple({*extra, *(secrets_in(env) if with_environment else ())})
    return Watchlist(
        known=known,
        remembered=remembered,
        reported=reported,
        keep=_keep_list(project.table),
        strict=bool(problems),
        problems=tuple(map(one_line, (*problems, *homeless, *unread, *([project.problem] if project.problem else ())))),
        stored=stored,
        set_aside=set_aside,
        kernel_only=_find_kernel_keys(known, env),
    )


def secrets_in(environ: Environ) -> tuple[Secret, ...]:
    """The keys and the passphrase that an environment's variables hold, or name a file of.

    Only regular files are read: what comes through a pipe can be read once, by whoever needs it.
    """
    in_file = _key_in_file(environ)
    return (*keys_in(environ).values(), *([in_file] if in_file else []), *_passphrases_in(environ))


def is_in_kernel(environ: Environ) -> bool:
    """Whether this process is a kernel, or was started by one: by ``!`` in a cell."""
    return _KERNEL_VARIABLE in environ or all(environ.get(name) == value for name, value in _SET_BY_IPYKERNEL)


def _find_kernel_keys(known: Iterable[Secret], environ: Environ) -> frozenset[str]:
    """Of a kernel and its children: a cell may have set the variable, and the cell be what is cleaned.

    Not those that the server was started with.
    """
    if not is_in_kernel(environ):
        return frozenset()
    in_file = _key_in_file(environ)
    own = {secret.fingerprint for secret in known if isinstance(secret, Key) and secret != in_file}
    return frozenset(own - _keys_of_process(environ.get(_KERNEL_VARIABLE, "")) if own else ())


@lru_cache
def _keys_of_process(number: str) -> frozenset[str]:
    """The fingerprints of the keys that a process was started with; none where that can't be read."""
    try:
        keys = keys_in(initial_environment(int(number), MAX_SETTINGS))
    except (OSError, ValueError):
        return frozenset()
    return frozenset(key.fingerprint for key in keys.values())


def _key_in_file(environ: Environ) -> Key | None:
    file = environ.get(KEY_FILE_VARIABLE)
    return _key_files.get(file) if file else None


def _read_key_file(path: str) -> Key | None:
    try:
        return key_or_none(read_file(path, MAX_SECRET).decode())
    except (OSError, ValueError):  # reported where the key is needed
        return None


_key_files = ParsedFileCache(_read_key_file)


def _passphrases_in(environ: Environ) -> Iterator[Secret]:
    file = environ.get(PASSPHRASE_FILE_VARIABLE)
    for passphrase in (Secret(environ.get(PASSPHRASE_VARIABLE, "")), _passphrase_files.get(file) if file else None):
        if passphrase and is_guarded(passphrase):
            yield passphrase


_passphrase_files = ParsedFileCache(read_regular_file)


_IndexFacts = tuple[tuple[RememberedKey, ...], frozenset[str], frozenset[str]]


def _read_index(environ: Environ) -> tuple[*_IndexFacts, tuple[str, ...]]:
    """The remembered keys, the fingerprints of stored and of set-aside ones, and what is wrong with the index."""
    try:
        return *_parsed_index.get(Index(data_folder(environ)).path), ()
    except IndexUnreadable as error:
        return (), frozenset(), frozenset(), (f"{error} {strict_mode.WARNING}",)


def _parse_index(path: str) -> _IndexFacts:
    contents = Index(os.path.dirname(path)).read()
    set_aside = frozenset(entry.fingerprint for entry in contents.set_aside)
    return tuple(contents.remembered.values()), stored_fingerprints(contents), set_aside


_parsed_index = ParsedFileCache(_parse_index)


def read_revoked_file(file: str) -> bytes:
    """The content of a ``.mistral-nb-revoked``. Raises OSError with the reason if it can't be one.

    It comes with a repository: a pipe would block, a device could be read forever.
    """
    data = read_file(file, _LARGEST_REVOKED)
    if b"\0" in data:
        raise OSError(0, "it is not UTF-8 text")
    return data


def _read_reported(folder: str | None) -> tuple[frozenset[str], list[str]]:
    """The fingerprints in the ``.mistral-nb-revoked`` files in ``folder`` and above it, and what could not be read."""
    found: list[frozenset[str]] = []
    problems: list[str] = []
    for place in parents(folder):
        file = os.path.join(place, REVOKED_FILE)
        try:
            found.append(_revoked_fingerprints.get(file))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            problems.append(
                f"{file} was not read: {reason(error)}. Its fingerprints are not searched for; fix or remove the file."
            )
    return _union(tuple(found)), problems


def _parse_revoked_file(file: str) -> frozenset[str]:
    text = read_revoked_file(file).decode(errors="replace")
    return frozenset(fingerprint.lower() for fingerprint in _FINGERPRINT.findall(text))


_revoked_fingerprints = ParsedFileCache(_parse_revoked_file)


@lru_cache(maxsize=64)
def _union(sets: tuple[frozenset[str], ...]) -> frozenset[str]:
    """One object for the same sets: thousands of folders share it."""
    return frozenset().union(*sets)
