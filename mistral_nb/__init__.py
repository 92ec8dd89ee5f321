"""Mistral API keys in Jupyter: asked for once, stored in the keyring, kept out of what is saved.

    %load_ext mistral_nb
    %mistral_key

In Python: `login`, `switch`, `status`, `key`, `auth`, `share`, `redact`. Everything is imported when it is called.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs 10 ms, and git's filter starts once a git command
if TYPE_CHECKING:
    from typing import Any

    from mistral_nb.keys.auth import LiveAuth, LiveKey
    from mistral_nb.report import Report
    from mistral_nb.workers.dask_share import Share


__version__ = "0.1.0"
__all__ = [
    "__version__",
    "auth",
    "key",
    "load_ipython_extension",
    "login",
    "redact",
    "share",
    "status",
    "switch",
    "unload_ipython_extension",
]


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext mistral_nb``."""
    from mistral_nb.magic.extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext mistral_nb``."""
    from mistral_nb.magic.extension import unload

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """``jupyter server extension list`` asks for this."""
    return [{"module": "mistral_nb.jupyter.server_extension"}]


def login(workspace: str | None = None) -> None:
    """As ``%mistral_key login [WORKSPACE]``: asks for a key, verifies it, stores it, and sets it in this process's
    environment. Raises `MistralNbError`.
    """
    from mistral_nb.errors import MistralNbError
    from mistral_nb.python_api import login as run

    try:
        run(workspace)
    except MistralNbError as error:
        raise error.with_traceback(None) from None  # the caller's line, and the error's


def switch(workspace: str | None = None) -> None:
    """As ``%mistral_key [WORKSPACE]``: sets a workspace's key in this process's environment; asks for one if none
    is stored. Raises `MistralNbError`.
    """
    from mistral_nb.errors import MistralNbError
    from mistral_nb.python_api import switch as run

    try:
        run(workspace)
    except MistralNbError as error:
        raise error.with_traceback(None) from None  # the caller's line, and the error's


def key(workspace: str | None = None, *, force: bool = False, yes: bool = False) -> LiveKey:
    """A callable that returns the key of a workspace, as it is at each call: ``Mistral(api_key=key("prod"))``.

    For when one environment variable is not enough: threads and tasks with their own keys. Any
    question (a passphrase, confirming a workspace that asks first) is asked here, not at the call.
    Without a workspace, and where none is stored, it is the key of this process's environment, as a worker has it.
    Raises `MistralNbError` if there is no key, and for an expired one without ``force``.
    """
    from mistral_nb.errors import MistralNbError
    from mistral_nb.python_api import key as run

    try:
        return run(workspace, force=force, yes=yes)
    except MistralNbError as error:
        raise error.with_traceback(None) from None  # the caller's line, and the error's


def auth(workspace: str | None = None, *, force: bool = False, yes: bool = False) -> LiveAuth:
    """The ``auth=`` of a client of httpx or httpx2: adds the header with that key: ``httpx.Client(auth=auth("prod"))``.

    Synchronous or asynchronous; over https to Mistral's hosts (and to this machine), to no other, also after
    redirects. A request that is answered 401 is sent once more if another key is stored by then, unless its body was
    an iterator or an open file. It can also be an event hook for requests of a synchronous client, which sends
    nothing twice. A request by plain http to this machine fails if a proxy set in the environment would see the
    key: then set NO_PROXY. Asks and raises as `key`; a request raises `MistralNbError` once no key is stored.
    """
    from mistral_nb.errors import MistralNbError
    from mistral_nb.python_api import auth as run

    try:
        return run(workspace, force=force, yes=yes)
    except MistralNbError as error:
        raise error.with_traceback(None) from None  # the caller's line, and the error's


def share(client: Any, workspace: str | None = None, *, force: bool = False, yes: bool = False) -> Share:
    """Give the key to the workers of a Dask cluster, sealed for each of them: ``with share(Client(ADDRESS)): ...``.

    Without ``workspace``, the key of this process as it is at any moment, or a stored one if it has none. Workers that
    start later get it too, and a rotation reaches all. What is returned has ``status()`` and ``stop()``.
    Needs ``mistral_nb[dask]``. Asks and raises as `key`, and for a cluster with workers that lack mistral_nb.
    """
    from mistral_nb.errors import MistralNbError
    from mistral_nb.python_api import share as run

    try:
        return run(client, workspace, force=force, yes=yes)
    except MistralNbError as error:
        raise error.with_traceback(None) from None  # the caller's line, and the error's


def status() -> Report:
    """As ``%mistral_key status``: a report that shows tails at most; ``.data`` has the values."""
    from mistral_nb.python_api import status as run

    return run()


def redact(text: str) -> str:
    """``text`` with every key that this process or this machine knows replaced by the marker."""
    from mistral_nb.python_api import redact as run

    return run(text)
