"""`export-fingerprints`: the fingerprints of keys that are out of use, in a file for everyone's `scan`.

A fingerprint can't be reversed where the key is 32 random characters, so no other key's is exported.
"""

import os

from mistral_nb.actions.context import Context
from mistral_nb.errors import MistralNbError
from mistral_nb.files import write_atomically
from mistral_nb.report import Action, Report
from mistral_nb.store.index import COMPROMISED, RETIRED, Seen
from mistral_nb.watch import REVOKED_FILE, revoked_file

_EVERYONE = 0o644  # it is to be committed, and names no key
_HEAD = """\
# Fingerprints of Mistral API keys that are retired or compromised: `mistral-nb scan` reports those keys.
# No key can be made from one. Written by `mistral-nb export-fingerprints`; meant to be committed.
"""


def action(context: Context, path: str | None = None) -> Action:
    yield from ()
    file = _file(context, path)
    noted = [seen for seen in context.contents().seen.values() if seen.state in (RETIRED, COMPROMISED)]
    fit = [seen for seen in noted if seen.standard]
    before = _read(file)
    there = {line.partition("#")[0].strip().lower() for line in before.splitlines()}
    new = [seen for seen in fit if seen.fingerprint not in there]
    if new or not before:
        start = before if before else _HEAD
        start += "" if start.endswith("\n") else "\n"
        _write(file, start + "".join(map(_line, new)))
    known = len(fit) - len(new)
    notes = [f"{known} {'was' if known == 1 else 'were'} in it already."] if known else []
    if len(fit) < len(noted):
        odd = len(noted) - len(fit)
        notes.append(f"{odd} of another shape than Mistral's keys stayed here: theirs might be guessed back.")
    notes.append(f"Commit it: git add {os.path.basename(file)}. mistral-nb scan then reports these keys for everyone.")
    data = {"file": file, "added": len(new), "exported": len(fit), "left_out": len(noted) - len(fit)}
    what = f"{len(new)} fingerprint{'s' * (len(new) != 1)}"
    return Report(f"{what} added to {file}.", notes=tuple(notes), data=data)


def _line(seen: Seen) -> str:
    """One key. Neither its tail nor its workspace: the file goes to everybody."""
    return f"{seen.fingerprint}  # {seen.state}, first seen {seen.since[:10]}\n"


def _file(context: Context, path: str | None) -> str:
    start = os.path.abspath(context.folder or os.getcwd())
    if path:
        given = os.path.join(start, path)
        return os.path.join(given, REVOKED_FILE) if os.path.isdir(given) else given
    return os.path.join(_repository(start), REVOKED_FILE)


def _repository(start: str) -> str:
    """The nearest folder with a ``.git`` in it; without one, ``start``."""
    place = start
    while not os.path.exists(os.path.join(place, ".git")):
        place, child = os.path.dirname(place), place
        if place == child:
            return start
    return place


def _read(file: str) -> str:
    try:
        return revoked_file(file).decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    except OSError as error:
        why = error.strerror or type(error).__name__
    raise MistralNbError(f"{file} could not be read: {why}.", "Mend it or name another file.")


def _write(file: str, text: str) -> None:
    try:
        write_atomically(os.path.realpath(file), text.encode(), _EVERYONE)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise MistralNbError(f"{file} could not be written: {why}.", "Name another file.") from None
