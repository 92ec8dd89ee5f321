"""`run`: a command with a workspace's key in its environment."""

import os
import signal
import subprocess

from mistral_nb.actions import use
from mistral_nb.actions.context import Context
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.report import Action, Report, Step

NEVER_STARTED = 125


class CommandNotStarted(MistralNbError):
    exit_code = NEVER_STARTED


def action(
    context: Context,
    command: list[str],
    workspace: str | None = None,
    force: bool = False,
    yes: bool = False,
) -> Action:
    """Become the command (on Windows: run it and pass its exit code on)."""
    words = command[1:] if command[:1] == ["--"] else command
    if not words:
        raise WrongUsage("There is no command to run.", "Try: mistral-nb run -w WORKSPACE -- python app.py")
    try:
        report = yield from use.action(context, workspace, force=force, yes=yes)
    except MistralNbError as error:
        raise CommandNotStarted(error.failed, error.todo) from None
    if report.data.get("protected"):
        yield Step(report.title)
    for note in report.notes:
        yield Step(note)
    return _become(words, context)


def _become(words: list[str], context: Context) -> Report:
    try:
        if os.name == "posix":
            for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores these, and an exec would hand that on
                signal.signal(getattr(signal, name), signal.SIG_DFL)
            os.execvpe(words[0], words, context.environ)  # noqa: S606, no shell is wanted
        return Report("", exit_code=_wait_for(words, context))
    except (OSError, ValueError) as error:  # ValueError: an empty name
        reason = getattr(error, "strerror", None) or "it has no name"
        raise CommandNotStarted(f"{words[0]} could not be started: {reason}.", "Check the command after --.") from None


def _wait_for(words: list[str], context: Context) -> int:
    """Where a process can't become another (Windows; not tried there). Ctrl-C goes to the child."""
    child = subprocess.Popen(words, env=dict(context.environ))
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue
