"""A key from a person: typed at the masked prompt, or taken on a yes from where it lies already."""

from collections.abc import Generator

from mistral_nb.actions import unlock
from mistral_nb.actions.context import Context
from mistral_nb.api.verdict import OWN_KEYS
from mistral_nb.errors import CannotAsk, MistralNbError, NotAKey
from mistral_nb.key import Key, Secret
from mistral_nb.report import Answer, Ask, Form, Step

_TRIES = 3


def ask_for_key(
    context: Context, workspace: str | None, form: Form | None = None
) -> Generator[Ask | Step, Answer, Key]:
    typed = yield from _from_a_cell(context)
    if typed:
        return typed
    if not context.kept():
        offered = yield from _from_elsewhere(context)
        if offered:
            return offered
    question = f"Mistral API key for workspace {workspace}" if workspace else "Mistral API key"
    problem: NotAKey | None = None
    for _ in range(_TRIES):
        try:
            pasted = yield Ask("key", question, masked=True, form=form)
        except CannotAsk as error:
            raise problem or _no_way_to_ask(context, error, workspace) from None
        try:
            key = Key.parse(pasted if isinstance(pasted, Secret) else "")
        except NotAKey as error:
            problem = error
            yield Step(f"{error.failed} Your keys: {OWN_KEYS}")
            continue
        if key.is_standard or (yield from _odd_shape_is_meant(key)):
            return key
        problem = NotAKey(
            "odd shape",
            f"Mistral's keys have 32 letters and digits; this has {key.length} characters.",
            "Copy the key from Mistral's console and paste it again.",
        )
    raise problem or NotAKey("empty", "No key was given.", "Nothing was changed. Run it again with a key at hand.")


def _odd_shape_is_meant(key: Key) -> Generator[Ask | Step, Answer, bool]:
    """People paste passwords: what is not shaped like a key is asked about before it goes anywhere."""
    answer = yield Ask(
        "odd shape",
        f"Mistral's keys have 32 letters and digits; this has {key.length} characters. Is it a Mistral key?",
        choices=("yes", "no"),
        default="no",
    )
    return answer == "yes"


def _from_a_cell(context: Context) -> Generator[Ask | Step, Answer, Key | None]:
    """A key that a cell of this process held in clear: saving it may redact the only copy."""
    if not (context.in_notebook and context.interactive):
        return None
    from mistral_nb.kernel import literals

    kept = {entry.fingerprint for entry in context.kept().values()}
    for key in literals.in_cells():
        if key.fingerprint not in kept:
            question = f"A cell held the key …{key.tail} in clear. Take it from there?"
            if (yield Ask("from a cell", question, choices=("yes", "no"), default="yes")) == "yes":
                return key
    return None


def _from_elsewhere(context: Context) -> Generator[Ask | Step, Answer, Key | None]:
    from mistral_nb.store.elsewhere import find_offers

    if not context.interactive:
        return None
    keyring_too = context.config.store in ("auto", "keyring")
    for offer in find_offers(context.environ, context.folder, keyring=keyring_too):
        question = f"There is a key …{offer.key.tail} in {offer.source}. Use it?"
        if (yield Ask("offer", question, choices=("yes", "no"), default="no")) == "yes":
            return offer.key
    return None


def _no_way_to_ask(context: Context, error: CannotAsk, workspace: str | None) -> MistralNbError:
    if context.problem:
        return MistralNbError(context.problem)
    if workspace:
        failed = f"No key is kept for a workspace named {workspace}, and nobody is here to type one."
        return CannotAsk(failed, f"Add it: {context.typed(f'add {workspace}')}")
    return CannotAsk(f"{error.failed} A Mistral API key is needed.", unlock.WAYS_OUT)
