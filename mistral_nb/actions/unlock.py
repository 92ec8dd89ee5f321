"""Reaching a key where it rests: which store takes a new one, and the vault's passphrase."""

from collections.abc import Callable, Generator
from typing import TypeVar

from mistral_nb.actions.context import Context
from mistral_nb.errors import (
    CannotAsk,
    PassphraseNeeded,
    StoreError,
    StoreLocked,
    StoreUnavailable,
    WrongPassphrase,
)
from mistral_nb.key import Secret
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store.vault import Vault

_Value = TypeVar("_Value")
_TRIES = 3
WAYS_OUT = (
    "Set MISTRAL_API_KEY or MISTRAL_API_KEY_FILE, or set MISTRAL_NB_STORE=file "
    "and MISTRAL_NB_PASSPHRASE_FILE to a file that holds a passphrase."
)


def unlocked(context: Context, call: Callable[[], _Value]) -> Generator[Ask | Step, Answer, _Value]:
    """What ``call`` returns; where it needs the vault's passphrase, that is asked for first."""
    for _ in range(_TRIES):
        try:
            return call()
        except PassphraseNeeded as closed:
            yield from _ask_passphrase(context, closed)
    return call()


def choose_store(context: Context) -> Generator[Ask | Step, Answer, str]:
    """The store for a new key: as set, else the keyring, else what was answered once: file or memory."""
    wish = context.config.store
    if wish == "memory" and not context.in_notebook:
        raise StoreUnavailable("MISTRAL_NB_STORE is memory, which ends with this command.", "Set it to file.")
    if wish != "auto":
        return wish
    why_not = context.stores["keyring"].why_not()
    if why_not is None or (isinstance(why_not, StoreLocked) and _a_dialog_can_open(context)):
        return "keyring"
    remembered = context.contents().choices.get("no_keyring")
    if remembered == "file" or (remembered == "memory" and context.in_notebook):
        return remembered
    if context.config.passphrase or context.config.passphrase_file:
        return "file"
    chosen = yield from without_a_keyring(context, why_not)
    with context.index.edit() as contents:
        contents.choices["no_keyring"] = chosen
    return chosen


def without_a_keyring(context: Context, why_not: StoreError) -> Generator[Ask | Step, Answer, str]:
    """Where the keyring can't take a key: a passphrase for the encrypted file, or Enter for memory."""
    if context.interactive:
        yield Step(f"{why_not.failed}")
    vault = context.stores["file"]
    there = isinstance(vault, Vault) and vault.exists
    question = "Passphrase of the encrypted file" if there else "A passphrase keeps the key in an encrypted file"
    enter = "; Enter keeps it in memory only" if context.in_notebook else ""
    for _ in range(_TRIES):
        try:
            passphrase = yield Ask("new passphrase", question + enter, masked=True)
        except CannotAsk:
            raise StoreUnavailable(why_not.failed, WAYS_OUT) from None
        if not isinstance(passphrase, Secret) or not passphrase.reveal():
            if context.in_notebook:
                return "memory"
            raise PassphraseNeeded("No passphrase was given.", "Without a keyring, the encrypted file needs one.")
        try:
            yield from _open(context, passphrase)
        except WrongPassphrase as wrong:
            yield Step(str(wrong))
            continue
        return "file"
    raise WrongPassphrase("None of these opens the encrypted file.", "Try the one it was made with.")


def _ask_passphrase(context: Context, closed: PassphraseNeeded) -> Generator[Ask | Step, Answer, None]:
    try:
        passphrase = yield Ask("passphrase", "Passphrase of the encrypted file", masked=True)
    except CannotAsk:
        raise closed from None
    if not isinstance(passphrase, Secret) or not passphrase.reveal():
        raise closed
    try:
        yield from _open(context, passphrase)
    except WrongPassphrase as wrong:
        yield Step(str(wrong))


def _open(context: Context, passphrase: Secret) -> Generator[Ask | Step, Answer, None]:
    """Open the vault; one that is about to be made wants the passphrase twice."""
    vault = context.stores["file"]
    if not isinstance(vault, Vault):
        return
    while not vault.exists:
        again = yield Ask("passphrase again", "The same passphrase again", masked=True)
        if again == passphrase:
            break
        yield Step("The two are not the same.")
        first = yield Ask("new passphrase", "Passphrase for the encrypted file", masked=True)
        if not isinstance(first, Secret) or not first.reveal():
            raise PassphraseNeeded("No passphrase was given.", "Run it again, or set MISTRAL_NB_STORE=memory.")
        passphrase = first
    vault.unlock(passphrase)


def _a_dialog_can_open(context: Context) -> bool:
    return context.interactive and bool(context.environ.get("DISPLAY") or context.environ.get("WAYLAND_DISPLAY"))
