"""Which store takes a new key."""

from mistral_nb.api_key import Secret
from mistral_nb.command_context import Context
from mistral_nb.errors import (
    Cancelled,
    CannotAsk,
    StoreError,
    StoreLocked,
    StoreUnavailable,
    WrongPassphrase,
)
from mistral_nb.keys.passphrase_prompt import open_vault, wrong_passphrase_error
from mistral_nb.prompts.confirm import MAX_TRIES
from mistral_nb.report import Ask, Dialog, Step
from mistral_nb.storage.keyring_backends import no_keyring_hint
from mistral_nb.storage.store_protocol import FILE, KEYRING, MEMORY
from mistral_nb.storage.vault import Vault
from mistral_nb.storage.vault_passphrase import MIN_LENGTH


def choose_store(context: Context) -> Dialog[str]:
    """The store for a new key: as set, else the keyring, else what was answered once: file or memory."""
    wish = context.config.store
    if wish == "memory" and not context.in_notebook:
        raise StoreUnavailable("MISTRAL_NB_STORE is memory, which ends with this command.", "Set it to file.")
    if wish == KEYRING:
        return (yield from _require_keyring(context))
    if wish != "auto":
        return wish
    why_not = context.stores[KEYRING].unavailable_reason()
    if why_not is None or (isinstance(why_not, StoreLocked) and _can_dialog_unlock(context)):
        return KEYRING
    remembered = context.read_index().choices.get("no_keyring")
    if remembered == "file" or (remembered == "memory" and context.in_notebook):
        return remembered
    if context.config.passphrase or context.config.passphrase_file:
        return "file"
    chosen = yield from choose_without_keyring(context, why_not)
    with context.index.edit() as contents:
        contents.choices["no_keyring"] = chosen
    return chosen


def find_open_store(context: Context) -> str | None:
    """The store that would take a key now without a question; None if there is none."""
    wish, vault = context.config.store, context.stores[FILE]
    if wish == MEMORY:
        return MEMORY if context.in_notebook else None
    if wish in ("auto", KEYRING) and context.stores[KEYRING].unavailable_reason() is None:
        return KEYRING
    return FILE if wish in ("auto", FILE) and isinstance(vault, Vault) and vault.can_open else None


def memory_reason(context: Context, *, known: bool = False) -> str:
    """Why a key is in memory only, and what to do; ``known``: the reason was said just before."""
    until = "The key is in memory only; it is available until this process exits"
    if context.config.store == MEMORY:
        return f"{until}, because MISTRAL_NB_STORE is memory. To store keys, set it to file."
    why_not = None if known else context.stores[KEYRING].unavailable_reason()
    return f"{until}. {why_not}" if why_not else f"{until}."


def _require_keyring(context: Context) -> Dialog[str]:
    """The keyring was set: without one, ask or fail before anything is announced in the index."""
    missing = context.stores[KEYRING].unavailable_reason()
    if not isinstance(missing, StoreUnavailable):
        return KEYRING
    if not context.interactive:
        raise missing
    return (yield from choose_without_keyring(context, missing))


def choose_without_keyring(context: Context, why_not: StoreError) -> Dialog[str]:
    """Without a usable keyring: ask for a passphrase for the encrypted file, or Enter for memory."""
    if context.interactive:
        yield Step(str(why_not))
    vault = context.stores["file"]
    there = isinstance(vault, Vault) and vault.exists
    new = f"Choose a passphrase of {MIN_LENGTH} characters or more for an encrypted file"
    question = "Passphrase of the encrypted file" if there else new
    enter = " (Enter = in memory only)" if context.in_notebook else " (Enter = cancel)"
    for _ in range(MAX_TRIES):
        try:
            passphrase = yield Ask("new passphrase", question + enter, masked=True)
        except CannotAsk:
            raise StoreUnavailable(why_not.failed, no_keyring_hint()) from None
        if not isinstance(passphrase, Secret) or not passphrase.reveal():
            if context.in_notebook:
                return "memory"
            raise Cancelled("No passphrase was given; the key is not stored.", "Without a keyring it needs one.")
        try:
            yield from open_vault(context, passphrase)
        except WrongPassphrase:
            yield Step("Wrong passphrase.")
            continue
        return "file"
    raise wrong_passphrase_error(context)


def _can_dialog_unlock(context: Context) -> bool:
    return context.interactive and bool(context.environ.get("DISPLAY") or context.environ.get("WAYLAND_DISPLAY"))
