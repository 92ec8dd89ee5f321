"""Two callables that provide a workspace's key when it is used, and never show it."""

import os
import threading
from collections.abc import AsyncGenerator, Generator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn, Self

from mistral_nb import environment
from mistral_nb.api.hosts import classify_host
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.keys import use_checks
from mistral_nb.keys.activation_report import format_key
from mistral_nb.report import Dialog

_HEADER = "Authorization"
_LIBRARIES = ("httpx", "httpx2")
_UNAUTHORIZED = 401


def open_live_key(
    context: Context, workspace: str | None, *, force: bool = False, yes: bool = False
) -> Dialog["LiveKey"]:
    """The callable for a stored key. Any question is asked now, not at a request."""
    key, name, entry = yield from use_checks.read_stored_key(context, workspace, force=force, yes=yes)
    return LiveKey(context, name, key, format_key(name, key.tail, entry))


class _ProcessBound:
    """An object that a task takes along by its name alone: it is copied as itself, and never pickled."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("what mistral_nb.key and mistral_nb.auth return is never pickled: call them in the task itself")


class LiveKey(_ProcessBound):
    """Returns the current key of a workspace when called: after a rotation, the new one.

    Raises `MistralNbError` once the workspace has no key here. Threads may share it: a new key is read from its
    store once, and if that fails, those that waited for it get the same error.
    """

    def __init__(self, context: Context, workspace: str, key: Key, name: str) -> None:
        self.workspace = workspace
        self._context, self._key, self._name = context, key, name
        self._lock, self._process = threading.Lock(), os.getpid()
        self._failure: MistralNbError | None = None  # of the last time that the store was read
        self._last_refused = ""  # the fingerprint of the key that was warned about

    def __call__(self) -> str:
        return self.read_key().reveal()

    def read_key(self) -> Key:
        """The key, read from its store when the index names another one than the last time."""
        try:
            return self._read_key()
        except MistralNbError as error:
            raise error.with_traceback(None) from None  # the way here tells the caller nothing

    def replace_key(self, refused: Key) -> Key | None:
        """The key that is stored by now, if it is another one than was ``refused``; else None, with a warning."""
        key = self.read_key()
        if key.fingerprint != refused.fingerprint:
            return key
        self._warn_of_refusal(key)
        return None

    def __repr__(self) -> str:
        return f"<mistral_nb.key {self._name}>"

    def _read_key(self) -> Key:
        keeper = self._context.key_manager
        entry = keeper.workspaces().get(self.workspace)
        if entry is None:
            raise self._no_key_error()
        if entry.fingerprint == self._key.fingerprint:
            return self._key
        failure = self._failure
        with self._own_lock():
            if self._failure is not failure and self._failure is not None:  # another thread tried meanwhile
                raise self._failure
            if entry.fingerprint != self._key.fingerprint:
                self._read_store()
            return self._key

    def _read_store(self) -> None:
        keeper = self._context.key_manager
        try:
            key = keeper.read(self.workspace)
        except MistralNbError as error:
            self._failure = error
            raise
        environment.register_key(key, self._context.index)
        self._name = format_key(self.workspace, key.tail, keeper.workspaces().get(self.workspace))
        self._key, self._failure = key, None

    def _own_lock(self) -> threading.Lock:
        """The lock of this process: a forked child could have copied it locked."""
        if self._process != os.getpid():
            self._lock, self._process = threading.Lock(), os.getpid()
        return self._lock

    def _no_key_error(self) -> WrongUsage:
        return WrongUsage(
            f"No key is stored any more for workspace {self.workspace}: …{self._key.tail} was revoked or deleted "
            "here, or the workspace was renamed.",
            f"Store a new one: {self._context.format_command(f'login {self.workspace}')}. The next request takes it.",
        )

    def _warn_of_refusal(self, key: Key) -> None:
        """Once a key, into the log of the job: the library shows the answer alone, which does not say what to do."""
        if self._last_refused == key.fingerprint:
            return
        self._last_refused = key.fingerprint
        import logging

        logging.getLogger("mistral_nb").warning("mistral_nb: %s", self._describe_refusal(key))

    def _describe_refusal(self, key: Key) -> str:
        rotate = self._context.format_command(f"rotate {self.workspace}")
        return (
            f"the API answered 401 to the key of workspace {self.workspace} (…{key.tail}), and no other is stored. "
            f"If it was revoked or has expired, store a new one: {rotate}. The next request takes it."
        )


def make_live_auth(key: LiveKey) -> "LiveAuth":
    """As the ``auth=`` of httpx's clients and httpx2's, of which one that is not installed is left out."""
    return _auth_class()(key)


class LiveAuth(_ProcessBound):
    """Adds the header to a request of httpx or httpx2, as ``auth=`` or as an event hook for requests.

    Only over https to mistral.ai and the names under it, and to this machine itself; any other request
    passes as it is, without this key. Plain http to this machine is refused where the environment names a
    proxy for it, which would read the header; a proxy given to the client itself can't be seen from here.

    As ``auth=``, a request that is answered 401 is sent once more if another key is stored by then.
    """

    def __init__(self, key: LiveKey) -> None:
        self._live = key

    def __call__(self, request: Any) -> Any:
        self._authorize(request)
        return request

    def auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """The interface of ``httpx.Auth``, whose ``sync_auth_flow`` calls it."""
        sent = self._authorize(request)
        response = yield request
        if sent and _is_refused(request, response):
            new = self._live.replace_key(sent)
            if new:
                _set_header(request, new)
                yield request

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """As `auth_flow`; files and stores are read in a thread, which a request that is cancelled does not await."""
        from anyio import to_thread  # what httpx's asynchronous clients run on

        sent = await to_thread.run_sync(self._authorize, request, abandon_on_cancel=True)
        response = yield request
        if sent and _is_refused(request, response):
            new = await to_thread.run_sync(self._live.replace_key, sent, abandon_on_cancel=True)
            if new:
                _set_header(request, new)
                yield request

    def __repr__(self) -> str:
        return repr(self._live).replace("mistral_nb.key", "mistral_nb.auth")

    def _authorize(self, request: Any) -> Key | None:
        """Add the header where the key may go; the key that was added. Elsewhere a header with it is removed."""
        key = None
        if _is_trusted_url(request.url):
            _refuse_proxy(request.url)
            key = self._live.read_key()
            _set_header(request, key)
        elif self._live() in request.headers.get(_HEADER, ""):
            del request.headers[_HEADER]
        return key


@cache
def _auth_class() -> type[LiveAuth]:
    """`LiveAuth` as a subclass of each library's Auth: they take only what is one for more than a plain callable."""
    libraries = [import_module(name) for name in _LIBRARIES if find_spec(name)]
    return type("LiveAuth", (LiveAuth, *(library.Auth for library in libraries)), {"__doc__": LiveAuth.__doc__})


def _set_header(request: Any, key: Key) -> None:
    request.headers[_HEADER] = f"Bearer {key.reveal()}"


def _is_refused(request: Any, response: Any) -> bool:
    """Whether the key was refused, and the request can be sent again.

    After a redirect the answer may be another server's, which did not get the key.
    """
    got_key = response.request.headers.get(_HEADER) == request.headers.get(_HEADER)
    return response.status_code == _UNAUTHORIZED and got_key and _can_be_sent_again(request)


def _can_be_sent_again(request: Any) -> bool:
    """Whether the body is in memory or in files whose length is known.

    What is read from an iterator or an open file is used up by then: sent again, it would be empty. The libraries
    make a stream of one kind of it, for synchronous or asynchronous clients; of any other body a stream of both kinds.
    """
    is_of_both_kinds = hasattr(request.stream, "__iter__") and hasattr(request.stream, "__aiter__")
    return is_of_both_kinds and "Transfer-Encoding" not in request.headers


def _refuse_proxy(url: Any) -> None:
    """httpx takes HTTP_PROXY for this machine too, https://www.python-httpx.org/environment_variables."""
    if url.scheme != "http":
        return
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    if (proxies.get("http") or proxies.get("all")) and not proxy_bypass(bytes(url.netloc).decode("ascii")):
        raise WrongUsage(
            "The proxy set in the environment would see the key: requests to this machine go through it.",
            "Set NO_PROXY=127.0.0.1,localhost.",
        )


def _is_trusted_url(url: Any) -> bool:
    """Whether a URL of httpx leads to Mistral, by https, or to this machine."""
    netloc = url.netloc
    try:
        return classify_host(f"{url.scheme}://{bytes(netloc).decode('ascii')}") in ("mistral", "loopback")
    except (WrongUsage, UnicodeDecodeError):
        return False
