"""`mistral_nb.key` and `mistral_nb.auth`: the key at the moment of use, to Mistral alone."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import mistral_nb
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive
from mistral_nb.errors import CannotAsk, KeyExpired, WrongUsage
from mistral_nb.keys import auth
from mistral_nb.keys.auth import LiveKey, make_live_auth
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import Person, act
from support.http_libraries import EACH_LIBRARY
from support.sandboxes import start_sandbox
from support.strangers import Stranger, transport_by_number

NewContext = Callable[..., Context]


@pytest.fixture
def kept(new_context: NewContext, sandbox: Sandbox) -> Key:
    key = sandbox.make_key("prod")
    act(new_context("cli"), "login", {"key": key, "expires": "", "name": ""}, workspace="prod")
    return key


@pytest.fixture
def reading(new_context: NewContext, kept: Key) -> LiveKey:
    return make(new_context())


def make(context: Context, answers: dict | None = None, **flags: bool) -> LiveKey:
    return drive(auth.open_live_key(context, "prod", **flags), Person(answers or {}), print)


def test_it_returns_the_key_and_does_not_touch_the_environment(
    reading: LiveKey, kept: Key, environ: dict[str, str]
) -> None:
    assert reading() == kept.reveal()
    assert "MISTRAL_API_KEY" not in environ
    assert repr(reading) == f"<mistral_nb.key prod …{kept.tail}>"
    environ["MISTRAL_API_KEY"] = kept.reveal()
    assert kept.reveal() in f"{environ}"
    assert kept.reveal() not in f"{vars(reading)} {vars(make_live_auth(reading))} {make_live_auth(reading)!r}"


@pytest.mark.slow
def test_the_sdk_takes_it_as_api_key_and_follows_a_rotation(
    reading: LiveKey, kept: Key, new_context: NewContext, sandbox: Sandbox
) -> None:
    from mistralai.client import Mistral

    with Mistral(api_key=reading, server_url=sandbox.url) as client:
        client.models.list()
        assert sandbox.requests[-1].tail == kept.tail
        new = sandbox.make_key("prod")
        act(new_context("cli"), "rotate", {"key": new, "expires": ""}, workspace="prod")
        client.models.list()
        assert sandbox.requests[-1].tail == new.tail
        act(new_context("cli"), "revoke", workspace="prod")
        with pytest.raises(WrongUsage, match="No key is stored"):
            client.models.list()


@EACH_LIBRARY
def test_as_auth_and_as_a_hook_it_adds_the_header(library, reading: LiveKey, kept: Key, sandbox: Sandbox) -> None:
    auth = make_live_auth(reading)
    with library.Client(auth=auth) as client:
        assert client.get(f"{sandbox.url}/v1/models").status_code == 200
    with library.Client(event_hooks={"request": [auth]}) as client:
        assert client.get(f"{sandbox.url}/v1/models").status_code == 200
    assert [request.tail for request in sandbox.requests[-2:]] == [kept.tail] * 2


async def _asynchronously(library, auth, url):
    async with library.AsyncClient(auth=auth) as client:
        return (await client.get(url)).status_code


@EACH_LIBRARY
def test_an_asynchronous_client_takes_it_as_auth(library, reading: LiveKey, sandbox: Sandbox) -> None:
    call = _asynchronously(library, make_live_auth(reading), f"{sandbox.url}/v1/models")
    with ThreadPoolExecutor() as thread:  # asyncio.run takes this thread's loop away from later tests
        assert thread.submit(asyncio.run, call).result(20) == 200


ELSEWHERE = [
    "https://example.com/v1/models",
    "http://api.mistral.ai/v1/models",
    "https://api.mistral.ai.example.com/",
    "https://mistral.ai.evil/",
    "https://notmistral.ai/",
    "https://example.com/?https://api.mistral.ai/",
    "https://api.mistral.ai@example.com/",
    "https://api.mistral.ai%2eexample.com/",
]


@EACH_LIBRARY
@pytest.mark.parametrize("url", ELSEWHERE)
def test_no_other_host_gets_it(library, url: str, reading: LiveKey) -> None:
    request = library.Request("GET", url)
    assert "Authorization" not in make_live_auth(reading)(request).headers


@EACH_LIBRARY
@pytest.mark.parametrize(
    "url", ["https://api.mistral.ai/v1/x", "https://api.eu.mistral.ai/", "https://API.Mistral.AI./"]
)
def test_mistral_s_hosts_get_it(library, url: str, reading: LiveKey, kept: Key) -> None:
    request = make_live_auth(reading)(library.Request("GET", url))
    assert request.headers["Authorization"] == f"Bearer {kept.reveal()}"


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with Stranger() as server:
        yield server


@pytest.mark.parametrize("use", ["auth", "hook"])
@EACH_LIBRARY
def test_a_redirect_takes_it_nowhere_else(
    use: str, library, reading: LiveKey, kept: Key, sandbox: Sandbox, stranger: Stranger
) -> None:
    """The stranger listens on loopback under another name, as the sandbox redirects to it."""
    sandbox.set_fault("redirect elsewhere", elsewhere=stranger.url)
    options = (
        {"auth": make_live_auth(reading)} if use == "auth" else {"event_hooks": {"request": [make_live_auth(reading)]}}
    )
    with library.Client(follow_redirects=True, transport=transport_by_number(library), **options) as client:
        assert client.get(f"{sandbox.url}/v1/models").text == "hi"
    assert sandbox.requests[-1].tail == kept.tail
    assert stranger.received
    assert kept.reveal().encode() not in b"".join(stranger.received)


def test_the_search_finds_a_planted_key(kept: Key, stranger: Stranger) -> None:
    httpx.get(f"http://127.0.0.1:{stranger.server_port}/", headers={"Authorization": f"Bearer {kept.reveal()}"})
    assert kept.reveal().encode() in b"".join(stranger.received)


@EACH_LIBRARY
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_from_the_environment_sees_it_for_local_requests(
    library, variable: str, reading: LiveKey, kept: Key, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_sandbox() as proxy:
        monkeypatch.setenv(variable, proxy.url)
        with library.Client(auth=make_live_auth(reading)) as client:
            with pytest.raises(WrongUsage, match="NO_PROXY"):
                client.get(f"{sandbox.url}/v1/models")
            assert proxy.requests == []
            client.get(f"{sandbox.url}/v1/models", auth=lambda request: _with(request, kept))
            assert [request.tail for request in proxy.requests] == [kept.tail], "the proxy would have got it"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        with library.Client(auth=make_live_auth(reading)) as client:
            assert client.get(f"{sandbox.url}/v1/models").status_code == 200
        assert len(proxy.requests) == 1


def _with(request, key: Key):
    request.headers["Authorization"] = f"Bearer {key.reveal()}"
    return request


def test_a_header_with_the_key_is_removed_from_a_request_elsewhere(reading: LiveKey, kept: Key) -> None:
    request = httpx.Request("GET", "https://example.com/", headers={"Authorization": f"Bearer {kept.reveal()}"})
    assert "Authorization" not in make_live_auth(reading)(request).headers
    theirs = httpx.Request("GET", "https://example.com/", headers={"Authorization": "Basic eA=="})
    assert make_live_auth(reading)(theirs).headers["Authorization"] == "Basic eA=="


def test_an_ask_first_or_expired_key_is_asked_about_when_the_callable_is_made(
    kept: Key, new_context: NewContext
) -> None:
    keeper = new_context().key_manager
    keeper.update("prod", ask_first=True)
    with pytest.raises(CannotAsk, match="--yes"):
        make(new_context())
    context = new_context()
    reading = make(context, {"ask first": "yes"})
    make(context)  # once a process
    assert repr(reading) == f"<mistral_nb.key prod …{kept.tail} (ask first)>"
    keeper.update("prod", expires="2027-02-28", expiry_known=True)
    with pytest.raises(KeyExpired):
        make(new_context())
    assert make(new_context(), {"ask first": "yes"}, force=True)() == kept.reveal()


def test_the_name_stays_the_function_whatever_is_imported() -> None:
    code = (
        "import mistral_nb.keys.auth, mistral_nb; from mistral_nb.api_key import Key; print(mistral_nb.key.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "mistral_nb"
    assert callable(mistral_nb.key)
