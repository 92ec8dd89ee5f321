"""Which workspace is meant, and whether a project or an API host is agreed to."""

import contextlib
import re
from collections.abc import Generator
from typing import NamedTuple

from mistral_nb.actions.context import Context
from mistral_nb.commands import COMMANDS
from mistral_nb.errors import CannotAsk, HostRefused, IndexNotWritten, IndexTooNew, IndexUnreadable, WrongUsage
from mistral_nb.key import Key, key_shaped
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store.index import ADMIN

Talk = Generator[Ask | Step, Answer, "Choice"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Choice(NamedTuple):
    """A workspace's name, and why it is this one; ``name`` is None where none is kept yet."""

    name: str | None
    why: str = ""


def checked_name(name: str, key: Key | None = None) -> str:
    """A name for a workspace. Raises `WrongUsage` for one that can't be typed or stored, or as `refuse_a_key`."""
    if name in {command.name for command in COMMANDS}:
        raise WrongUsage(f"A workspace can't be named {name}: that is a sub-command.", "Choose another name.")
    refuse_a_key(name, key)
    if not _NAME.fullmatch(name):
        raise WrongUsage(
            "A workspace's name is at most 64 letters, digits, dots, dashes and underscores.",
            "Choose another name, such as dev or prod.",
        )
    return name


def refuse_a_key(name: str, key: Key | None = None) -> None:
    """Names are kept in clear. Raises `WrongUsage` for what looks like a key, or holds the one just typed."""
    if key_shaped(name) or (key is not None and key.reveal() in name):
        raise WrongUsage("This looks like a key, not like a name; it was not taken.", "Give a name, such as dev.")


def slug(name: str | None) -> str:
    """A workspace's name here, from the one it has at Mistral: ``Team Research`` → ``team-research``."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", (name or "").lower()).strip("-._")[:64]
    reserved = {command.name for command in COMMANDS}
    return plain if plain and plain not in reserved else "default"


def choose(context: Context, named: str | None) -> Talk:
    """The workspace: the argument, this process's, the variable's, the project's, the only one, or ask."""
    if named:
        return Choice(checked_name(named))
    active = context.active
    if active and active.workspace:
        return Choice(active.workspace, "in use in this process")
    if context.config.workspace:
        return Choice(checked_name(context.config.workspace), "from MISTRAL_NB_WORKSPACE")
    if context.config.project.table.get("workspace"):
        return (yield from _of_the_project(context))
    kept = [name for name, entry in context.kept().items() if entry.kind != ADMIN]
    if len(kept) > 1:
        return (yield from _one_of(kept))
    return Choice(kept[0]) if kept else Choice(None)


def _of_the_project(context: Context) -> Talk:
    project = context.config.project
    name = checked_name(str(project.table["workspace"]))
    question = f"project:{project.file}"
    if _chosen(context, question) != name:
        try:
            answer = yield Ask(
                "project",
                f"{project.file} asks for the key of workspace {name}. Use it for this project?",
                choices=("yes", "no"),
            )
        except CannotAsk:
            raise CannotAsk(
                f"{project.file} asks for workspace {name}, and nobody is here to agree to that.",
                f"Say it yourself: {context.typed_use(name)}, or set MISTRAL_NB_WORKSPACE={name}.",
            ) from None
        if answer != "yes":
            raise WrongUsage(
                f"Workspace {name} of {project.file} is not used.",
                f"Name the one you want: {context.typed_use('WORKSPACE')}.",
            )
        _note(context, question, name)
    return Choice(name, f"from {project.file}")


def _one_of(kept: list[str]) -> Talk:
    try:
        answer = yield Ask("workspace", "Which workspace?", choices=tuple(kept))
    except CannotAsk:
        raise CannotAsk(
            f"There are several workspaces ({', '.join(kept)}), and nobody is here to say which.",
            "Name one, or set MISTRAL_NB_WORKSPACE.",
        ) from None
    return Choice(str(answer))


def agree_to_host(context: Context) -> Generator[Ask | Step, Answer, None]:
    """Before a key goes to a host that is not Mistral's: a typed yes, recorded. Raises `HostRefused`."""
    from mistral_nb.api.client import check_host

    base = context.config.api
    kind = check_host(base)
    refused = HostRefused(
        f"MISTRAL_NB_API is {base}, which is not Mistral's, and keys are not sent there.",
        "Unset MISTRAL_NB_API, or answer yes where you can be asked.",
    )
    if kind in ("mistral", "loopback"):
        return
    if kind == "insecure":
        raise HostRefused(f"MISTRAL_NB_API is {base}: a key is never sent without https.", "Use https.")
    if _chosen(context, f"host:{base}") == "yes":
        return
    try:
        answer = yield Ask("host", f"{base} is not Mistral's. Send your keys there? Type yes to agree")
    except CannotAsk:
        raise refused from None
    if answer != "yes":
        raise refused
    _note(context, f"host:{base}", "yes")


def _chosen(context: Context, question: str) -> str | None:
    """What was answered once; nothing where the index can't be read: then it is asked again."""
    try:
        return context.contents().choices.get(question)
    except IndexUnreadable as error:
        context.problem = str(error)
        return None


def _note(context: Context, question: str, answer: str) -> None:
    """Note an answer, so that it is not asked for again; where that can't be, the work goes on."""
    with contextlib.suppress(IndexUnreadable, IndexTooNew, IndexNotWritten), context.index.edit() as contents:
        contents.choices[question] = answer
