import datetime
import os
import threading
import time

import httpx
import pytest

from mistral_nb.api_key import fingerprint
from support.keys import make_key
from support.patience import PATIENCE
from support.sandboxes import FAULTS, start_sandbox


@pytest.fixture
def sandbox():
    with start_sandbox() as running:
        yield running


def get(sandbox, path, key=None, method="GET"):
    headers = {"Authorization": f"Bearer {key.reveal()}"} if key else {}
    with httpx.Client(trust_env=False) as client:
        return client.request(method, sandbox.url + path, headers=headers)


def test_it_listens_on_loopback_only(sandbox):
    assert sandbox.url.startswith("http://127.0.0.1:")


def test_a_key_it_made_is_accepted_and_known_by_its_names(sandbox):
    key = sandbox.make_key(workspace="prod", organisation="Umbrella", name="ci")
    assert get(sandbox, "/v1/models", key).json()["object"] == "list"
    me = get(sandbox, "/v1/users/me", key).json()
    assert set(me) == {"id", "email", "first_name", "last_name", "workspace", "organization", "api_key"}
    assert (me["workspace"]["name"], me["organization"]["name"], me["api_key"]["name"]) == (
        "prod",
        "Umbrella",
        "ci",
    )
    who = get(sandbox, "/v1/whoami", key).json()
    assert set(who) == {"principal", "organization", "workspace"}
    assert who["principal"]["principal_type"] == "user"


def test_every_answer_has_the_headers_of_the_api(sandbox):
    headers = get(sandbox, "/v1/models", make_key()).headers
    for name in (
        "mistral-correlation-id",
        "x-kong-request-id",
        "x-ratelimit-limit-req-minute",
        "x-ratelimit-remaining-req-minute",
    ):
        assert headers[name]


def test_a_key_it_did_not_make_is_refused(sandbox):
    answer = get(sandbox, "/v1/models", make_key())
    assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"})
    assert get(sandbox, "/v1/models").status_code == 401


def test_a_revoked_key_is_refused(sandbox):
    key = sandbox.make_key()
    sandbox.revoke(key)
    sandbox.revoke(key)
    assert get(sandbox, "/v1/models", key).status_code == 401


@pytest.mark.parametrize(("days", "status"), [(-1, 200), (0, 200), (1, 401)])
def test_a_key_is_accepted_through_its_last_day(days, status):
    last = datetime.date(2027, 1, 31)
    with start_sandbox(today=lambda: last + datetime.timedelta(days)) as sandbox:
        assert get(sandbox, "/v1/models", sandbox.make_key(expires=last)).status_code == status


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/v1/other"), ("POST", "/v1/models"), ("DELETE", "/v1/users/me")],
)
def test_unknown_paths_are_not_found(sandbox, method, path):
    answer = get(sandbox, path, sandbox.make_key(), method)
    assert (answer.status_code, answer.content) == (404, b"")


def test_keys_look_like_the_consoles_and_are_never_the_same(sandbox):
    keys = [sandbox.make_key() for _ in range(50)]
    assert len(set(keys)) == 50
    assert all(key.is_standard for key in keys)
    assert all(any(map(str.isdigit, key.reveal())) for key in keys)


def test_requests_store_the_tail_and_the_sandbox_no_key(sandbox):
    key = sandbox.make_key()
    get(sandbox, "/v1/models?x=1", key)
    assert sandbox.requests == [("GET", "/v1/models", key.tail)]
    everything = f"{vars(sandbox)}"
    assert key.reveal() not in everything
    assert fingerprint(key.reveal()) in everything  # the search sees what is kept


@pytest.mark.parametrize("fault", [name for name in FAULTS if name[:3].isdigit()])
def test_a_fault_responds_with_its_status_until_it_is_reset(sandbox, fault):
    key = sandbox.make_key()
    sandbox.set_fault(fault)
    assert get(sandbox, "/v1/models", key).status_code == int(fault[:3])
    sandbox.set_fault(None)
    assert get(sandbox, "/v1/models", key).status_code == 200


def test_an_unknown_fault_is_an_error(sandbox):
    with pytest.raises(KeyError):
        sandbox.set_fault("no such thing")


@pytest.mark.parametrize("fault", ["silent", "drip headers", "drip body", "slow users/me"])
def test_it_stops_at_once_in_the_middle_of_a_fault(fault, capfd):
    with start_sandbox() as sandbox:
        sandbox.set_fault(fault)
        key = sandbox.make_key()
        asked = threading.Thread(target=_ask_and_forget, args=(sandbox, key), daemon=True)
        asked.start()
        while not sandbox.requests:
            time.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < 15 * PATIENCE
    asked.join(15 * PATIENCE)
    assert not asked.is_alive()
    assert capfd.readouterr().err == ""


def _ask_and_forget(sandbox, key):
    try:
        get(sandbox, "/v1/users/me", key)
    except httpx.HTTPError:
        return


class TestWithTheRealClient:
    """Mistral's own Python client against the sandbox."""

    @pytest.fixture
    def mistral(self, sandbox, monkeypatch):
        from mistralai import client

        monkeypatch.delenv("MISTRAL_SA_TOKEN_PATH", raising=False)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        with client.Mistral(server_url=sandbox.url) as live:
            yield live

    @pytest.mark.slow
    def test_it_lists_the_models(self, sandbox, mistral, monkeypatch):
        monkeypatch.setenv("MISTRAL_API_KEY", sandbox.make_key().reveal())
        models = mistral.models.list().data
        assert "mistral-small-latest" in [model.id for model in models]
        assert all(type(model).__name__ == "BaseModelCard" for model in models)

    def test_it_reads_the_owner_of_the_key(self, sandbox, mistral):
        bearer = {"bearer_user_context_auth": sandbox.make_key(workspace="prod").reveal()}
        assert mistral.beta.users.get_identity(security=bearer).workspace.name == "prod"
        assert mistral.beta.users.whoami(security=bearer).workspace.name == "prod"

    def test_a_live_client_follows_the_variable(self, sandbox, mistral, monkeypatch):
        first, second = sandbox.make_key(), sandbox.make_key()
        monkeypatch.setenv("MISTRAL_API_KEY", first.reveal())
        mistral.models.list()
        os.environ["MISTRAL_API_KEY"] = second.reveal()
        mistral.models.list()
        assert [request.tail for request in sandbox.requests] == [first.tail, second.tail]

    def test_a_service_account_token_takes_precedence_over_the_variable(self, sandbox, mistral, monkeypatch, tmp_path):
        token, key = sandbox.make_key(), sandbox.make_key()
        (tmp_path / "token").write_text(token.reveal())
        monkeypatch.setenv("MISTRAL_API_KEY", key.reveal())
        monkeypatch.setenv("MISTRAL_SA_TOKEN_PATH", str(tmp_path / "token"))
        mistral.models.list()
        assert [request.tail for request in sandbox.requests] == [token.tail]

    def test_it_says_that_a_revoked_key_is_refused(self, sandbox, mistral, monkeypatch):
        from mistralai.client.errors import SDKError

        key = sandbox.make_key()
        monkeypatch.setenv("MISTRAL_API_KEY", key.reveal())
        sandbox.revoke(key)
        with pytest.raises(SDKError) as caught:
            mistral.models.list()
        assert caught.value.status_code == 401
