"""Runs actions as a host does, with a person whose answers are a table."""

import io
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mistral_nb.api_key import Key, Secret
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive, load_action
from mistral_nb.command_table import COMMANDS
from mistral_nb.errors import CannotAsk
from mistral_nb.report import Answer, Ask, Report
from support.patience import PATIENCE

TODAY = date(2027, 3, 1)  # by the clock of the contexts
PASSPHRASE = "a passphrase of the tests"  # of the encrypted file
Said = str | Key | list[Any] | Callable[[Ask], Answer] | BaseException


@dataclass
class Person:
    """Answers by question name; a list is consumed one by one. A question without an answer can't be asked.

    Whoever types `revoke` means it, unless the test says otherwise.
    """

    answers: Mapping[str, Said]
    asked: list[Ask] = field(default_factory=list)

    def __call__(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        if ask.name == "revoke" and "revoke" not in self.answers:
            return "yes"
        if ask.name not in self.answers:
            raise CannotAsk("Cannot prompt here.")
        said = self.answers[ask.name]
        if isinstance(said, list):
            said = said.pop(0)
        if callable(said):
            said = said(ask)
        if isinstance(said, BaseException):
            raise said
        if isinstance(said, Key):
            return said
        return Secret(str(said)) if ask.masked else str(said)

    @property
    def names(self) -> list[str]:
        return [ask.name for ask in self.asked]


@dataclass
class Acted:
    report: Report
    steps: list[str]
    person: Person

    @property
    def shown(self) -> str:
        return "\n".join([*self.steps, str(self.report)])


def act(context: Context, name: str, answers: Mapping[str, Said] | None = None, /, **flags: Any) -> Acted:
    """One sub-command, from the table's action to its report. Raises what the action raises."""
    command = next(command for command in COMMANDS if command.name == name)
    person, steps = Person(answers or {}), []
    report = drive(load_action(command)(context, **flags), person, steps.append)
    return Acted(report, steps, person)


def shown_by(error: BaseException) -> str:
    """Everything that a traceback of an error could print."""
    import traceback

    out = io.StringIO()
    traceback.print_exception(error, file=out)
    return out.getvalue()


def mistral_nb(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """The real command line, in a process of its own, without anybody to answer."""
    command = [sys.executable, "-m", "mistral_nb", *words]
    return subprocess.run(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
    )


def read(new_context: Callable[..., Context]) -> dict[str, Key]:
    """Every stored key, by workspace."""
    keeper = new_context().key_manager
    return {name: keeper.read(name) for name in keeper.workspaces()}
