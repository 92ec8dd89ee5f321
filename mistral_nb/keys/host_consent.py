"""Confirms an API host that is not Mistral's before a key is sent there."""

from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk, HostRefused
from mistral_nb.keys.saved_answers import read_answer, save_answer
from mistral_nb.report import Ask, Dialog


def confirm_host(context: Context) -> Dialog[None]:
    """Before a key is sent to a host that is not Mistral's, ask for a typed yes and record it. Raises `HostRefused`."""
    from mistral_nb.api.client import classify_host

    base = context.config.api
    kind = classify_host(base)
    refused = HostRefused(
        f"MISTRAL_NB_API is {base}, which is not a Mistral host; keys are not sent there.",
        "Unset MISTRAL_NB_API, or run this interactively and answer yes.",
    )
    if kind in ("mistral", "loopback"):
        return
    if kind == "insecure":
        raise HostRefused(f"MISTRAL_NB_API is {base}: a key is never sent without https.", "Use https.")
    if read_answer(context, f"host:{base}") == "yes":
        return
    try:
        answer = yield Ask("host", f"{base} is not a Mistral host. Send your keys there? Type yes to agree")
    except CannotAsk:
        raise refused from None
    if answer != "yes":
        raise refused
    save_answer(context, f"host:{base}", "yes")
