"""`restore`: the keys of a backup into the encrypted file. Each is kept before the next; it can be run again."""

import os
from collections.abc import Generator

from mistral_nb import session
from mistral_nb.actions import choose, occupied, unfinished, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown
from mistral_nb.errors import CannotAsk, PassphraseNeeded, StoreError, WrongPassphrase
from mistral_nb.key import Secret
from mistral_nb.report import Action, Answer, Ask, Report, Row, State, Step
from mistral_nb.store import backup as backups
from mistral_nb.store.backup import Backup, Kept
from mistral_nb.store.base import FILE
from mistral_nb.store.index import LIVE
from mistral_nb.store.vault import Vault

_TRIES = 3


def action(context: Context, path: str, replace: bool = False) -> Action:
    path = os.path.abspath(os.path.join(context.folder or "", os.path.expanduser(path)))
    backup = yield from _read(context, path)
    yield from unfinished.finish(context)
    _remember(context, backup)
    rows = []
    for name, kept in backup.workspaces.items():
        rows.append((yield from _put_back(context, choose.checked_name(name), kept, replace)))
    left = [row for row in rows if row.state == "warn"]
    return Report(
        f"Read back from {path}",
        tuple(rows),
        exit_code=1 if left else 0,
        data={"path": path, "workspaces": {row.label: row.value for row in rows}},
    )


def _read(context: Context, path: str) -> Generator[Ask | Step, Answer, Backup]:
    """With the encrypted file's passphrase; where that does not open it, another one is asked for."""
    backups.check(path)  # nobody types a passphrase for a file that is not there
    vault = context.stores[FILE]
    wrong: StoreError = PassphraseNeeded("The backup needs its passphrase.", "Run it where that can be typed.")
    try:
        if isinstance(vault, Vault):
            return backups.read(path, vault.passphrase())
    except WrongPassphrase as error:
        wrong = error
    except PassphraseNeeded:
        pass
    for _ in range(_TRIES):
        try:
            given = yield Ask("backup passphrase", "Passphrase of the backup", masked=True)
        except CannotAsk:
            raise wrong from None
        try:
            return backups.read(path, given if isinstance(given, Secret) else Secret(""))
        except WrongPassphrase as error:
            wrong = error
            yield Step(str(error))
    raise wrong


def _remember(context: Context, backup: Backup) -> None:
    """What was seen there is seen here: a state only gets worse."""
    with context.index.edit() as contents:
        for seen in backup.seen:
            before = contents.seen.get(seen.fingerprint)
            if before is None or (before.state == LIVE and seen.state != LIVE):
                contents.seen[seen.fingerprint] = seen


def _put_back(context: Context, name: str, kept: Kept, replace: bool) -> Generator[Ask | Step, Answer, Row]:
    stored = occupied.stored_entry(context, name)
    there = (context.keeper.workspaces().get(name), stored)  # a key in memory may hide a stored one
    here = next((entry for entry in there if entry and entry.fingerprint != kept.key.fingerprint), None)
    state: State = "warn"
    theirs = shown(None, kept.key.tail, kept.entry)
    if stored and here is None:
        return Row(name, f"{shown(None, stored.tail, stored)} is kept already", "ok")
    noted = context.contents().seen.get(kept.key.fingerprint)
    if noted and noted.state != LIVE and not replace:
        return Row(name, f"{theirs} is {noted.state}: not taken", state, "To take it all the same: --replace")
    if here and not replace:
        value = f"{shown(None, here.tail, here)} is kept here, the backup has {theirs}: not replaced"
        return Row(name, value, state, "To replace it: --replace")
    waiting = context.keeper.pending().get(name)
    session.enter(kept.key, context.index)
    seen = stored.fingerprint if stored else ""
    yield from unlock.unlocked(context, lambda: context.keeper.keep(name, kept.key, kept.entry, FILE, expected=seen))
    aside = f"; …{waiting.tail}, which waited for its rotation, is set aside" if waiting else ""
    return Row(name, f"{theirs} is kept{aside}", "ok")
