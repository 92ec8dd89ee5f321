"""Where a leaked key is written, as far as this machine can see; and the command that cleans each place."""

import os
import shlex
import time
from collections.abc import Iterator
from typing import NamedTuple

from mistral_nb import scrub
from mistral_nb.actions import walk
from mistral_nb.actions.context import Context
from mistral_nb.key import Key
from mistral_nb.report import Row
from mistral_nb.store.index import COMPROMISED, seen
from mistral_nb.watch import Watchlist

_LARGEST = 50_000_000  # bytes
_SECONDS = 20.0
_CHECKPOINTS = ".ipynb_checkpoints"
_BY_HAND = (".env",)
_HISTORY = "history.sqlite"


class Found(NamedTuple):
    """Files with the key, by kind of place; ``unread``: what could not be read, or is too large.

    ``complete`` is False where time ran out.
    """

    here: list[str]
    checkpoints: list[str]
    by_hand: list[str]
    unread: list[str]
    complete: bool


def rows(context: Context, key: Key) -> Iterator[Row]:
    """A row a place: this folder, its checkpoints, IPython's history, the repository and its history."""
    folder = os.path.abspath(context.folder or os.getcwd())
    top = _repository(context, folder)
    found = search(top or folder, key)
    inside = [file for file in found.here if _is_under(file, folder)]
    beyond = [file for file in found.here if not _is_under(file, folder)]
    yield _files("this folder", inside, folder, context.typed_in_shell(f"scrub {_quoted(inside, folder)}"))
    yield _files("checkpoints", found.checkpoints, folder, f"rm {_quoted(found.checkpoints, folder)}")
    if found.by_hand:
        yield _files("settings", found.by_hand, folder, "Take the line out by hand: it may be the only copy.")
    yield _history(context, key)
    if top:
        fix = f"{context.typed_in_shell(f'scrub {_quoted(beyond, folder)}')}, then commit"
        yield _files("the rest of the repository", beyond, folder, fix)
        command = context.typed_in_shell("scan --git-history")
        yield Row("git history", "not looked into here", "warn", f"{command} (in {top})")
    if found.unread:
        look = context.typed_in_shell(f"scan {_quoted(found.unread, folder)}")
        yield Row("not looked into", _named(found.unread, folder), "warn", look)
    if not found.complete:
        yield Row("incomplete", f"not all files were read within {_SECONDS:g} s", "warn", "Run it in a smaller folder.")


def search(folder: str, key: Key, seconds: float = _SECONDS) -> Found:
    """The files under ``folder`` that hold ``key``, plainly or in any form that `scrub` knows."""
    watchlist = Watchlist(known=(key,), remembered=(seen(key, COMPROMISED),))
    found, deadline = Found([], [], [], [], True), time.monotonic() + seconds
    for file in walk.all_files_in(folder):
        if time.monotonic() > deadline:
            return found._replace(complete=False)
        if os.path.basename(file).startswith(_HISTORY):  # has a row of its own
            continue
        held = _holds(file, key, watchlist)
        if held is None:
            found.unread.append(file)
        elif not held:
            continue
        elif _CHECKPOINTS in file.split(os.sep):
            found.checkpoints.append(file)
        elif os.path.basename(file).startswith(_BY_HAND):
            found.by_hand.append(file)
        else:
            found.here.append(file)
    return found


def clean_histories(context: Context, key: Key) -> int:
    """Take the key out of IPython's history: this kernel's, and every profile's. How many places changed."""
    from mistral_nb.kernel import history, history_files
    from mistral_nb.kernel.ask import running_shell

    shell = running_shell()
    changed = history.take_out(shell, key) if shell is not None else 0
    return changed + sum(history.take_out_of_file(file, key) for file in history_files.files(context.environ))


def _files(label: str, files: list[str], folder: str, fix: str) -> Row:
    if not files:
        return Row(label, "not found", "ok")
    return Row(label, _named(files, folder), "bad", fix)


def _named(files: list[str], folder: str) -> str:
    names = ", ".join(os.path.relpath(file, folder) for file in files[:3])
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"{len(files)} file{'s' * (len(files) != 1)}: {names}{more}"


def _history(context: Context, key: Key) -> Row:
    from mistral_nb.kernel import history, history_files

    held = [file for file in history_files.files(context.environ) if history.file_holds(file, key)]
    if not held:
        return Row("IPython history", "not found", "ok")
    fix = context.typed("revoke --clean-history")
    return Row("IPython history", ", ".join(held), "bad", fix)


def _holds(file: str, key: Key, watchlist: Watchlist) -> bool | None:
    """None where the file was not looked into."""
    try:
        if os.path.getsize(file) > _LARGEST:
            return None
        with open(file, "rb") as stream:
            data = stream.read()
    except FileNotFoundError:  # gone meanwhile
        return False
    except OSError:
        return None
    if key.reveal().encode() in data:
        return True
    findings = scrub.redact(data, watchlist, name=file).findings
    return any(finding.fingerprint == key.fingerprint for finding in findings)


def _repository(context: Context, folder: str) -> str | None:
    """The top of the git repository around ``folder``."""
    from mistral_nb.git.plumbing import Git, GitFailed

    try:
        return Git(folder, context.environ).top()
    except GitFailed:
        return None


def _is_under(file: str, folder: str) -> bool:
    return os.path.realpath(file).startswith(os.path.join(os.path.realpath(folder), ""))


def _quoted(files: list[str], folder: str) -> str:
    return " ".join(shlex.quote(os.path.relpath(file, folder)) for file in files[:5]) + (" …" if len(files) > 5 else "")
