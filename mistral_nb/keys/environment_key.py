"""The key of this process's environment as a callable, where nothing is stored: a worker's that was given it."""

from mistral_nb import environment
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.config import API_KEY_VARIABLE
from mistral_nb.errors import WrongUsage
from mistral_nb.keys.activation_report import format_key
from mistral_nb.keys.auth import LiveKey, open_live_key
from mistral_nb.report import Dialog


def open_any_key(context: Context, workspace: str | None, *, force: bool = False, yes: bool = False) -> Dialog[LiveKey]:
    """As `open_live_key`; without a workspace, and where none is stored, the key of this process if it has one."""
    active = context.active
    if workspace is None and active is not None and not context.key_manager.workspaces():
        environment.register_key_in_background(active.key)
        return EnvironmentKey(context, active.key)
    return (yield from open_live_key(context, workspace, force=force, yes=yes))


class EnvironmentKey(LiveKey):
    """Returns the key that is in ``MISTRAL_API_KEY`` when called. Raises `WrongUsage` if there is none any more."""

    def __init__(self, context: Context, key: Key) -> None:
        super().__init__(context, "", key, format_key(None, key.tail))

    def _read_key(self) -> Key:
        active = environment.active_key(self._context.environ)
        if active is None:
            raise WrongUsage(
                f"{API_KEY_VARIABLE} holds no key any more: …{self._key.tail} was taken out of this process.",
                f"Set {API_KEY_VARIABLE} again, or store a key: {self._context.format_command('login')}.",
            )
        if active.key.fingerprint != self._key.fingerprint:
            environment.register_key_in_background(active.key)
            self._key, self._name = active.key, format_key(None, active.key.tail)
        return active.key

    def _describe_refusal(self, key: Key) -> str:
        return (
            f"the API answered 401 to the key in {API_KEY_VARIABLE} (…{key.tail}). If it was revoked or has expired, "
            "set a new one. The next request takes it."
        )
