"""Two callables that provide a workspace's key when it is used, and never show it."""

from typing import Any

from mistral_nb import environment
from mistral_nb.api.hosts import classify_host
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import MistralNbError, WrongUsage
from mistral_nb.keys import use_checks
from mistral_nb.keys.activation_report import format_key
from mistral_nb.report import Dialog


def open_live_key(
    context: Context, workspace: str | None, *, force: bool = False, yes: bool = False
) -> Dialog["LiveKey"]:
    """The callable for a stored key. Any question is asked now, not at a request."""
    key, name, entry = yield from use_checks.read_stored_key(context, workspace, force=force, yes=yes)
    return LiveKey(context, name, key, format_key(name, key.tail, entry))


class LiveKey:
    """Returns the current key of a workspace when called: after a rotation, the new one.

    Raises `MistralNbError` once the workspace is revoked or forgotten.
    """

    def __init__(self, context: Context, workspace: str, key: Key, name: str) -> None:
        self._context, self._workspace, self._key, self._name = context, workspace, key, name

    def __call__(self) -> str:
        try:
            return self.read_key().reveal()
        except MistralNbError as error:
            raise error.with_traceback(None) from None  # the way here tells the caller nothing

    def read_key(self) -> Key:
        """The key, read from its store when the index names another one than the last time."""
        keeper = self._context.key_manager
        entry = keeper.workspaces().get(self._workspace)
        if entry is None or entry.fingerprint != self._key.fingerprint:
            self._key = keeper.read(self._workspace)
            self._name = format_key(self._workspace, self._key.tail, entry)
            environment.register_key(self._key, self._context.index)
        return self._key

    def __repr__(self) -> str:
        return f"<mistral_nb.key {self._name}>"


class LiveAuth:
    """Adds the header to a request of httpx or httpx2, as ``auth=`` or as an event hook for requests.

    Only over https to mistral.ai and the names under it, and to this machine itself; any other request
    passes as it is, without this key. Plain http to this machine is refused where the environment names a
    proxy for it, which would read the header; a proxy given to the client itself can't be seen from here.
    """

    def __init__(self, key: LiveKey) -> None:
        self._live = key

    def __call__(self, request: Any) -> Any:
        if _is_trusted_url(request.url):
            _refuse_proxy(request.url)
            request.headers["Authorization"] = f"Bearer {self._live()}"
        elif self._live() in request.headers.get("Authorization", ""):
            del request.headers["Authorization"]
        return request

    def __repr__(self) -> str:
        return repr(self._live).replace("mistral_nb.key", "mistral_nb.auth")


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
