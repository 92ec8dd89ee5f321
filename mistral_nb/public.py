"""What `mistral_nb` offers in Python, behind its lazy names."""

from typing import Any

from mistral_nb import watch
from mistral_nb.actions import drive, live
from mistral_nb.actions.context import Context
from mistral_nb.actions.live import LiveAuth, LiveKey
from mistral_nb.commands import MAGIC
from mistral_nb.kernel.ask import answer, can_ask, running_shell
from mistral_nb.prompting import Outcome, perform
from mistral_nb.report import Report
from mistral_nb.scrub import redact_text


def use(workspace: str | None = None) -> None:
    _show(perform(_guarded_shell(), "use", {"workspace": workspace}))


def prompt(workspace: str | None = None) -> None:
    _show(perform(_guarded_shell(), "use", {"workspace": workspace}, card=True, wait=False))


def status() -> Report:
    return perform(running_shell(), "status", {}).report or Report("")


def key(workspace: str | None = None, *, force: bool = False, yes: bool = False) -> LiveKey:
    shell = _guarded_shell()
    context = Context(host=MAGIC, interactive=can_ask(shell), say=print)
    return drive(live.action(context, workspace, force=force, yes=yes), lambda ask: answer(shell, ask), print)


def auth(workspace: str | None = None, *, force: bool = False, yes: bool = False) -> LiveAuth:
    return LiveAuth(key(workspace, force=force, yes=yes))


def redact(text: str) -> str:
    return redact_text(text, watch.gather())[0]


def _show(outcome: Outcome) -> None:
    if outcome.report is not None and not outcome.shown:
        print(outcome.report)  # noqa: T201, the same words as the magic prints


def _guarded_shell() -> Any:
    """From the moment a key is in a process, its kernel is guarded, also without ``%load_ext``."""
    shell = running_shell()
    if shell is not None:
        from mistral_nb.kernel import guard

        guard.start(shell)
    return shell
