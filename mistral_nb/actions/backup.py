"""`backup`: the keys of the encrypted file, with what is noted on them, sealed in one file."""

import os
import shlex
from collections.abc import Generator
from functools import partial

from mistral_nb.actions import unfinished, unlock
from mistral_nb.actions.context import Context
from mistral_nb.errors import CannotAsk, StoreError, StoreUnavailable, WrongUsage
from mistral_nb.key import Secret
from mistral_nb.report import Action, Answer, Ask, Report
from mistral_nb.store import backup as backups
from mistral_nb.store.base import FILE
from mistral_nb.store.keep import Keeper
from mistral_nb.store.vault import Vault


def action(context: Context, path: str, yes: bool = False) -> Action:
    vault = context.stores[FILE]
    if not isinstance(vault, Vault) or not vault.exists:
        raise StoreUnavailable("There is no encrypted file here to back up.", f"See {context.typed('status')}.")
    yield from unfinished.finish(context)
    path = os.path.abspath(os.path.join(context.folder or "", os.path.expanduser(path)))
    if os.path.lexists(path):
        yield from _may_replace(path, yes)
    contents = context.contents()
    names = [name for name, entry in contents.workspaces.items() if entry.store == FILE]
    stored = Keeper(context.index, {FILE: vault})  # without the memory, whose keys hide stored ones
    kept = {}
    for name in names:
        key = yield from unlock.unlocked(context, partial(stored.read, name))
        kept[name] = backups.Kept(key, contents.workspaces[name])
    passphrase: Secret = vault.passphrase()
    backup = backups.Backup(kept, tuple(contents.seen.values()))
    backups.write(path, backup, passphrase)
    if backups.read(path, passphrase) != backup:
        raise StoreError(f"The backup {path} does not read back as it was written.", "Check the disk it is on.")
    others = [name for name, entry in contents.workspaces.items() if entry.store != FILE]
    notes = [f"It opens with the passphrase of today: {context.typed(f'restore {shlex.quote(path)}')} reads it."]
    if others:
        notes.append(f"Not in it, since they are not in the encrypted file: {', '.join(others)}.")
    notes += [
        f"Not in it: the new key …{entry.tail} of {name}, which waits. Finish first: {context.typed(f'rotate {name}')}"
        for name, entry in contents.pending.items()
    ]
    return Report(
        f"Backed up in {path}: {', '.join(names) or 'no workspace'}. It was read back.",
        notes=tuple(notes),
        data={"path": path, "workspaces": names},
    )


def _may_replace(path: str, yes: bool) -> Generator[Ask, Answer, None]:
    if not backups.is_backup(path):
        raise WrongUsage(f"{path} is there, and is no backup of ours.", "Choose another name.")
    if yes:
        return
    try:
        answer = yield Ask("replace", f"There is a backup in {path}. Replace it?", choices=("yes", "no"))
    except CannotAsk:
        raise CannotAsk(f"There is a backup in {path}, and nobody is here to agree.", "Add --yes.") from None
    if answer != "yes":
        raise WrongUsage(f"The backup in {path} stays.", "Choose another name.")
