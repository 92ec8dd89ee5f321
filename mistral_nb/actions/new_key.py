"""The new key of a rotation: how it is made at Mistral, and one that can be it."""

from collections.abc import Generator
from datetime import timedelta

from mistral_nb.actions import ask_key, expiry
from mistral_nb.actions.context import Context
from mistral_nb.actions.pages import page_of
from mistral_nb.actions.placed import shown
from mistral_nb.errors import CannotAsk, NotAKey
from mistral_nb.key import Key
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store.index import COMPROMISED, LIVE, Workspace

Talk = Generator[Ask | Step, Answer, Key]
_TRIES = 3
_DAYS = 90  # proposed where the project names no age


def guidance(context: Context, name: str, key_name: str | None, old: Workspace) -> Generator[Ask | Step, Answer, None]:
    today = context.today()
    until = today + timedelta(days=expiry.policy(context.config.project) or _DAYS)
    where = f" in the workspace {old.mistral_workspace}" if old.mistral_workspace else ""
    yield Step(f"Rotating {shown(name, old.tail, old)}. It stays in use until the new key is accepted.")
    yield Step(f"1. Make a new key{where}: {page_of(old.kind)}")
    yield Step(f"   As its name: {key_name or f'{name}-{today}'}; as its expiration: {until}")
    yield Step("2. Paste it here.")


def ask(context: Context, name: str, old: Workspace) -> Talk:
    """A key that can be the new one. The old one, or one that is known otherwise, is asked about again."""
    problem = ""
    for _ in range(_TRIES):
        try:
            key = yield from ask_key.ask_for_key(context, name)
        except CannotAsk as error:
            if problem:
                break
            raise CannotAsk(error.failed, f"Pipe it in: … | {context.typed(f'rotate {name}')}") from None
        problem = _unfit(context, old, key)
        if not problem:
            return key
        yield Step(problem)
    raise NotAKey("known", problem, f"Nothing was changed. Make a new key: {page_of(old.kind)}")


def _unfit(context: Context, old: Workspace, key: Key) -> str:
    if key.fingerprint == old.fingerprint:
        return f"This is the old key, …{key.tail}."
    for other, entry in context.keeper.workspaces().items():
        if entry.fingerprint == key.fingerprint:
            return f"This is the key of workspace {other}, …{key.tail}."
    noted = context.contents().seen.get(key.fingerprint)
    if noted and noted.state != LIVE:
        what = "revoked here" if noted.state == COMPROMISED else "replaced here before"
        return f"This key, …{key.tail}, was {what}."
    return ""
