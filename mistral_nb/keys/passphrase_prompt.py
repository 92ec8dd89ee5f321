"""Asks for the passphrase of the encrypted file when a store needs it."""

from collections.abc import Callable
from typing import TypeVar

from mistral_nb.api.console_pages import OWN_KEYS_URL
from mistral_nb.api_key import Secret
from mistral_nb.command_context import Context
from mistral_nb.errors import (
    CannotAsk,
    PassphraseNeeded,
    PassphraseTooShort,
    WrongPassphrase,
)
from mistral_nb.prompts.confirm import MAX_TRIES
from mistral_nb.report import Answer, Ask, Dialog, Step
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_passphrase import LONGER_HINT, check_new_passphrase, is_too_short

_Value = TypeVar("_Value")


def run_unlocked(context: Context, call: Callable[[], _Value]) -> Dialog[_Value]:
    """What ``call`` returns; asks for the vault's passphrase if it is needed."""
    for _ in range(MAX_TRIES):
        try:
            return call()
        except PassphraseNeeded as closed:
            yield from _ask_passphrase(context, closed)
    try:
        return call()
    except PassphraseNeeded:
        raise wrong_passphrase_error(context) from None


def wrong_passphrase_error(context: Context) -> WrongPassphrase:
    """The error after the last try."""
    vault = context.stores["file"]
    path = vault.path if isinstance(vault, Vault) else "it"
    return WrongPassphrase(
        f"Wrong passphrase, {MAX_TRIES} times.",
        "If it is forgotten, its keys are lost to this machine: "
        f"rename {path}, and log in with new ones from {OWN_KEYS_URL}",
    )


def _ask_passphrase(context: Context, closed: PassphraseNeeded) -> Dialog[None]:
    try:
        passphrase = yield Ask("passphrase", "Passphrase of the encrypted file", masked=True)
    except CannotAsk:
        raise closed from None
    if not isinstance(passphrase, Secret) or not passphrase.reveal():
        raise closed
    try:
        yield from open_vault(context, passphrase)
    except WrongPassphrase:
        yield Step("Wrong passphrase.")


def open_vault(context: Context, passphrase: Secret) -> Dialog[None]:
    """Unlock the vault; for a new one ask for the passphrase twice, and again if it is too short."""
    vault = context.stores["file"]
    if not isinstance(vault, Vault):
        return
    if not vault.exists:
        chosen = yield from ask_new_passphrase("Passphrase for the encrypted file", passphrase)
        if chosen is None:
            raise PassphraseNeeded("No passphrase was given.", "Run it again, or set MISTRAL_NB_STORE=memory.")
        passphrase = chosen
    vault.unlock(passphrase)
    if is_too_short(passphrase):
        yield Step(f"This passphrase is short. {LONGER_HINT} {context.format_command('passphrase')}")


def ask_new_passphrase(question: str, first: Answer | None = None) -> Dialog[Secret | None]:
    """A new passphrase, long enough and repeated; None once it is left empty or was wrong too often.

    ``first``: what was typed already.
    """
    for _ in range(MAX_TRIES):
        if first is None:
            first = yield Ask("new passphrase", question, masked=True)
        if not isinstance(first, Secret) or not first.reveal():
            return None
        try:
            check_new_passphrase(first)
        except PassphraseTooShort as short:
            yield Step(str(short))
        else:
            if (yield Ask("passphrase again", "Repeat the passphrase", masked=True)) == first:
                return first
            yield Step("Passphrases do not match.")
        first = None
    return None
