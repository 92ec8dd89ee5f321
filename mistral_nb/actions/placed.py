"""The last step of `use` and `add`: the key into the environment, and what is said of it."""

from mistral_nb import session
from mistral_nb.actions.context import Context
from mistral_nb.key import Key
from mistral_nb.report import Report
from mistral_nb.store.index import Workspace

STORE_NAMES = {"keyring": "the keyring", "file": "the encrypted file", "memory": "the memory of this process"}


def placed(
    context: Context,
    key: Key,
    workspace: str | None,
    origin: str,
    *,
    why: str = "",
    notes: tuple[str, ...] = (),
) -> Report:
    """Put ``key`` into the environment; the report names it, its origin, and what it replaced."""
    before = context.active
    session.activate(key, workspace, origin, context.environ)
    entry = context.kept().get(workspace) if workspace else None
    whose = shown(workspace, key.tail, entry)
    because = f"; {why}" if why else ""
    return Report(
        f"MISTRAL_API_KEY is set: {whose} (from {origin}{because}).",
        notes=(*_replaced(before, key), *notes, *warnings(context)),
        data={
            "workspace": workspace,
            "tail": key.tail,
            "origin": origin,
            **({"protected": True} if entry and entry.protected else {}),
        },
    )


def shown(workspace: str | None, tail: str, entry: Workspace | None = None) -> str:
    """How a key is named wherever it is named: ``prod …Ug6Y (protected)``."""
    name = f"{workspace} …{tail}" if workspace else f"…{tail}"
    return f"{name} (protected)" if entry and entry.protected else name


def warnings(context: Context) -> tuple[str, ...]:
    """What makes a key that is in place useless or unprotected."""
    found = []
    if context.environ.get("MISTRAL_SA_TOKEN_PATH"):
        found.append(
            "MISTRAL_SA_TOKEN_PATH is set: the SDK takes that token and ignores this key. Unset it to use the key."
        )
    found.extend(f"Saves are not protected from this key. {why}" for why in session.unremembered())
    return tuple(found)


def store_name(entry: Workspace) -> str:
    return STORE_NAMES.get(entry.store, entry.store)


def _replaced(before: session.Active | None, key: Key) -> tuple[str, ...]:
    if before is None or before.key == key:
        return ()
    if before.ours:
        return (f"It replaced …{before.key.tail} in this process.",)
    return (f"It replaced …{before.key.tail}, which was in the environment before mistral_nb.",)
