"""What `doctor` checks about index and stores: a row for each finding, with its repair."""

import os
from collections.abc import Iterator, Mapping

from mistral_nb.config import Config
from mistral_nb.errors import IndexUnreadable, StoreError
from mistral_nb.files import open_to_others
from mistral_nb.report import Row
from mistral_nb.store.base import FILE, KEYRING, Store
from mistral_nb.store.index import Contents, Index
from mistral_nb.store.vault import Vault


def checks(config: Config, stores: Mapping[str, Store]) -> Iterator[Row]:
    """One row a check. Opens no dialog, asks nothing, runs no KDF; changes nothing."""
    contents, row = _index(Index(config.home))
    yield row
    used = {entry.store for entry in contents.workspaces.values()} if contents else set()
    if KEYRING in stores and (KEYRING in used or config.store in (KEYRING, "auto")):
        yield _keyring(stores[KEYRING], needed=KEYRING in used or config.store == KEYRING)
    vault = stores.get(FILE)
    if isinstance(vault, Vault):
        yield _vault(vault, needed=FILE in used or config.store == FILE)
    yield from _permissions(config)
    if contents and contents.unfinished:
        yield _leftovers(contents)


def _index(index: Index) -> tuple[Contents | None, Row]:
    try:
        contents = index.read()
    except IndexUnreadable as error:
        return None, Row("index", error.failed, "bad", error.todo)
    known = f"{len(contents.workspaces)} kept, {len(contents.seen)} remembered"
    folder = index.home
    while not os.path.exists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    if os.access(folder, os.W_OK):
        return contents, Row("index", f"{known} ({index.path})", "ok")
    repair = "Set MISTRAL_NB_HOME to a folder that can be written."
    return contents, Row("index", f"{known}; {index.home} can't be written", "bad", repair)


def _keyring(store: Store, needed: bool) -> Row:
    problem = store.why_not()
    if not problem:
        return Row("keyring", "works", "ok")
    return Row("keyring", problem.failed, "bad" if needed else "warn", problem.todo)


def _vault(vault: Vault, needed: bool) -> Row:
    if not vault.exists:
        if vault.hidden:
            repair = "Make its folder readable for you, or set MISTRAL_NB_HOME to one of your own."
            return Row("encrypted file", f"{vault.path} can't be looked at", "bad", repair)
        if not needed:
            return Row("encrypted file", "none")
        return Row("encrypted file", f"{vault.path} is not there", "warn", "The next key that is kept makes it.")
    try:
        vault.check()
    except StoreError as error:
        return Row("encrypted file", error.failed, "bad", error.todo)
    state = "a passphrase is at hand" if vault.can_open else "closed: its passphrase is asked for when needed"
    return Row("encrypted file", f"whole; {state}", "ok")


def _permissions(config: Config) -> Iterator[Row]:
    names = ("", "workspaces.json", "vault", "vault.previous")
    paths = [os.path.join(config.home, name) if name else config.home for name in names]
    if config.passphrase_file:
        paths.append(config.passphrase_file)
        if not os.access(config.passphrase_file, os.R_OK):
            failed = f"{config.passphrase_file} can't be read"
            yield Row("passphrase file", failed, "bad", "Correct MISTRAL_NB_PASSPHRASE_FILE.")
    if os.path.isdir(config.home) and not os.access(config.home, os.R_OK | os.X_OK):
        return  # what can't be looked at is said by the other checks
    found = [path for path in paths if os.path.exists(path) and open_to_others(path)]
    for path in found:
        mode = "700" if os.path.isdir(path) else "600"
        yield Row("permissions", f"others can open {path}", "warn", f"chmod {mode} '{path}'")
    if not found:
        yield Row("permissions", "files are private", "ok")


def _leftovers(contents: Contents) -> Row:
    names = ", ".join(dict.fromkeys(leftover.workspace for leftover in contents.unfinished))
    return Row(
        "leftovers",
        f"an interrupted change of {names} is not cleaned up yet",
        "warn",
        "Run mistral-nb status again when the store can be opened: it deletes what was left.",
    )
