"""This process's environment: what we set in it, where that came from, and who wants to know.

The environment itself is the state: ``MISTRAL_API_KEY`` is ours exactly when its fingerprint is the
one in ``MISTRAL_NB_ACTIVE=WORKSPACE:FINGERPRINT``. Children inherit both.
"""

import os
from collections.abc import Callable, MutableMapping
from typing import NamedTuple

from mistral_nb.config import ACTIVE, VARIABLE
from mistral_nb.errors import MistralNbError
from mistral_nb.key import Key, key_or_none
from mistral_nb.store.index import LIVE, Index

MutableEnviron = MutableMapping[str, str]


class Active(NamedTuple):
    """The key in the environment. ``workspace`` is None for one that no workspace keeps.

    ``ours``: this package put it there, in this process or in a parent of it.
    """

    key: Key
    workspace: str | None
    ours: bool
    origin: str


class Change(NamedTuple):
    """What subscribers are told: a key came into this process, went into its environment, or left it."""

    kind: str  # entered, activated, deactivated
    key: Key


Callback = Callable[[Change], None]
_subscribers: list[Callback] = []
_origins: dict[str, str] = {}
_unremembered: dict[str, str] = {}
_came: list[Key] = []


def on_change(callback: Callback) -> Callable[[], None]:
    """Call ``callback`` at every `Change`; the function returned ends that."""
    _subscribers.append(callback)
    return lambda: _subscribers.remove(callback) if callback in _subscribers else None


def came() -> tuple[Key, ...]:
    """Every key that came into this process: a subscriber that begins later missed their changes."""
    return tuple(_came)


def enter(key: Key, index: Index, state: str = LIVE) -> None:
    """A key came into this process: tell subscribers, and note its fingerprint in the index.

    To be called before the key is stored, injected or verified. An index that can't be written
    does not stop the key: `unremembered` says so until the fingerprint is in.
    """
    _tell(Change("entered", key))
    try:
        index.remember(key, state)
    except MistralNbError as error:
        _unremembered[key.fingerprint] = str(error)
    else:
        _unremembered.pop(key.fingerprint, None)


def unremembered() -> tuple[str, ...]:
    """Why keys of this process are not in the index, so that saves are not protected from them."""
    return tuple(dict.fromkeys(_unremembered.values()))


def active(environ: MutableEnviron | None = None) -> Active | None:
    """The key in the environment; None for nothing, the marker, or a placeholder."""
    env = os.environ if environ is None else environ
    key = key_or_none(env.get(VARIABLE))
    if key is None:
        return None
    workspace, _, ours = env.get(ACTIVE, "").rpartition(":")
    if ours != key.fingerprint:
        return Active(key, None, ours=False, origin="the environment, set before mistral_nb")
    origin = _origins.get(key.fingerprint, "the process that started this one")
    return Active(key, workspace or None, ours=True, origin=origin)


def not_a_key(environ: MutableEnviron | None = None) -> bool:
    """Whether the variable is set to something that is no key: the marker, or a placeholder."""
    env = os.environ if environ is None else environ
    return VARIABLE in env and key_or_none(env[VARIABLE]) is None


def tidy(environ: MutableEnviron | None = None) -> bool:
    """Put the bare key where the variable holds more: quotes, ``Bearer``, white space. Whether it did.

    The SDKs send the value as it is, and the API refuses it.
    """
    env = os.environ if environ is None else environ
    key = key_or_none(env.get(VARIABLE))
    if key is None or env[VARIABLE] == key.reveal():
        return False
    env[VARIABLE] = key.reveal()
    return True


def activate(key: Key, workspace: str | None, origin: str, environ: MutableEnviron | None = None) -> None:
    """Put ``key`` into the environment, where the SDKs look for it at every request."""
    env = os.environ if environ is None else environ
    _origins[key.fingerprint] = origin
    env[VARIABLE] = key.reveal()
    env[ACTIVE] = f"{workspace or ''}:{key.fingerprint}"
    _tell(Change("activated", key))


def deactivate(environ: MutableEnviron | None = None) -> None:
    """Take the key out of the environment."""
    env = os.environ if environ is None else environ
    before = active(env)
    env.pop(VARIABLE, None)
    env.pop(ACTIVE, None)
    if before:
        _tell(Change("deactivated", before.key))


class Before(NamedTuple):
    """What the two variables held; None for unset."""

    key: str | None
    active: str | None

    def __repr__(self) -> str:
        return "<Before>"


def before(environ: MutableEnviron | None = None) -> Before:
    """What to give to `put_back`."""
    env = os.environ if environ is None else environ
    return Before(env.get(VARIABLE), env.get(ACTIVE))


def put_back(state: Before, environ: MutableEnviron | None = None) -> None:
    """The environment as it was, whatever is in it now."""
    env = os.environ if environ is None else environ
    if state.key is None:
        deactivate(env)
    for name, value in ((VARIABLE, state.key), (ACTIVE, state.active)):
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    now = active(env)
    if now:
        _tell(Change("activated", now.key))


def _tell(change: Change) -> None:
    if change.key not in _came:
        _came.append(change.key)
    for callback in tuple(_subscribers):
        callback(change)
