"""Two callables that give a workspace's key at the moment of use, and never show it."""

from collections.abc import Generator
from typing import Any

from mistral_nb import session
from mistral_nb.actions import reach
from mistral_nb.actions.context import Context
from mistral_nb.actions.placed import shown
from mistral_nb.api.host import check_host
from mistral_nb.errors import WrongUsage
from mistral_nb.key import Key
from mistral_nb.report import Answer, Ask, Step


def action(
    context: Context, workspace: str | None, *, force: bool = False, yes: bool = False
) -> Generator[Ask | Step, Answer, "LiveKey"]:
    """The callable for a kept key. Whatever there is to ask is asked now, not at a request."""
    key, name, entry = yield from reach.kept_key(context, workspace, force=force, yes=yes)
    return LiveKey(context, name, key, shown(name, key.tail, entry))


class LiveKey:
    """Called, it returns the key of a workspace as it is now: after a rotation, the new one.

    Raises `MistralNbError` once the workspace is revoked or forgotten.
    """

    def __init__(self, context: Context, workspace: str, key: Key, name: str) -> None:
        self._context, self._workspace, self._key, self._name = context, workspace, key, name

    def __call__(self) -> str:
        return self.key().reveal()

    def key(self) -> Key:
        """The key, read from its store when the index names another one than the last time."""
        keeper = self._context.keeper
        entry = keeper.workspaces().get(self._workspace)
        if entry is None or entry.fingerprint != self._key.fingerprint:
            self._key = keeper.read(self._workspace)
            self._name = shown(self._workspace, self._key.tail, entry)
            session.enter(self._key, self._context.index)
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
        if _is_mistral(request.url):
            _refuse_a_proxy(request.url)
            request.headers["Authorization"] = f"Bearer {self._live()}"
        elif self._live() in request.headers.get("Authorization", ""):
            del request.headers["Authorization"]
        return request

    def __repr__(self) -> str:
        return repr(self._live).replace("mistral_nb.key", "mistral_nb.auth")


def _refuse_a_proxy(url: Any) -> None:
    """httpx takes HTTP_PROXY for this machine too, https://www.python-httpx.org/environment_variables."""
    if url.scheme != "http":
        return
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    if (proxies.get("http") or proxies.get("all")) and not proxy_bypass(bytes(url.netloc).decode("ascii")):
        raise WrongUsage(
            "The proxy of the environment would get the key: a request to this machine goes through it.",
            "Set NO_PROXY=127.0.0.1,localhost.",
        )


def _is_mistral(url: Any) -> bool:
    """Whether a URL of httpx leads to Mistral, by https, or to this machine."""
    netloc = url.netloc
    try:
        return check_host(f"{url.scheme}://{bytes(netloc).decode('ascii')}") in ("mistral", "loopback")
    except (WrongUsage, UnicodeDecodeError):
        return False
