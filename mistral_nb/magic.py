"""``%mistral_key``: one line in a notebook, an action driven, its report shown."""

import contextlib
import os
import re
import shlex
from collections.abc import Iterator
from typing import Any

from mistral_nb import config, session
from mistral_nb import report as drawing
from mistral_nb.actions.context import Context
from mistral_nb.actions.reminders import reminder
from mistral_nb.commands import CLI, MAGIC, commands
from mistral_nb.errors import Cancelled, MistralNbError, WrongUsage
from mistral_nb.kernel import cell, guard
from mistral_nb.kernel.ask import can_ask
from mistral_nb.key import Key, Secret, key_or_none, key_shaped
from mistral_nb.parsing import parser
from mistral_nb.report import Report
from mistral_nb.store.index import COMPROMISED, Index

NAME = "mistral_key"
RETURNING = ("status", "list", "verify", "doctor", "usage")  # what they return, IPython shows; the others print


def load(shell: Any) -> None:
    """``%load_ext mistral_nb``: the magic, its completion, and the guard. Opens nothing, asks nothing."""
    guard.start(shell)
    shell.register_magic_function(lambda line: run(shell, line), "line", NAME)
    shell.set_hook("complete_command", lambda _, event: complete(event), str_key=f"%{NAME}")
    shell.register_magic_function(_cell, "cell", NAME)
    cell.install(shell)
    line = "MISTRAL_API_KEY holds no key (a placeholder or a marker). To set it: %mistral_key"
    line = line if session.not_a_key() else _reminder()
    if line:
        print(line)  # noqa: T201, a host prints


def unload(shell: Any) -> None:
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop(NAME, None)
    shell.strdispatchers["complete_command"].strs.pop(f"%{NAME}", None)
    cell.uninstall(shell)
    guard.stop(shell)


def run(shell: Any, line: str) -> Report | None:
    """Run one line of the magic: a sub-command, a workspace's name, or nothing for `use`."""
    from mistral_nb.prompting import perform

    _refuse_a_key(shell, line)
    context = _context(shell)
    flags = vars(parser(MAGIC).parse_args(_words(line, context)))
    name, as_json = flags.pop("sub_command"), flags.pop("json", False)
    wait = not flags.pop("no_wait", False)
    card = flags.pop("widget", False) or not wait or None
    try:
        outcome = perform(shell, name, flags, card=card, wait=wait)
    except KeyboardInterrupt:
        raise Cancelled("Cancelled; nothing was changed.") from None
    if outcome.report is None or outcome.shown:
        return None
    return _shown(outcome.report, returned=name in RETURNING, as_json=as_json)


def complete(event: Any) -> list[str]:
    """Sub-commands, workspaces and flags for what is typed so far."""
    words = event.line.split()[1:]
    table = commands(MAGIC)
    if words and words[0] in table and event.symbol.startswith("-"):
        return [name for flag in table[words[0]].flags for name in flag.names if name.startswith("-")]
    try:
        kept = list(Index(config.home(os.environ)).read().workspaces)
    except MistralNbError:
        kept = []
    first = not words or (len(words) == 1 and not event.line.endswith(" "))
    return [*table, *kept] if first else kept


def _words(line: str, context: Context) -> list[str]:
    """The words of a line; a first one that is no sub-command is a workspace to use."""
    try:
        words = shlex.split(_without_comment(line))
    except ValueError:
        raise WrongUsage("A quote is not closed.", "Try: %mistral_key help") from None
    if not words:
        return ["use"]
    if words[0] in ("-h", "--help"):
        return ["help"]
    if {"-h", "--help"} & set(words):
        return ["help", words[0]]
    if words[0] in commands(CLI) and words[0] not in commands(MAGIC):
        raise WrongUsage(f"{words[0]} is for a terminal.", f"Try: !mistral-nb {words[0]} …")
    if words[0] in commands(MAGIC) or words[0].startswith("-"):
        return words if words[0] in commands(MAGIC) else ["use", *words]
    kept = context.keeper.workspaces()
    import difflib  # nothing that %load_ext has to wait for

    meant = difflib.get_close_matches(words[0], [*commands(MAGIC), *kept], n=1, cutoff=0.75)
    if words[0] not in kept and meant:
        raise WrongUsage(
            f"There is no sub-command and no workspace {words[0]}.",
            f"Did you mean: %mistral_key {meant[0]}? For a new workspace: %mistral_key use {words[0]}",
        )
    return ["use", *words]


def _without_comment(line: str) -> str:
    """The line up to a ``#`` that begins a word, as in Python and in a shell; IPython hands over all of it."""
    for comment in re.finditer(r"(?:^|\s)#", line):
        with contextlib.suppress(ValueError):  # a quote is open: then it is no comment
            shlex.split(line[: comment.start()])
            return line[: comment.start()]
    return line


def _reminder() -> str:
    """What the index alone tells of an expiry; nothing at all is in the way of loading."""
    try:
        return reminder(Context(host=MAGIC))
    except MistralNbError:
        return ""


@contextlib.contextmanager
def in_this_cell(line: str) -> Iterator[None]:
    """What the first line of ``%%mistral_key prod`` becomes, around the rest of the cell."""
    from IPython.core.getipython import get_ipython

    from mistral_nb.prompting import perform

    shell = get_ipython()
    _refuse_a_key(shell, line)
    words = _words(line, _context(shell))
    if words == ["use"] or line.split(maxsplit=1)[0] in commands(MAGIC):
        raise WrongUsage(f"%%{NAME} takes the name of a workspace.", f"Try: %%{NAME} prod")
    given = vars(parser(MAGIC).parse_args(words))
    flags = {name: given[name] for name in ("workspace", "force", "yes")}
    state = session.before()
    try:
        report = perform(shell, "use", flags, card=False).report
        print(f"{report.title if report else ''} For this cell alone.")  # noqa: T201, a host prints
        yield
    finally:
        _put_back(state)


def _put_back(state: session.Before) -> None:
    """What was there before the cell, save for a key that was revoked meanwhile."""
    key = key_or_none(state.key)
    if key is None or not _is_revoked(key):
        session.put_back(state)
        return
    session.put_back(session.Before(None, None))
    print(f"The key before this cell, …{key.tail}, was revoked: no key is set now. To set one: %{NAME}")  # noqa: T201, a host prints


def _is_revoked(key: Key) -> bool:
    try:
        seen = Index(config.home(os.environ)).read().seen.get(key.fingerprint)
    except MistralNbError:  # is reported elsewhere; the cell has to end as it began
        return False
    return seen is not None and seen.state == COMPROMISED


def refuse_this_cell(_: str) -> None:
    """What that line is until `in_this_cell` takes its place; a magic around it may have kept it from that."""
    raise WrongUsage(
        f"%%{NAME} could not be put around this cell, so nothing of it was run.",
        f"Make %%{NAME} its first line, with the other magic below it; or in code: mistral_nb.key(…).",
    )


def _cell(line: str, cell: str) -> None:  # noqa: ARG001, IPython passes both
    """Run a cell with another workspace's key, and put the first one back.

    %%mistral_key prod
    client.chat.complete(...)

    The key is put back also after an error or an interrupt. An environment variable is shared: while the
    cell runs, all threads and running tasks of this process see the other key, and what they start
    inherits it. Where that matters, give the key itself: Mistral(api_key=mistral_nb.key("prod")), or
    httpx.Client(auth=mistral_nb.auth("prod")).
    """
    raise WrongUsage(f"%%{NAME} must be the first line of its cell.", "Move it there.")


def _context(shell: Any) -> Context:
    return Context(host=MAGIC, interactive=can_ask(shell), say=print)


def _shown(report: Report, returned: bool, as_json: bool) -> Report | None:
    if as_json:
        print(drawing.as_json(report))  # noqa: T201, a host prints
        return None
    if returned:
        return report
    print(report)  # noqa: T201, a host prints
    return None


def _refuse_a_key(shell: Any, line: str) -> None:
    """A key is never an argument: take it out of the history, note it, and say so."""
    words = key_shaped(line)
    if not words:
        return
    from mistral_nb.kernel.history import take_out

    left = ""
    for word in words:
        key = key_or_none(word)
        if key:
            session.enter(key, Index(config.home(os.environ)))
        try:
            take_out(shell, key or Secret(word))
        except MistralNbError as error:
            left = f" {error}"
    history = "It was taken out of the history, but this" if not left else "This"
    raise WrongUsage(
        f"An argument looks like a key. {history} cell still holds it.{left}",
        f"Delete it from the cell, and type %{NAME} alone: it asks for the key, masked.",
    )
