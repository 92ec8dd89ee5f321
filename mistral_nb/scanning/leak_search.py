"""Where a leaked key is found on this machine, and the command that cleans each place."""

import os
import shlex
import time
from collections.abc import Iterator
from typing import NamedTuple

from mistral_nb.api_key import Key
from mistral_nb.bounded_read import read_file
from mistral_nb.command_context import Context
from mistral_nb.redaction import redact
from mistral_nb.report import Row
from mistral_nb.scanning import file_discovery
from mistral_nb.storage.index import COMPROMISED, make_remembered
from mistral_nb.watchlist import Watchlist
from mistral_nb.wording import name_first, plural

_MAX_BYTES = 50_000_000  # bytes
_SEARCH_SECONDS = 20.0
_CHECKPOINTS = ".ipynb_checkpoints"
_MANUAL_FILES = (".env",)
_HISTORY = "history.sqlite"


class LeakLocations(NamedTuple):
    """Files with the key, by kind of place; ``unreadable``: also too large ones, and folders that were not entered.

    ``complete`` is False where time ran out.
    """

    files: list[str]
    checkpoints: list[str]
    manual_files: list[str]
    unreadable: list[str]
    complete: bool


def leak_rows(context: Context, key: Key) -> Iterator[Row]:
    """One row per place: this folder, its checkpoints, IPython's history, the repository and its history."""
    folder = os.path.abspath(context.folder or os.getcwd())
    top = _repository_root(context, folder)
    found = search_folder(top or folder, key)
    inside = [file for file in found.files if _is_under(file, folder)]
    beyond = [file for file in found.files if not _is_under(file, folder)]
    yield _files_row(
        "this folder", inside, folder, context.format_shell_command(f"scrub {_quote_paths(inside, folder)}")
    )
    yield _files_row("checkpoints", found.checkpoints, folder, f"rm {_quote_paths(found.checkpoints, folder)}")
    if found.manual_files:
        yield _files_row("settings", found.manual_files, folder, "Remove the line yourself; it may be the only copy.")
    yield _history_row(context, key)
    if top:
        fix = f"{context.format_shell_command(f'scrub {_quote_paths(beyond, folder)}')}, then commit"
        yield _files_row("the rest of the repository", beyond, folder, fix)
        command = context.format_shell_command("scan --git-history")
        yield Row("git history", "not searched", "warn", f"{command} (in {top})")
    if found.unreadable:
        look = context.format_shell_command(f"scan {_quote_paths(found.unreadable, folder)}")
        yield Row("not searched", _format_names(found.unreadable, folder, "path"), "warn", look)
    if not found.complete:
        yield Row(
            "incomplete", f"not all files were read within {_SEARCH_SECONDS:g} s", "warn", "Run it in a smaller folder."
        )


def search_folder(folder: str, key: Key, seconds: float = _SEARCH_SECONDS) -> LeakLocations:
    """The files under ``folder`` that hold ``key``, plainly or in any form that `scrub` knows."""
    watchlist = Watchlist(known=(key,), remembered=(make_remembered(key, COMPROMISED),))
    found, deadline = LeakLocations([], [], [], [], True), time.monotonic() + seconds

    def add_passed_over(path: str, why: str) -> None:
        if why == file_discovery.OTHER_DISK:  # a mounted folder is a place for notebooks, unlike the others
            found.unreadable.append(path)

    def add_unread(path: str, _why: str) -> None:
        found.unreadable.append(path)

    for file in file_discovery.find_files(folder, unread=add_unread, passed_over=add_passed_over):
        if time.monotonic() > deadline:
            return found._replace(complete=False)
        if os.path.basename(file).startswith(_HISTORY):  # has a row of its own
            continue
        held = _contains_key(file, key, watchlist)
        if held is None:
            found.unreadable.append(file)
        elif not held:
            continue
        elif _CHECKPOINTS in file.split(os.sep):
            found.checkpoints.append(file)
        elif os.path.basename(file).startswith(_MANUAL_FILES):
            found.manual_files.append(file)
        else:
            found.files.append(file)
    return found


def clean_histories(context: Context, key: Key) -> int:
    """Remove the key from IPython's history: this kernel's and every profile's. Returns how many places changed."""
    from mistral_nb.guard import ipython_history, ipython_history_files
    from mistral_nb.prompts.ipython import running_shell

    shell = running_shell()
    changed = ipython_history.remove_from_history(shell, key) if shell is not None else 0
    return changed + sum(
        ipython_history.remove_from_file(file, key) for file in ipython_history_files.list_databases(context.environ)
    )


def _files_row(label: str, files: list[str], folder: str, fix: str) -> Row:
    if not files:
        return Row(label, "not found", "ok")
    return Row(label, _format_names(files, folder), "bad", fix)


def _format_names(files: list[str], folder: str, noun: str = "file") -> str:
    names = name_first([_relative(file, folder) for file in files], 3)
    return f"{plural(len(files), noun)}: {names}"


def _history_row(context: Context, key: Key) -> Row:
    from mistral_nb.guard import ipython_history, ipython_history_files

    held = [
        file for file in ipython_history_files.list_databases(context.environ) if ipython_history.is_in_file(file, key)
    ]
    if not held:
        return Row("IPython history", "not found", "ok")
    fix = context.format_command("revoke --clean-history")
    return Row("IPython history", ", ".join(held), "bad", fix)


def _contains_key(file: str, key: Key, watchlist: Watchlist) -> bool | None:
    """None if the file was not searched."""
    try:
        data = read_file(file, _MAX_BYTES)
    except FileNotFoundError:  # gone meanwhile
        return False
    except OSError:
        return None
    if key.reveal().encode() in data:
        return True
    findings = redact.redact(data, watchlist, name=file).findings
    return any(finding.fingerprint == key.fingerprint for finding in findings)


def _repository_root(context: Context, folder: str) -> str | None:
    """The top of the git repository around ``folder``."""
    from mistral_nb.git.run_git import Git, GitFailed

    try:
        return Git(folder, context.environ).top()
    except GitFailed:
        return None


def _is_under(file: str, folder: str) -> bool:
    return os.path.realpath(file).startswith(os.path.join(os.path.realpath(folder), ""))


def _relative(file: str, folder: str) -> str:
    try:
        return os.path.relpath(file, folder)
    except ValueError:  # Windows: on another drive
        return file


def _quote_paths(files: list[str], folder: str) -> str:
    quote = '"{}"'.format if os.name == "nt" else shlex.quote
    return " ".join(quote(_relative(file, folder)) for file in files[:5]) + (" …" if len(files) > 5 else "")
