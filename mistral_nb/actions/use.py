"""`use`: a workspace's key into this process's environment.

Where a key comes from, in this order: the environment, MISTRAL_API_KEY_FILE, the store, asking. Naming
a workspace is the override: then only the store, and asking.
"""

from collections.abc import Generator

from mistral_nb import session
from mistral_nb.actions import choose, expiry, obtain, reach, unfinished, unlock
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import placed, store_name, warnings
from mistral_nb.errors import MistralNbError, StoreError
from mistral_nb.key import Key, Secret
from mistral_nb.report import Action, Answer, Ask, Report, Step
from mistral_nb.store.bounded import TookTooLong, bounded
from mistral_nb.store.index import Workspace

_KEY_FILE_SECONDS = 3.0  # a named pipe that nobody writes to would block for ever


def action(context: Context, workspace: str | None = None, force: bool = False, yes: bool = False) -> Action:
    """Put a key into the environment. A kept key is never verified here: no network."""
    if workspace is None:
        there = yield from _there_already(context)
        if there:
            return there
    choice = yield from choose.choose(context, workspace)
    entry = context.kept().get(choice.name or "")
    if context.problem:
        yield Step(context.problem)
    if choice.name and entry:
        reach.refuse_admin(context, choice.name, entry)
        reach.refuse_past(context, choice.name, entry, force=force)
        yield from reach.permitted(context, choice.name, entry, yes=yes)
    there = None if workspace else _in_place(context, choice, entry)
    if there:
        return there
    if choice.name and entry:
        return (yield from _kept(context, choice, entry))
    if choice.name and context.kept() and context.interactive and not context.form:  # mistyped, perhaps
        yield Step(f"No key is kept here for {choice.name}; there is one for {', '.join(context.kept())}.")
    got = yield from obtain.obtain(context, obtain.Wishes(workspace=choice.name))
    return placed(
        context, got.key, got.workspace, f"what you typed, kept in {store_name(got.entry)}", notes=got.notes()
    )


def _there_already(context: Context) -> Generator[Ask | Step, Answer, Report | None]:
    """The variable of someone else's, or the mounted file; None where neither is there."""
    active = context.active
    if active and not active.ours:
        session.enter(active.key, context.index)
        kept_as = [n for n, e in context.kept().items() if e.fingerprint == active.key.fingerprint]
        name = f", which is kept here as {kept_as[0]}" if kept_as else ""
        tidied = ("It stood there with quotes or white space, which the API refuses: they are removed.",)
        hint = (f"To use a kept key in its place: {context.typed('use WORKSPACE')}",) if context.in_notebook else ()
        return Report(
            f"MISTRAL_API_KEY was already set, to …{active.key.tail}{name}. It stays.",
            notes=(*(tidied if session.tidy(context.environ) else ()), *hint, *warnings(context)),
        )
    if session.not_a_key(context.environ):
        yield Step("MISTRAL_API_KEY holds no key (a placeholder, or what was left where one was removed).")
    if context.config.key_file and not (active and active.workspace):
        key = read_key_file(context.config.key_file)
        session.enter(key, context.index)
        return placed(context, key, None, f"the file {context.config.key_file} (MISTRAL_API_KEY_FILE)")
    return None


def _in_place(context: Context, choice: choose.Choice, entry: Workspace | None) -> Report | None:
    """Our own key, put here by this process or by one that started it: no store has to be opened for it."""
    active = context.active
    if active is None or not active.ours or active.workspace != choice.name:
        return None
    if entry and entry.fingerprint != active.key.fingerprint:  # another one is kept by now
        return None
    session.enter(active.key, context.index)
    notes = () if entry else ("It is kept in no store here: it works until the process that has it ends.",)
    return placed(context, active.key, choice.name, active.origin, why=choice.why, notes=notes)


def _kept(context: Context, choice: choose.Choice, entry: Workspace) -> Generator[Ask | Step, Answer, Report]:
    name = str(choice.name)
    yield from unfinished.finish(context)
    key = yield from unlock.unlocked(context, lambda: context.keeper.read(name))
    session.enter(key, context.index)
    words, state = expiry.sentence(entry, context.today())
    notes = (f"This key {words if state == 'bad' else 'expires ' + words}.",) if state in ("warn", "bad") else ()
    return placed(context, key, name, store_name(entry), why=choice.why, notes=notes)


def read_key_file(path: str) -> Key:
    """The key in a mounted file, such as a container's secret. Raises `MistralNbError`."""
    repair = "Put the key alone into that file, or unset MISTRAL_API_KEY_FILE."
    try:
        return Key.parse(bounded(lambda: _content(path), _KEY_FILE_SECONDS))
    except TookTooLong:
        failed = f"MISTRAL_API_KEY_FILE, {path}, gave nothing within {_KEY_FILE_SECONDS:g} seconds."
        raise MistralNbError(failed, repair) from None
    except StoreError as error:
        raise MistralNbError(f"MISTRAL_API_KEY_FILE, {path}, can't be read: {error.failed}", repair) from None
    except MistralNbError as error:
        raise MistralNbError(f"MISTRAL_API_KEY_FILE, {path}, holds no key. {error.failed}", repair) from None


def _content(path: str) -> Secret | StoreError:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return Secret(file.read(4096))
    except OSError as error:
        return StoreError(f"{error.strerror or type(error).__name__}.")
