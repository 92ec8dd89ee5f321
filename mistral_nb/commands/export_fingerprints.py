"""`export-fingerprints`: writes the fingerprints of retired and compromised keys for everyone's `scan`.

A fingerprint can't be reversed where the key is 32 random characters, so no other key's is exported.
"""

import os

from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, reason
from mistral_nb.file_io import READABLE_FILE, write_atomically
from mistral_nb.paths import parents
from mistral_nb.report import Action, Report
from mistral_nb.storage.index import COMPROMISED, RETIRED, RememberedKey
from mistral_nb.watchlist import REVOKED_FILE, read_revoked_file
from mistral_nb.wording import plural

_HEAD = """\
# Fingerprints of Mistral API keys that are retired or compromised: `mistral-nb scan` reports those keys.
# Keys can't be recovered from fingerprints. Written by `mistral-nb export-fingerprints`; commit it.
"""


def action(context: Context, path: str | None = None) -> Action:
    yield from ()
    file = _target_file(context, path)
    noted = [seen for seen in context.read_index().remembered.values() if seen.state in (RETIRED, COMPROMISED)]
    fit = [seen for seen in noted if seen.standard]
    before = _read(file)
    there = {line.partition("#")[0].strip().lower() for line in before.splitlines()}
    new = [seen for seen in fit if seen.fingerprint not in there]
    if new:
        start = before if before else _HEAD
        start += "" if start.endswith("\n") else "\n"
        _write(file, start + "".join(map(_format_line, new)))
    known = len(fit) - len(new)
    notes = [f"{known} {'was' if known == 1 else 'were'} in it already."] if known else []
    if len(fit) < len(noted):
        odd = len(noted) - len(fit)
        notes.append(f"{odd} not exported: not shaped like Mistral keys, so the fingerprints could be reversed.")
    if new or before:
        notes.append(
            f"Commit it: git add {os.path.basename(file)}. mistral-nb scan then reports these keys for everyone."
        )
    data = {"file": file, "added": len(new), "exported": len(fit), "left_out": len(noted) - len(fit)}
    title = f"{plural(len(new), 'fingerprint')} added to {file}."
    if not (new or before):
        title = "Nothing to export: no key is retired or compromised." if not noted else "Nothing to export."
    return Report(title, notes=tuple(notes), data=data)


def _format_line(seen: RememberedKey) -> str:
    """One key, without tail or workspace: the file is shared."""
    return f"{seen.fingerprint}  # {seen.state}, first seen {seen.since[:10]}\n"


def _target_file(context: Context, path: str | None) -> str:
    start = os.path.abspath(context.folder or os.getcwd())
    if path:
        given = os.path.join(start, path)
        return os.path.join(given, REVOKED_FILE) if os.path.isdir(given) else given
    return os.path.join(_find_repository(start), REVOKED_FILE)


def _find_repository(start: str) -> str:
    """The nearest folder with a ``.git`` in it; without one, ``start``."""
    return next((place for place in parents(start) if os.path.exists(os.path.join(place, ".git"))), start)


def _read(file: str) -> str:
    try:
        return read_revoked_file(file).decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    except OSError as error:
        why = reason(error)
    raise MistralNbError(f"{file} could not be read: {why}.", "Fix it or choose another file.")


def _write(file: str, text: str) -> None:
    try:
        write_atomically(os.path.realpath(file), text.encode(), READABLE_FILE)
    except OSError as error:
        raise MistralNbError(f"{file} could not be written: {reason(error)}.", "Choose another file.") from None
