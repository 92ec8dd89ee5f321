"""The Admin key: where it comes from, and what is asked with it."""

from collections.abc import Generator
from typing import NamedTuple

from mistral_nb import session
from mistral_nb.actions import choose, reach, unlock
from mistral_nb.actions.context import Context
from mistral_nb.api.host import check_host
from mistral_nb.api.verdict import Verdict
from mistral_nb.config import ADMIN_VARIABLE
from mistral_nb.errors import AdminFailed, CannotAsk, HostRefused, WrongUsage
from mistral_nb.key import Key, key_or_none
from mistral_nb.report import Answer, Ask, Step
from mistral_nb.store.index import ADMIN


class Found(NamedTuple):
    key: Key
    origin: str


def base(context: Context) -> str:
    """Where the Admin API is: at the API, or where ``MISTRAL_NB_ADMIN_API`` says."""
    return (context.environ.get("MISTRAL_NB_ADMIN_API") or f"{context.config.api}/v1/admin").rstrip("/")


def at_hand(context: Context) -> bool:
    """Whether there is an Admin key: in the environment, or kept."""
    return bool(context.environ.get(ADMIN_VARIABLE) or kept(context))


def kept(context: Context) -> list[str]:
    return [name for name, entry in context.kept().items() if entry.kind == ADMIN]


def find(context: Context) -> Generator[Ask | Step, Answer, Found]:
    """The Admin key, noted like any key. Raises `WrongUsage` without one."""
    yield from agree_to_host(context)
    given = context.environ.get(ADMIN_VARIABLE)
    key = key_or_none(given)
    if given and key is None:
        raise WrongUsage(f"{ADMIN_VARIABLE} holds no key.", "Set it to an Admin key, or unset it.")
    found = Found(key, ADMIN_VARIABLE) if key else (yield from _kept_one(context))
    _refuse_ordinary(context, found)
    session.enter(found.key, context.index)
    return found


def _kept_one(context: Context) -> Generator[Ask | Step, Answer, Found]:
    names = kept(context)
    if not names:
        raise WrongUsage(
            "This needs an Admin key of your organisation, and none is here.",
            f"Keep one: {context.typed('add --admin')}, or set {ADMIN_VARIABLE}.",
        )
    name = names[0]
    if len(names) > 1:
        try:
            name = str((yield Ask("admin key", "Which Admin key?", choices=tuple(names))))
        except CannotAsk:
            raise CannotAsk(
                f"There are several Admin keys ({', '.join(names)}), and nobody is here to say which.",
                f"Set {ADMIN_VARIABLE} to the one, or forget the others.",
            ) from None
    yield from reach.permitted(context, name, context.kept()[name])
    key = yield from unlock.unlocked(context, lambda: context.keeper.read(name))
    return Found(key, f"kept as {name}")


def _refuse_ordinary(context: Context, found: Found) -> None:
    for name, entry in context.kept().items():
        if entry.fingerprint == found.key.fingerprint and entry.kind != ADMIN:
            raise AdminFailed(
                f"The Admin key from {found.origin} is …{found.key.tail}, the ordinary key of workspace {name}.",
                "An Admin key is made in the Backoffice; an ordinary key never is one.",
                "refused",
            )


def agree_to_host(context: Context) -> Generator[Ask | Step, Answer, None]:
    """As `choose.agree_to_host`; an Admin API elsewhere than the API is Mistral's or this machine's."""
    yield from choose.agree_to_host(context)
    place = base(context)
    if not place.startswith(context.config.api) and check_host(place) not in ("mistral", "loopback"):
        raise HostRefused(
            "MISTRAL_NB_ADMIN_API is not Mistral's, and Admin keys are not sent there.", "Correct or unset it."
        )


def verify(context: Context) -> None:
    """From here on, this call of an action asks the Admin API about keys."""

    def ask(key: Key, _: str) -> Verdict:
        from mistral_nb.api import admin

        return admin.verify(key, base(context))

    context.verify = ask
