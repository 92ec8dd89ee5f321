"""Gets a key from a person: typed at the masked prompt, or found elsewhere and confirmed."""

from collections.abc import Iterable

from mistral_nb.api.console_pages import OWN_KEYS_URL
from mistral_nb.api.hosts import classify_host
from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.config import API_KEY_VARIABLE
from mistral_nb.errors import CannotAsk, MistralNbError, NotAKey
from mistral_nb.keys import aside_keys, key_sources
from mistral_nb.prompts.confirm import MAX_TRIES, confirm
from mistral_nb.report import Ask, Dialog, PromptForm, Step
from mistral_nb.storage.key_discovery import DiscoveredKey, discover_keys, find_misnamed_keys
from mistral_nb.storage.keyring_backends import no_keyring_hint

AT_THE_PROMPT = "the prompt"


def ask_for_key(context: Context, workspace: str | None, form: PromptForm | None = None) -> Dialog[DiscoveredKey]:
    """A key, and where it came from: `AT_THE_PROMPT`, or where it was found and confirmed."""
    in_cells = _list_cell_keys(context)
    found = yield from _offer_cell_key(context, in_cells)
    if not found:
        found = yield from aside_keys.offer(context, frozenset(key.fingerprint for key in in_cells))
    if not found and not context.stored_workspaces():
        found = yield from _offer_discovered_key(context)
    return found or DiscoveredKey(AT_THE_PROMPT, (yield from _ask_for_typed_key(context, workspace, form)))


def _ask_for_typed_key(context: Context, workspace: str | None, form: PromptForm | None) -> Dialog[Key]:
    question = _key_question(context, workspace)
    problem: NotAKey | None = None
    for attempt in range(1, MAX_TRIES + 1):
        try:
            pasted = yield Ask("key", question, masked=True, form=form)
        except CannotAsk as error:
            raise problem or _cannot_ask_error(context, error, workspace) from None
        try:
            key = Key.parse(pasted if isinstance(pasted, Secret) else "")
        except NotAKey as error:
            problem = error
            if context.interactive and attempt < MAX_TRIES:  # else the error says it
                yield Step(f"{error.failed} Your keys: {OWN_KEYS_URL}")
            continue
        if key.is_standard or (yield from _confirm_odd_shape(key)):
            return key
        problem = NotAKey(
            "odd shape",
            f"Mistral's keys have 32 letters and digits; this has {key.length} characters.",
            "Copy the key from Mistral's console and paste it again.",
        )
    raise problem or NotAKey("empty", "No key was given.", "Nothing was changed. Run it again when you have the key.")


def _key_question(context: Context, workspace: str | None) -> str:
    which = f"the Mistral API key of workspace {workspace}" if workspace else "your Mistral API key"
    cancel = "" if context.in_notebook else ", Ctrl-C cancels"  # a notebook's prompt does not take it
    return f"Paste {which} ({OWN_KEYS_URL}; input is hidden{cancel})"


def _confirm_odd_shape(key: Key) -> Dialog[bool]:
    """People paste passwords: input not shaped like a key needs confirmation before it is used."""
    question = f"Mistral's keys have 32 letters and digits; this has {key.length} characters. Is it a Mistral key?"
    return (yield from confirm("odd shape", question))


def _list_cell_keys(context: Context) -> list[Key]:
    """The keys that cells of this process contained in plain text, where a person can be asked about them."""
    if not (context.in_notebook and context.interactive):
        return []
    from mistral_nb.guard import cell_keys

    return list(cell_keys.list_cell_keys())


def _offer_cell_key(context: Context, in_cells: Iterable[Key]) -> Dialog[DiscoveredKey | None]:
    """A key that a cell contained: saving may redact the only copy."""
    kept = {entry.fingerprint for entry in context.stored_workspaces().values()}
    for key in in_cells:
        if key.fingerprint not in kept:
            question = f"A cell contained the key …{key.tail} in plain text. Use it?"
            if (yield from confirm("from a cell", question, default=True)):
                return DiscoveredKey("a cell", key)
    return None


def _offer_discovered_key(context: Context) -> Dialog[DiscoveredKey | None]:
    if not context.interactive:
        return None
    declined = set()
    for misnamed in find_misnamed_keys(context.environ, context.folder):
        if not misnamed.is_alone or misnamed.intended != API_KEY_VARIABLE:
            continue
        sentence = key_sources.describe_misnamed_key(context, misnamed)
        if misnamed.other_host and classify_host(context.config.api) in ("mistral", "loopback"):
            yield Step(sentence)
            continue
        if (yield from confirm("offer", f"{sentence} Use it?")):
            return DiscoveredKey(misnamed.place, misnamed.key)
        declined.add(misnamed.key.fingerprint)
    keyring_too = context.config.store in ("auto", "keyring")
    for offer in discover_keys(context.environ, context.folder, keyring=keyring_too):
        question = f"There is a key …{offer.key.tail} in {offer.source}. Use it?"
        if offer.key.fingerprint not in declined and (yield from confirm("offer", question)):
            return offer
    return None


def _cannot_ask_error(context: Context, error: CannotAsk, workspace: str | None) -> MistralNbError:
    if context.index_problem:
        return MistralNbError(context.index_problem)
    if workspace:
        failed = f"No key is stored for a workspace named {workspace}, and none can be entered here."
        return CannotAsk(failed, f"Add it: {context.format_command(f'login {workspace}')}")
    misnamed = key_sources.misnamed_hint(context)
    return CannotAsk(f"{error.failed} A Mistral API key is needed.", misnamed or no_keyring_hint())
