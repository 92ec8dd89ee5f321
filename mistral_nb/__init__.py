"""Mistral API keys in Jupyter: asked for once, kept in the keyring, kept out of what is saved.

    %load_ext mistral_nb
    %mistral_key

In Python: `use`, `prompt`, `key`, `auth`, `status`, `redact`. Everything is imported when it is called.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing costs 10 ms, and git's filter starts once a git command
if TYPE_CHECKING:
    from typing import Any

    from mistral_nb.actions.live import LiveAuth, LiveKey
    from mistral_nb.report import Report


class _Package(type(sys)):  # type: ignore[misc]  # a module's type, without importing types
    """This package, as which the function `key` stays: importing the module mistral_nb.key does not replace it."""

    key = property(lambda self: vars(self)["key"], lambda _self, _module: None)


sys.modules[__name__].__class__ = _Package

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "auth",
    "key",
    "load_ipython_extension",
    "prompt",
    "redact",
    "status",
    "unload_ipython_extension",
    "use",
]


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext mistral_nb``."""
    from mistral_nb.magic import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext mistral_nb``."""
    from mistral_nb.magic import unload

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """``jupyter server extension list`` asks for this."""
    return [{"module": "mistral_nb.saving.server"}]


def use(workspace: str | None = None) -> None:
    """As ``%mistral_key [WORKSPACE]``: a key into this process's environment. Raises `MistralNbError`."""
    from mistral_nb.public import use as run

    run(workspace)


def prompt(workspace: str | None = None) -> None:
    """As ``%mistral_key [WORKSPACE] --widget --no-wait``: shows the sealed card, and returns at once.

    The next cells run before the key is there. A workspace whose key is kept needs no card: it is put
    in place as by `use`. Where nobody can answer, raises `MistralNbError` with the other ways.
    """
    from mistral_nb.public import prompt as run

    run(workspace)


def key(workspace: str | None = None, *, force: bool = False, yes: bool = False) -> LiveKey:
    """A callable that returns the key of a workspace, as it is at each call: ``Mistral(api_key=key("prod"))``.

    For where one environment variable is too few: threads and tasks with keys of their own. What there
    is to ask (a passphrase, whether a protected workspace is meant) is asked here, not at the call.
    Raises `MistralNbError` where no key is kept, and for one whose date is past without ``force``.
    """
    from mistral_nb.public import key as run

    return run(workspace, force=force, yes=yes)


def auth(workspace: str | None = None, *, force: bool = False, yes: bool = False) -> LiveAuth:
    """A callable that adds the header with that key to a request: ``httpx.Client(auth=auth("prod"))``.

    For httpx and httpx2, as ``auth=`` or as an event hook of a synchronous client; over https to
    Mistral's hosts (and to this machine), to no other, also after redirects. A request by plain http to
    this machine fails where a proxy of the environment would read the key: then set NO_PROXY. Asks and
    raises as `key`.
    """
    from mistral_nb.public import auth as run

    return run(workspace, force=force, yes=yes)


def status() -> Report:
    """As ``%mistral_key status``: a report that shows tails at most; ``.data`` holds it as values."""
    from mistral_nb.public import status as run

    return run()


def redact(text: str) -> str:
    """``text`` with every key that this process or this machine knows replaced by the marker."""
    from mistral_nb.public import redact as run

    return run(text)
