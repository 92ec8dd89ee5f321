"""This process: its known secrets and who is told of them, and what we set in its environment.

`register_key` is the one way in for a key that this process learns, from wherever: the guard then looks for it
here, and its fingerprint is in the index, so that hooks in other processes look for it too.

The environment itself is the state: ``MISTRAL_API_KEY`` is ours exactly when its fingerprint is the
one in ``MISTRAL_NB_ACTIVE=WORKSPACE:FINGERPRINT``. Children inherit both.
"""

import os
from collections.abc import Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import NamedTuple

from mistral_nb.api_key import MARKER, Key, Secret, key_or_none
from mistral_nb.config import ACTIVE_VARIABLE, API_KEY_VARIABLE, data_folder, keys_in
from mistral_nb.errors import MistralNbError, NotAKey
from mistral_nb.key_origin import origin_in
from mistral_nb.storage.background_index import BackgroundIndex
from mistral_nb.storage.index import LIVE, Index, Workspace
from mistral_nb.storage.vault_passphrase import is_guarded

MutableEnviron = MutableMapping[str, str]


class ActiveKey(NamedTuple):
    """The key in the environment.

    ``workspace``: which one keeps it, by its fingerprint, whoever put it there; for one that is kept no
    longer, the workspace that it was put there for; else None. ``is_ours``: this package put it there, in this
    process or in a parent of it. ``origin``: where it came from, to be shown.
    """

    key: Key
    workspace: str | None
    is_ours: bool
    origin: str


class SecretEvent(NamedTuple):
    """The event for subscribers: a secret entered this process, or a key was set in its environment, or removed."""

    kind: str  # entered, activated, deactivated
    secret: Secret


SecretEventCallback = Callable[[SecretEvent], None]
_subscribers: list[SecretEventCallback] = []
_origins: dict[str, str] = {}
_remember_problems: dict[str, str] = {}
_known_secrets: list[Secret] = []
_refused_fingerprints: set[str] = set()


def on_secret_event(callback: SecretEventCallback) -> Callable[[], None]:
    """Call ``callback`` at every `SecretEvent`; the function returned ends that."""
    _subscribers.append(callback)
    return lambda: _subscribers.remove(callback) if callback in _subscribers else None


def known_secrets() -> tuple[Secret, ...]:
    """Every secret that entered this process, for subscribers that start later and missed the events."""
    return tuple(_known_secrets)


def register_secret(secret: Secret) -> None:
    """Register what is guarded in this process alone, such as another vendor's key."""
    _notify(SecretEvent("entered", secret))


def register_passphrase(passphrase: Secret) -> None:
    """Register a passphrase that opened something; a very short one would take words out of notebooks."""
    if is_guarded(passphrase):
        register_secret(passphrase)


def register_key(key: Key, index: Index, state: str = LIVE, *, confirmed: bool = False) -> None:
    """Register a key that is Mistral's by its label: subscribers are notified, and the index has its fingerprint.

    Call it before the key is stored, injected or verified. A value that does not look like a key of Mistral's
    enters the index only if ``confirmed``: it is stored, or Mistral accepted it; or with a ``state`` that a person
    gave it. An index that can't be written does not stop the key: `remember_problems` says so until the
    fingerprint is in.
    """
    register_secret(key)
    if not (confirmed or state != LIVE or key.looks_generated):
        return
    try:
        index.remember(key, state)
    except MistralNbError as error:
        _note_remembered(key, error)
    else:
        _note_remembered(key, None)


def register_key_in_background(key: Key) -> None:
    """As `register_key`, for what must not wait: a message, a cell, start-up. The index is written by a thread."""
    register_secret(key)
    if key.looks_generated:
        _background_index.remember(key, Index(data_folder(os.environ)))


def record_verdict(key: Key, accepted: bool | None) -> None:
    """Record what Mistral said of a key in this process; None if it said nothing."""
    if accepted is False:
        _refused_fingerprints.add(key.fingerprint)
    elif accepted:
        _refused_fingerprints.discard(key.fingerprint)


def is_refused(key: Key) -> bool:
    """Whether Mistral refused this key the last time that this process asked."""
    return key.fingerprint in _refused_fingerprints


def register_variables(environ: Mapping[str, str]) -> None:
    """Register the keys in this process's variables, as `register_key` does."""
    for key in keys_in(environ).values():
        register_key(key, Index(data_folder(environ)))


def register_variables_in_background() -> None:
    """As `register_variables`, without waiting for the index."""
    for key in keys_in(os.environ).values():
        register_key_in_background(key)


def _note_remembered(key: Key, problem: MistralNbError | None) -> None:
    if problem is None:
        _remember_problems.pop(key.fingerprint, None)
    else:
        _remember_problems[key.fingerprint] = str(problem)


_background_index = BackgroundIndex(_note_remembered)


def remember_problems() -> tuple[str, ...]:
    """Why keys of this process are not in the index, so that saves are not protected from them."""
    return tuple(dict.fromkeys(tuple(_remember_problems.values())))  # which a thread may change


def active_key(
    environ: MutableEnviron | None = None, stored: Mapping[str, Workspace] = MappingProxyType({})
) -> ActiveKey | None:
    """The key in the environment; None for nothing, the marker, or a placeholder.

    ``stored``: the workspaces that there are. Which of them keeps the key is told by its fingerprint: no store is
    opened.
    """
    env = os.environ if environ is None else environ
    key = key_or_none(env.get(API_KEY_VARIABLE))
    if key is None:
        return None
    marked = marked_workspace(env)
    origin = origin_in(env, key) if marked is None else _origins.get(key.fingerprint, "the parent process")
    return ActiveKey(key, keeping_workspace(key, stored, marked or ""), is_ours=marked is not None, origin=origin)


def marked_workspace(environ: MutableEnviron) -> str | None:
    """The workspace that this package set the key for, in this process or a parent of it; empty for one without.

    None if the key that is set now is not the one that this package set.
    """
    key = key_or_none(environ.get(API_KEY_VARIABLE))
    workspace, _, fingerprint = environ.get(ACTIVE_VARIABLE, "").rpartition(":")
    return workspace if key and key.fingerprint == fingerprint else None


def keeping_workspace(key: Key, stored: Mapping[str, Workspace], preferred: str = "") -> str | None:
    """The workspace that keeps this key; ``preferred`` if it does, or if none does."""
    names = [name for name, entry in stored.items() if entry.fingerprint == key.fingerprint]
    return preferred or None if preferred in names or not names else names[0]


def no_key_sentence(environ: MutableEnviron | None = None) -> str:
    """What the variable holds in place of a key, in a sentence; empty if it is unset or holds a key."""
    env = os.environ if environ is None else environ
    if API_KEY_VARIABLE not in env or key_or_none(env[API_KEY_VARIABLE]):
        return ""
    if MARKER in env[API_KEY_VARIABLE]:  # as a cell sets it that was saved with a key in it
        return f"{API_KEY_VARIABLE} contains the marker of a key that was taken out, not a key."
    reason = _problem_of(env[API_KEY_VARIABLE])
    what = {"empty": "is empty", "placeholder": "contains a placeholder, not a key"}
    return f"{API_KEY_VARIABLE} {what.get(reason, 'contains something that is not a key')}."


def _problem_of(value: str) -> str:
    try:
        Key.parse(value)
    except NotAKey as error:
        return error.reason
    return ""


def normalize_variable(environ: MutableEnviron | None = None) -> bool:
    """Strip quotes, ``Bearer`` and white space from the variable. Returns whether it changed.

    The SDKs send the value as it is, and the API refuses it.
    """
    env = os.environ if environ is None else environ
    key = key_or_none(env.get(API_KEY_VARIABLE))
    if key is None or env[API_KEY_VARIABLE] == key.reveal():
        return False
    env[API_KEY_VARIABLE] = key.reveal()
    return True


def activate(key: Key, workspace: str | None, origin: str, environ: MutableEnviron | None = None) -> None:
    """Put ``key`` into the environment, where the SDKs look for it at every request."""
    env = os.environ if environ is None else environ
    _origins[key.fingerprint] = origin
    env[API_KEY_VARIABLE] = key.reveal()
    env[ACTIVE_VARIABLE] = f"{workspace or ''}:{key.fingerprint}"
    _notify(SecretEvent("activated", key))


def deactivate(environ: MutableEnviron | None = None) -> None:
    """Remove the key from the environment."""
    env = os.environ if environ is None else environ
    before = active_key(env)
    env.pop(API_KEY_VARIABLE, None)
    env.pop(ACTIVE_VARIABLE, None)
    if before:
        _notify(SecretEvent("deactivated", before.key))


class EnvironmentSnapshot(NamedTuple):
    """What the two variables held; None for unset."""

    key: str | None
    active: str | None

    def __repr__(self) -> str:
        return "<Before>"


def snapshot(environ: MutableEnviron | None = None) -> EnvironmentSnapshot:
    """What to give to `restore`."""
    env = os.environ if environ is None else environ
    return EnvironmentSnapshot(env.get(API_KEY_VARIABLE), env.get(ACTIVE_VARIABLE))


def restore(state: EnvironmentSnapshot, environ: MutableEnviron | None = None) -> None:
    """Restore the environment, whatever is in it now."""
    env = os.environ if environ is None else environ
    if state.key is None:
        deactivate(env)
    for name, value in ((API_KEY_VARIABLE, state.key), (ACTIVE_VARIABLE, state.active)):
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    now = active_key(env)
    if now:
        _notify(SecretEvent("activated", now.key))


def _notify(change: SecretEvent) -> None:
    if change.secret not in _known_secrets:
        _known_secrets.append(change.secret)
    for callback in tuple(_subscribers):
        callback(change)
