"""`passphrase`: another one for the encrypted file, and in the passphrase file, where one is set."""

import os
from collections.abc import Generator

from mistral_nb.actions import unlock
from mistral_nb.actions.context import Context
from mistral_nb.config import PASSPHRASE_VARIABLE
from mistral_nb.errors import CannotAsk, PassphraseNeeded, StoreError, StoreTimedOut, StoreUnavailable
from mistral_nb.files import locked, write_atomically
from mistral_nb.key import Secret
from mistral_nb.report import Action, Answer, Ask, Report, Step
from mistral_nb.store.passphrase import read_passphrase
from mistral_nb.store.vault import SUCCESSOR, Vault

_TRIES = 3
_LOCK_SECONDS = 5.0


def action(context: Context, new_file: str | None = None) -> Action:
    vault = context.stores["file"]
    if not isinstance(vault, Vault) or not vault.exists:
        raise StoreUnavailable("There is no encrypted file here.", "Nothing was changed.")
    yield from unlock.unlocked(context, vault.everything)
    new = read_passphrase(new_file) if new_file else (yield from _ask_twice(context))
    file = context.config.passphrase_file
    if file and not context.config.passphrase:
        _change_both(vault, file, new)
        notes: tuple[str, ...] = (f"{file} holds the new one.",)
    else:
        vault.change_passphrase(new)
        notes = _elsewhere(context, new)
    notes = (*notes, "Backups made before open with the old passphrase only: make a new one.")
    return Report(f"The encrypted file {vault.path} has another passphrase.", notes=notes, data={"file": vault.path})


def _ask_twice(context: Context) -> Generator[Ask | Step, Answer, Secret]:
    for _ in range(_TRIES):
        try:
            first = yield Ask("new passphrase", "New passphrase for the encrypted file", masked=True)
            again = yield Ask("passphrase again", "The same passphrase again", masked=True)
        except CannotAsk:
            raise CannotAsk(
                "Nobody is here to type the new passphrase.",
                f"Put it into a file: {context.typed('passphrase --new-file PATH')}",
            ) from None
        if isinstance(first, Secret) and first.reveal() and first == again:
            return first
        yield Step("The two are not the same." if first != again else "An empty one protects nothing.")
    raise PassphraseNeeded("No new passphrase was given.", "Nothing was changed.")


def _change_both(vault: Vault, file: str, new: Secret) -> None:
    """The new one lies beside the old file first: after a crash in between the vault finds it there."""
    file = os.path.realpath(file)
    try:
        with locked(f"{vault.path}.passphrase.lock", _LOCK_SECONDS):
            vault.everything()  # an earlier change that was cut is finished before its file is written over
            write_atomically(file + SUCCESSOR, new.reveal().encode())
            vault.change_passphrase(new)
            os.replace(file + SUCCESSOR, file)
    except TimeoutError:
        raise StoreTimedOut("Another process is changing the passphrase.", "Nothing was changed here.") from None
    except OSError as error:
        raise StoreError(
            f"The passphrase file {file} could not be changed: {error.strerror or type(error).__name__}.",
            "Make its folder writable, or unset MISTRAL_NB_PASSPHRASE_FILE and put the new one there yourself.",
        ) from None


def _elsewhere(context: Context, new: Secret) -> tuple[str, ...]:
    if not context.config.passphrase:
        return ("Running kernels ask for it when they next need it.",)
    context.environ[PASSPHRASE_VARIABLE] = new.reveal()
    return (f"{PASSPHRASE_VARIABLE} is changed in this process alone: change it where it is set.",)
