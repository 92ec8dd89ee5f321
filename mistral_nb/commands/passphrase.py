"""`passphrase`: changes the passphrase of the encrypted file, and of the passphrase file if one is set."""

import os

from mistral_nb.api_key import Secret
from mistral_nb.command_context import Context
from mistral_nb.config import PASSPHRASE_VARIABLE
from mistral_nb.errors import CannotAsk, PassphraseNeeded, StoreError, StoreTimedOut, StoreUnavailable, reason
from mistral_nb.file_io import hold_lock, write_atomically
from mistral_nb.keys import passphrase_prompt
from mistral_nb.report import Action, Dialog, Report
from mistral_nb.sensitive_text import name_secret_file
from mistral_nb.storage.vault import NEW_PASSPHRASE_SUFFIX, Vault
from mistral_nb.storage.vault_passphrase import check_new_passphrase, read_passphrase


def action(context: Context, new_file: str | None = None) -> Action:
    vault = context.stores["file"]
    if not isinstance(vault, Vault) or not vault.exists:
        raise StoreUnavailable("There is no encrypted file here.", "Nothing was changed.")
    yield from passphrase_prompt.run_unlocked(context, vault.read_all)
    new = read_passphrase(new_file) if new_file else (yield from _ask_new(context))
    check_new_passphrase(new)  # before any file is written
    file = context.config.passphrase_file
    if file and not context.config.passphrase:
        _change_both(vault, file, new)
        notes: tuple[str, ...] = (f"{file} contains the new one.",)
    else:
        vault.change_passphrase(new)
        notes = _other_places_notes(context, new)
    notes = (*notes, "Copies of the file made earlier open with the old passphrase only.")
    return Report(f"The encrypted file {vault.path} has another passphrase.", notes=notes, data={"file": vault.path})


def _ask_new(context: Context) -> Dialog[Secret]:
    try:
        new = yield from passphrase_prompt.ask_new_passphrase("New passphrase for the encrypted file")
    except CannotAsk:
        raise CannotAsk(
            "Cannot prompt for the new passphrase.",
            f"Put it into a file: {context.format_command('passphrase --new-file PATH')}",
        ) from None
    if new is None:
        raise PassphraseNeeded("No new passphrase was given.", "Nothing was changed.")
    return new


def _change_both(vault: Vault, file: str, new: Secret) -> None:
    """The new one is first written beside the old file: after a crash in between the vault finds it there."""
    file = os.path.realpath(file)
    try:
        with hold_lock(f"{vault.path}.passphrase.lock"):
            vault.read_all()  # an earlier change that was cut is finished before its file is written over
            write_atomically(file + NEW_PASSPHRASE_SUFFIX, new.reveal().encode())
            vault.change_passphrase(new)
            os.replace(file + NEW_PASSPHRASE_SUFFIX, file)
    except TimeoutError:
        raise StoreTimedOut("Another process is changing the passphrase.", "Nothing was changed here.") from None
    except OSError as error:
        raise StoreError(
            f"{name_secret_file('The passphrase file', file)} could not be changed: {reason(error)}.",
            "Make its folder writable, or unset MISTRAL_NB_PASSPHRASE_FILE and put the new one there yourself.",
        ) from None


def _other_places_notes(context: Context, new: Secret) -> tuple[str, ...]:
    if not context.config.passphrase:
        return ("Running kernels ask for it when they next need it.",)
    context.environ[PASSPHRASE_VARIABLE] = new.reveal()
    return (f"{PASSPHRASE_VARIABLE} is changed in this process alone: change it where it is set.",)
