"""What `doctor` checks about index and stores: a row for each finding, with its repair."""

import os
from collections.abc import Iterator, Mapping

from mistral_nb.config import Config
from mistral_nb.errors import IndexUnreadable, StoreError
from mistral_nb.file_io import is_readable_by_others
from mistral_nb.paths import parents
from mistral_nb.report import Row
from mistral_nb.sensitive_text import name_secret_file
from mistral_nb.storage.index import Index, IndexData
from mistral_nb.storage.store_protocol import FILE, KEYRING, Store
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_passphrase import (
    MIN_GUARDED_LENGTH,
    MIN_LENGTH,
    is_guarded,
    is_too_short,
    read_regular_file,
)
from mistral_nb.wording import plural


def checks(config: Config, stores: Mapping[str, Store]) -> Iterator[Row]:
    """One row a check. Opens no dialog, asks nothing, runs no KDF; changes nothing."""
    contents, row = _check_index(Index(config.home))
    yield row
    used = {entry.store for entry in contents.workspaces.values()} if contents else set()
    if KEYRING in stores and (KEYRING in used or config.store in (KEYRING, "auto")):
        yield _check_keyring(stores[KEYRING], needed=KEYRING in used or config.store == KEYRING)
    vault = stores.get(FILE)
    if isinstance(vault, Vault):
        yield _check_vault(vault, needed=FILE in used or config.store == FILE)
        yield from _check_passphrase(config, vault)
    yield from _check_permissions(config)
    if contents and contents.pending_deletions:
        yield _check_pending_deletions(contents)


def _check_index(index: Index) -> tuple[IndexData | None, Row]:
    try:
        contents = index.read()
    except IndexUnreadable as error:
        return None, Row("index", error.failed, "bad", error.todo)
    stored = plural(len(contents.workspaces), "key")
    known = f"lists {stored} stored here, and recognises {len(contents.remembered)} in files and outputs"
    folder = next(filter(os.path.exists, parents(index.home)), index.home)
    if os.access(folder, os.W_OK):
        return contents, Row("index", f"{known} ({index.path})", "ok")
    repair = "Set MISTRAL_NB_HOME to a writable folder."
    return contents, Row("index", f"{known}; {index.home} can't be written", "bad", repair)


def _check_keyring(store: Store, needed: bool) -> Row:
    problem = store.unavailable_reason()
    if not problem:
        return Row("keyring", "works: this system keeps your keys in it", "ok")
    return Row("keyring", problem.failed, "bad" if needed else "warn", problem.todo)


def _check_vault(vault: Vault, needed: bool) -> Row:
    if not vault.exists:
        if vault.is_hidden:
            repair = "Make its folder readable, or set MISTRAL_NB_HOME to another folder."
            return Row("encrypted file", f"{vault.path} can't be read", "bad", repair)
        if not needed:
            return Row("encrypted file", "none: it is made where there is no keyring")
        return Row("encrypted file", f"{vault.path} does not exist", "warn", "It is created when a key is next saved.")
    try:
        vault.check_intact()
    except StoreError as error:
        return Row("encrypted file", error.failed, "bad", error.todo)
    state = "its passphrase is available" if vault.can_open else "locked: its passphrase is asked for when needed"
    return Row("encrypted file", f"intact; {state}", "ok")


def _check_passphrase(config: Config, vault: Vault) -> Iterator[Row]:
    """A passphrase that was set before there was a minimum length still opens the encrypted file."""
    passphrase = config.passphrase or (read_regular_file(config.passphrase_file) if config.passphrase_file else None)
    if not passphrase or not is_too_short(passphrase) or not vault.exists:
        return
    words = f"has fewer than {MIN_LENGTH} characters"
    if not is_guarded(passphrase):
        words += f", and with fewer than {MIN_GUARDED_LENGTH} it is not removed from outputs and saves"
    yield Row("passphrase", words, "warn", "Set a longer one: mistral-nb passphrase")


def _check_permissions(config: Config) -> Iterator[Row]:
    names = ("", "workspaces.json", "vault", "vault.previous")
    paths = [os.path.join(config.home, name) if name else config.home for name in names]
    if config.passphrase_file:
        paths.append(config.passphrase_file)
        if not os.access(config.passphrase_file, os.R_OK):
            failed = f"{name_secret_file('the file', config.passphrase_file)} can't be read"
            yield Row("passphrase file", failed, "bad", "Correct MISTRAL_NB_PASSPHRASE_FILE.")
    if os.path.isdir(config.home) and not os.access(config.home, os.R_OK | os.X_OK):
        return  # unreadable files are reported by the other checks
    found = [path for path in paths if os.path.exists(path) and is_readable_by_others(path)]
    for path in found:
        mode = "700" if os.path.isdir(path) else "600"
        yield Row("permissions", f"other users can open {path}", "warn", f"chmod {mode} '{path}'")
    if not found:
        yield Row("permissions", "only you can open the files of mistral_nb", "ok")


def _check_pending_deletions(contents: IndexData) -> Row:
    names = ", ".join(dict.fromkeys(leftover.workspace for leftover in contents.pending_deletions))
    return Row(
        "leftovers",
        f"an interrupted change of {names} is not cleaned up yet",
        "warn",
        "Run mistral-nb status again once the store can be opened; it cleans up.",
    )
