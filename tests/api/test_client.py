"""Every kind of answer, from a real server on loopback; what the network does is in test_client_network."""

import logging
import os
import signal
import sys
import threading
import time
import traceback

import httpx
import pytest

from mistral_nb.api.client import verify
from mistral_nb.errors import WrongUsage
from support.keys import make_key
from support.patience import PATIENCE
from support.sandboxes import FAULTS, start_sandbox

NEVER_ENDING = {"silent", "drip headers", "drip body", "slow users/me"}

# kind, exit code, text of the sentence, whether the workspace is known, requests sent
EXPECTED = {
    "401 unauthorized": ("refused", 1, "minutes old", False, 1),
    "401 gateway": ("refused", 1, "minutes old", False, 1),
    "401 invalid key": ("refused", 1, "minutes old", False, 1),
    "401 empty": ("refused", 1, "minutes old", False, 1),
    "401 inactive": ("no payment", 1, "payments are not activated", False, 1),
    "401 html": ("unreachable", 3, "Something other than Mistral's API", False, 1),
    "402": ("no payment", 1, "no credit left", False, 1),
    "403 tier": ("not permitted", 1, "not available in your subscription tier", False, 1),
    "403 inactive": ("no payment", 1, "payments are not activated", False, 1),
    "429": ("rate limited", 0, "Try again in a minute", False, 1),
    "429 retry after": ("rate limited", 0, "in 17 seconds", False, 1),
    "429 no allowance": ("rate limited", 0, "Do not retry", False, 1),
    "400": ("accepted", 0, "Invalid model: X", False, 2),
    "422": ("accepted", 0, "Field required", False, 2),
    "407": ("unreachable", 3, "A proxy requires", False, 1),
    "500": ("server error", 3, "https://status.mistral.ai", False, 1),
    "502 html": ("server error", 3, "https://status.mistral.ai", False, 1),
    "503": ("server error", 3, "https://status.mistral.ai", False, 1),
    "endless body": ("unreachable", 3, "Something other than Mistral's API", False, 1),
    "hang up": ("unreachable", 3, "was closed before a response arrived", False, 2),
    "hang up once": ("accepted", 0, "accepts the key", True, 3),
    "html": ("unreachable", 3, "Something other than Mistral's API", False, 1),
    "empty": ("unreachable", 3, "Something other than Mistral's API", False, 1),
    "not the api": ("unreachable", 3, "Something other than Mistral's API", False, 1),
    "redirect elsewhere": ("unreachable", 3, "redirect to elsewhere.invalid", False, 1),
    "redirect here": ("accepted", 0, "accepts the key", True, 4),
    "redirect loop": ("unreachable", 3, "another of its pages", False, 4),
    "echo": ("no payment", 1, "no credit left", False, 1),
    "users/me missing": ("accepted", 0, "accepts the key", False, 2),
    "users/me forbidden": ("accepted", 0, "accepts the key", False, 2),
}


@pytest.fixture
def sandbox():
    with start_sandbox() as running:
        yield running


def test_an_accepted_key_has_workspace_organisation_and_name(sandbox):
    verdict = verify(sandbox.make_key(workspace="prod", organisation="Umbrella", name="ci"), sandbox.url)
    assert (verdict.kind, verdict.exit_code, verdict.accepts_key) == ("accepted", 0, True)
    assert verdict.identity.workspace == "prod"
    assert verdict.identity.organisation == "Umbrella"
    assert verdict.identity.key_name == "ci"
    assert [request.path for request in sandbox.requests] == ["/v1/models", "/v1/users/me"]


def test_a_trailing_slash_in_the_address_is_ignored(sandbox):
    assert verify(sandbox.make_key(), sandbox.url + "/").kind == "accepted"


def test_a_revoked_key_is_refused(sandbox):
    key = sandbox.make_key()
    sandbox.revoke(key)
    assert verify(key, sandbox.url).kind == "refused"


def test_every_fault_of_the_sandbox_is_tested_here():
    assert set(EXPECTED) | NEVER_ENDING == set(FAULTS)


@pytest.mark.parametrize("fault", EXPECTED)
def test_each_response_is_explained(sandbox, fault):
    kind, exit_code, says, told, requests = EXPECTED[fault]
    sandbox.set_fault(fault)
    verdict = verify(sandbox.make_key(), sandbox.url)
    assert (verdict.kind, verdict.exit_code) == (kind, exit_code)
    assert says in verdict.sentence
    assert bool(verdict.identity) == told
    assert len(sandbox.requests) == requests


class TestRedirects:
    def test_another_server_never_receives_the_key(self, sandbox):
        key = sandbox.make_key()
        with start_sandbox() as other:
            sandbox.set_fault("redirect elsewhere", elsewhere=other.url)  # same host, another port
            assert verify(key, sandbox.url).kind == "unreachable"
            assert other.requests == []

    def test_a_followed_redirect_would_be_seen(self, sandbox):
        key = sandbox.make_key()
        bearer = {"Authorization": f"Bearer {key.reveal()}"}
        with start_sandbox() as other, httpx.Client(trust_env=False, follow_redirects=True) as client:
            sandbox.set_fault("redirect elsewhere", elsewhere=other.url)
            client.get(sandbox.url + "/v1/models", headers=bearer)
            assert len(other.requests) == 1  # a client that follows does reach it
            client.get(other.url + "/v1/models", headers=bearer)
            assert other.requests[-1].tail == key.tail

    @pytest.mark.parametrize(
        "elsewhere",
        [
            "https://127.0.0.1:{port}",
            "http://localhost:{port}",
            "http://u:p@127.0.0.1:{port}",
            "http://[",
        ],
    )
    def test_near_misses_and_broken_addresses_are_not_followed(self, sandbox, elsewhere):
        port = sandbox.url.rpartition(":")[2]
        sandbox.set_fault("redirect elsewhere", elsewhere=elsewhere.format(port=port))
        assert verify(sandbox.make_key(), sandbox.url).kind == "unreachable"
        # An address that httpx itself cannot read counts as a broken connection: one retry.
        assert len(sandbox.requests) <= 2


class TestNoLeak:
    @pytest.fixture
    def logged(self):
        """Everything that is logged at any level, as text."""
        lines = []

        class Keep(logging.Handler):
            def emit(self, record):
                lines.append(f"{record.name} {record.getMessage()} {record.args}")

        handler, root = Keep(), logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        yield lines
        root.removeHandler(handler)
        root.setLevel(level)

    @pytest.mark.parametrize("fault", [None, "echo", "401 invalid key", "hang up", "redirect loop", "silent"])
    def test_no_log_verdict_or_stream_contains_the_key(self, sandbox, logged, fault, capfd):
        key = sandbox.make_key()
        sandbox.set_fault(fault)
        verdict = verify(key, sandbox.url, seconds=1)
        captured = capfd.readouterr()
        told = "\n".join([*logged, repr(verdict), captured.out, captured.err])
        assert not any(key.reveal()[i : i + 15] in told for i in range(18))
        assert captured.err == ""

    def test_the_log_of_the_bare_client_contains_the_key(self, sandbox, logged):
        key = sandbox.make_key()
        verify(key, sandbox.url)  # with the filter in place
        sandbox.set_fault("echo")
        with httpx.Client(trust_env=False) as client:
            client.get(sandbox.url + "/v1/models", headers={"Authorization": f"Bearer {key.reveal()}"})
        assert any(line.startswith("httpcore") for line in logged)
        assert key.reveal() in "\n".join(logged)

    def test_a_traceback_with_locals_contains_no_key(self):
        key = make_key()
        with pytest.raises(WrongUsage) as caught:
            verify(key, "https://user:hidden@api.mistral.ai")
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        text = "".join(shown.format())
        assert key.tail in text  # the locals are there
        assert key.reveal() not in text


class TestCtrlC:
    def test_it_works_at_once(self, sandbox):
        sandbox.set_fault("silent")
        key = sandbox.make_key()

        def press():
            while not sandbox.requests:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        started = time.monotonic()
        threading.Thread(target=press).start()
        with pytest.raises(KeyboardInterrupt) as caught:
            verify(key, sandbox.url, seconds=100 * PATIENCE)
        assert time.monotonic() - started < 50 * PATIENCE
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert key.reveal() not in "".join(shown.format())

    def test_the_thread_ends_soon_after(self, sandbox):
        sandbox.set_fault("drip headers")
        verify(sandbox.make_key(), sandbox.url, seconds=0.5)
        assert _worker_ends()


def _worker_ends():
    limit = time.monotonic() + 10 * PATIENCE
    while time.monotonic() < limit:
        if not any(thread.name == "mistral-nb-verify" for thread in threading.enumerate()):
            return True
        time.sleep(0.02)
    return False


def test_importing_the_client_does_not_import_httpx():
    import subprocess

    modules = "from mistral_nb.api import client, doctor_checks; from mistral_nb.sandbox import sandbox"
    code = f"import sys; {modules}; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
