"""Asks Mistral about a key again and again, until it gives the awaited answer."""

from collections.abc import Callable

from mistral_nb.api.verdict import Verdict
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.report import Dialog, Step

_LONGEST_PAUSE = 15.0  # seconds


def verify_until(
    context: Context, key: Key, is_awaited: Callable[[Verdict], bool], seconds: float, waiting: str = ""
) -> Dialog[Verdict]:
    """The awaited answer, or the last one after ``seconds``, with growing pauses. ``waiting`` is shown at the first."""
    waited, pause = 0.0, 0.5
    while True:
        verdict = context.verify(key)
        if is_awaited(verdict) or waited >= seconds:
            return verdict
        if waiting and not waited:
            yield Step(waiting)
        pause = min(pause * 2, _LONGEST_PAUSE, max(seconds - waited, 0.1))
        context.sleep(pause)
        waited += pause
