"""`run`: a command with a workspace's key in its environment, and no other secret of ours."""

import os
import shutil
import signal
import subprocess

from mistral_nb.child_environment import RUN, child_environment
from mistral_nb.command_context import Context
from mistral_nb.command_table import WORKSPACE_OPTION
from mistral_nb.commands import switch
from mistral_nb.errors import CommandNotStarted, MistralNbError, WrongUsage
from mistral_nb.report import Action, Report, Step


def name_workspace_by_option(words: list[str]) -> list[str]:
    """``run prod -- CMD`` as ``run -w prod -- CMD``. Without ``--`` the first word begins the command."""
    if "--" not in words:
        return words
    at = words.index("--")
    if any(word.partition("=")[0] in WORKSPACE_OPTION.names for word in words[1:at]):
        return words
    named = [number for number in range(1, at) if not words[number].startswith("-")]
    if len(named) != 1:  # none, or too many: the parser or the shell says so
        return words
    (place,) = named
    return ["run", "-w", words[place], *words[1:place], *words[place + 1 :]]


def action(
    context: Context,
    command: list[str],
    workspace: str | None = None,
    force: bool = False,
    yes: bool = False,
) -> Action:
    """Replace this process with the command (on Windows: run it and return its exit code)."""
    words = command[1:] if command[:1] == ["--"] else command
    if len(command) == 1 and words and words[0] in context.stored_workspaces() and not shutil.which(words[0]):
        raise WrongUsage("There is no command to run.", f"Try: mistral-nb run {words[0]} -- python app.py")
    if not words:
        raise WrongUsage("There is no command to run.", "Try: mistral-nb run WORKSPACE -- python app.py")
    try:
        report = yield from switch.action(context, workspace, force=force, yes=yes)
    except MistralNbError as error:
        raise CommandNotStarted(error.failed, error.todo) from None
    if report.data.get("ask_first"):
        yield Step(report.title)
    for note in report.notes:
        yield Step(note)
    return _exec_command(words, context)


def _exec_command(words: list[str], context: Context) -> Report:
    try:
        if os.name == "posix":
            for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores these, and an exec would pass that on
                signal.signal(getattr(signal, name), signal.SIG_DFL)
            os.execvpe(words[0], words, child_environment(RUN, context.environ))  # noqa: S606, no shell is wanted
        return Report("", exit_code=_run_child(words, context))
    except (OSError, ValueError) as error:  # ValueError: an empty name
        reason = getattr(error, "strerror", None) or "it has no name"
        raise CommandNotStarted(f"{words[0]} could not be started: {reason}.", "Check the command after --.") from None


def _run_child(words: list[str], context: Context) -> int:
    """For systems without exec (Windows; not tested there). Ctrl-C goes to the child."""
    child = subprocess.Popen(words, env=child_environment(RUN, context.environ))
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue
