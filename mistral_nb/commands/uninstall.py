"""`uninstall`: everything that mistral_nb put on this machine, listed, then removed; the package itself is pip's."""

import os
import shutil
from typing import NamedTuple

from mistral_nb import exit_codes
from mistral_nb.api.console_pages import OWN_KEYS_URL
from mistral_nb.command_context import Context
from mistral_nb.commands.unprotect import unprotect_everywhere
from mistral_nb.errors import Cancelled, IndexUnreadable, MistralNbError, reason
from mistral_nb.file_io import TEMP_PREFIX
from mistral_nb.keys import startup_files, stored_items
from mistral_nb.keys.startup_files import StartupFile
from mistral_nb.keys.stored_items import StoredItem
from mistral_nb.prompts.confirm import confirm, no_confirmation
from mistral_nb.report import Action, Report, Row, Step
from mistral_nb.storage import index, vault, workspace_lock
from mistral_nb.storage.store_protocol import FILE


class InstalledParts(NamedTuple):
    """What is there. ``problems``: lists that can't be read. ``home``: "" where the data folder is to stay."""

    repositories: list[str]
    startup: list[StartupFile]
    keys: list[StoredItem]
    home: str
    problems: tuple[MistralNbError, ...] = ()

    @property
    def rows(self) -> list[Row]:
        return [
            *(Row("protected", place) for place in self.repositories),
            *(Row("autoload", file.path) for file in self.startup),
            *(Row("key", f"{item.row.label}, in {item.row.value}") for item in self.keys),
            *([Row("data folder", self.home)] if self.home else []),
        ]


def action(context: Context, keep_keys: bool = False, yes: bool = False) -> Action:
    parts = _find_parts(context, keep_keys=keep_keys)
    if not (parts.rows or parts.problems):
        return Report(f"Nothing to remove.{_PIP}")
    yield Step("This will be removed from this machine:")
    for row in parts.rows:
        yield Step(f"  {row.label}: {row.value}")
    for problem in parts.problems:
        yield Step(problem.failed)
    if not yes:
        question = f"Remove all of it?{_NO_WAY_BACK if parts.keys or parts.home else ''}"
        unattended = no_confirmation("Use --yes.")
        if not (yield from confirm("uninstall", question, unattended=unattended)):
            raise Cancelled("Nothing was removed.")
    rows = [Row("unknown", error.failed, "bad", error.todo) for error in parts.problems]
    rows += [*_unprotect(context, parts), *_remove_startup_files(parts)]
    in_stores = [item for item in parts.keys if item.store != FILE]  # the encrypted file goes as a whole
    rows += yield from stored_items.delete_items(context, in_stores)
    if parts.home:
        rows.append(_remove_data(parts.home, keys_left=any(row.state == "bad" for row in rows)))
    return _make_report(parts, rows)


_NO_WAY_BACK = " Mistral shows a key only once, so keys can't be recovered"
_PIP = " Next: pip uninstall mistral_nb"


def _find_parts(context: Context, *, keep_keys: bool) -> InstalledParts:
    from mistral_nb.git.protected_repos import ProtectedRepos

    home = context.config.home
    problems: list[MistralNbError] = []
    places: list[str] = []
    try:
        places = [place.folder or "all your repositories" for place in ProtectedRepos(home).read_all()]
    except MistralNbError as error:
        left = "Repositories may still be protected: after pip uninstall, git add fails there."
        problems.append(MistralNbError(f"{error.failed} {left}", f"{error.todo} Then run this again."))
    keys: list[StoredItem] = []
    try:
        keys = [] if keep_keys else stored_items.list_items(context)
    except IndexUnreadable as error:
        left = "Keys may be left in the keyring: items named mistral-nb:…."
        todo = "Delete them there, rename that file, and run this again."
        problems.append(MistralNbError(f"{error.failed} {left}", todo))
    is_there = not keep_keys and bool(_own_files(home))
    startup = startup_files.find_startup_files(context.environ)
    return InstalledParts(list(dict.fromkeys(places)), startup, keys, home if is_there else "", tuple(problems))


def _unprotect(context: Context, parts: InstalledParts) -> list[Row]:
    if not parts.repositories:
        return []
    return [row._replace(label=f"protected: {row.label}") for row in unprotect_everywhere(context).rows]


def _remove_startup_files(parts: InstalledParts) -> list[Row]:
    rows = []
    for file in parts.startup:
        try:
            startup_files.remove_startup_file(file)
            rows.append(Row("autoload", f"removed: {file.path}", "ok"))
        except MistralNbError as error:
            rows.append(Row("autoload", error.failed, "bad", error.todo))
    return rows


def _remove_data(home: str, *, keys_left: bool) -> Row:
    """Our own files in the data folder, and the folder if nothing else is in it."""
    if keys_left:
        return Row("data folder", f"{home} stays, since something above could not be removed", "bad", "Run this again.")
    try:
        for path in _own_files(home):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        others = os.listdir(home)
        if not others and not os.path.islink(home):
            os.rmdir(home)
    except OSError as error:
        return Row("data folder", f"{home} could not be removed: {reason(error)}", "bad", "Remove it by hand.")
    left = f"; the folder stays, with {', '.join(sorted(others)[:3])}" if others else ""
    return Row("data folder", f"removed: {home}{left}", "ok")


def _own_files(home: str) -> list[str]:
    """What we made in the data folder, which may be one of the person's own."""
    from mistral_nb.git import protected_repos

    ours = (
        index.FILE_NAME,
        vault.FILE_NAME,
        vault.PREVIOUS_NAME,
        protected_repos.FILE_NAME,
        workspace_lock.FOLDER_NAME,
    )
    names = {*ours, *(f"{name}.lock" for name in ours)}
    try:
        there = os.listdir(home)
    except OSError:
        return []
    return [os.path.join(home, name) for name in there if name in names or name.startswith(TEMP_PREFIX)]


def _make_report(parts: InstalledParts, rows: list[Row]) -> Report:
    failed = any(row.state == "bad" for row in rows)
    title = "Not everything could be removed." if failed else f"✓ Removed.{_PIP}"
    notes = []
    if parts.keys:
        notes.append(f"The keys still work at Mistral until you delete them there: {OWN_KEYS_URL}")
    if parts.repositories:
        notes.append("Where .gitattributes changed, commit the change.")
    return Report(title, tuple(rows), tuple(notes), exit_codes.INCOMPLETE if failed else exit_codes.OK)
