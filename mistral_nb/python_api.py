"""What `mistral_nb` offers in Python, behind its lazy names."""

from collections.abc import Callable
from typing import Any, TypeVar

from mistral_nb import watchlist
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive
from mistral_nb.command_table import MAGIC
from mistral_nb.keys.auth import LiveAuth, LiveKey, make_live_auth
from mistral_nb.keys.environment_key import open_any_key
from mistral_nb.prompts.ipython import ask_in_ipython, can_ask, running_shell
from mistral_nb.prompts.notebook import PromptResult, run_command
from mistral_nb.redaction.redact import redact_text
from mistral_nb.report import Dialog, Report
from mistral_nb.workers.dask_share import Share, share_key

_Result = TypeVar("_Result")


def login(workspace: str | None = None) -> None:
    _show_result(run_command(_get_guarded_shell(), "login", {"workspace": workspace}))


def switch(workspace: str | None = None) -> None:
    _show_result(run_command(_get_guarded_shell(), "switch", {"workspace": workspace}))


def status() -> Report:
    return run_command(running_shell(), "status", {}).report or Report("")


def key(workspace: str | None = None, *, force: bool = False, yes: bool = False) -> LiveKey:
    return _drive(lambda context: open_any_key(context, workspace, force=force, yes=yes))


def auth(workspace: str | None = None, *, force: bool = False, yes: bool = False) -> LiveAuth:
    return make_live_auth(key(workspace, force=force, yes=yes))


def share(client: Any, workspace: str | None = None, *, force: bool = False, yes: bool = False) -> Share:
    return _drive(lambda context: share_key(context, client, workspace, force=force, yes=yes))


def redact(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"redact takes a text, not {type(text).__name__}")
    return redact_text(text, watchlist.build_watchlist())[0]


def _drive(dialog: Callable[[Context], Dialog[_Result]]) -> _Result:
    """Run it with questions and lines as a cell shows them."""
    shell = _get_guarded_shell()
    context = Context(host=MAGIC, interactive=can_ask(shell), say=print, has_magic=shell is not None)
    return drive(dialog(context), lambda ask: ask_in_ipython(shell, ask), print)


def _show_result(outcome: PromptResult) -> None:
    if outcome.report is not None and not outcome.already_shown:
        print(outcome.report)  # noqa: T201, the same words as the magic prints


def _get_guarded_shell() -> Any:
    """Guard the kernel as soon as a key enters the process, even without ``%load_ext``."""
    shell = running_shell()
    if shell is not None:
        from mistral_nb.guard import lifecycle

        lifecycle.start(shell)
    return shell
