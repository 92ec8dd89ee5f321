"""The Admin key: where it comes from, and the API it is used with."""

from typing import NamedTuple

from mistral_nb import environment
from mistral_nb.api.hosts import classify_host
from mistral_nb.api.verdict import Verdict
from mistral_nb.api_key import Key, key_or_none
from mistral_nb.command_context import Context
from mistral_nb.config import ADMIN_VARIABLE
from mistral_nb.errors import AdminFailed, CannotAsk, HostRefused, WrongUsage
from mistral_nb.keys import host_consent, passphrase_prompt, use_checks
from mistral_nb.keys.admin_access import stored_admin_workspaces
from mistral_nb.report import Ask, Dialog
from mistral_nb.storage.index import ADMIN


class AdminCredential(NamedTuple):
    key: Key
    origin: str


def admin_base_url(context: Context) -> str:
    """Where the Admin API is: at the API, or where ``MISTRAL_NB_ADMIN_API`` says."""
    return (context.environ.get("MISTRAL_NB_ADMIN_API") or f"{context.config.api}/v1/admin").rstrip("/")


def find_admin_key(context: Context) -> Dialog[AdminCredential]:
    """The Admin key, remembered like any key. Raises `WrongUsage` without one."""
    yield from confirm_admin_host(context)
    given = context.environ.get(ADMIN_VARIABLE)
    key = key_or_none(given)
    if given and key is None:
        raise WrongUsage(f"{ADMIN_VARIABLE} does not contain a key.", "Set it to an Admin key, or unset it.")
    found = AdminCredential(key, ADMIN_VARIABLE) if key else (yield from _read_stored_admin_key(context))
    _refuse_ordinary_key(context, found)
    environment.register_key(found.key, context.index)
    return found


def _read_stored_admin_key(context: Context) -> Dialog[AdminCredential]:
    names = stored_admin_workspaces(context)
    if not names:
        raise WrongUsage(
            "This requires an Admin key for your organisation; none was found.",
            f"Store one: {context.format_command('login --admin')}, or set {ADMIN_VARIABLE}.",
        )
    name = names[0]
    if len(names) > 1:
        try:
            name = str((yield Ask("admin key", "Which Admin key?", choices=tuple(names))))
        except CannotAsk:
            raise CannotAsk(
                f"There are several Admin keys ({', '.join(names)}); specify which one.",
                f"Set {ADMIN_VARIABLE} to one of them, or delete the others.",
            ) from None
    yield from use_checks.confirm_ask_first(context, name, context.stored_workspaces()[name])
    key = yield from passphrase_prompt.run_unlocked(context, lambda: context.key_manager.read(name))
    return AdminCredential(key, f"stored as {name}")


def _refuse_ordinary_key(context: Context, found: AdminCredential) -> None:
    for name, entry in context.stored_workspaces().items():
        if entry.fingerprint == found.key.fingerprint and entry.kind != ADMIN:
            raise AdminFailed(
                f"The Admin key from {found.origin} is …{found.key.tail}, the ordinary key of workspace {name}.",
                "Admin keys are created in the Backoffice; an ordinary key does not work here.",
                "refused",
            )


def confirm_admin_host(context: Context) -> Dialog[None]:
    """As `workspace_choice.confirm_host`; an Admin API elsewhere than the API is Mistral's or this machine's."""
    yield from host_consent.confirm_host(context)
    place = admin_base_url(context)
    if not place.startswith(context.config.api) and classify_host(place) not in ("mistral", "loopback"):
        raise HostRefused(
            "MISTRAL_NB_ADMIN_API is not a Mistral host; Admin keys are not sent there.", "Correct or unset it."
        )


def verify_with_admin_api(context: Context) -> None:
    """Make this call of an action verify keys with the Admin API."""

    def ask(key: Key, _: str) -> Verdict:
        from mistral_nb.admin import client

        return client.verify_admin_key(key, admin_base_url(context))

    context.ask_api = ask
