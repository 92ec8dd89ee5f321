"""Optional details of a new key that only a form asks for: its expiry and its name at Mistral."""

from mistral_nb.api.verdict import Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import WrongUsage
from mistral_nb.keys import expiry, workspace_choice
from mistral_nb.prompts.confirm import MAX_TRIES
from mistral_nb.report import Ask, Dialog, Step


def ask_expiry(context: Context, verdict: Verdict) -> Dialog[expiry.Expiry]:
    """No API reports an ordinary key's expiry. Outside a form it stays unknown until `edit` says it."""
    if not context.has_form or not verdict.accepts_key:
        return expiry.Expiry()
    return (
        yield from expiry.ask("When does it expire? (2027-01-31, 90d, never; Enter = unknown)", "", context.today())
    )


def ask_name(context: Context, key: Key) -> Dialog[str]:
    if not context.has_form:
        return ""
    for _ in range(MAX_TRIES):
        name = str((yield Ask("name", "The key's name at Mistral (optional)", default="")) or "")
        try:
            workspace_choice.refuse_key_as_name(name, key)
        except WrongUsage as error:
            yield Step(str(error))
        else:
            return name
    return ""
