"""What the network does before an answer comes: real sockets, real TLS, a real proxy on loopback."""

import os
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import certifi
import httpx
import pytest

from mistral_nb.api.client import tls_settings, verify
from support.keys import make_key
from support.network_servers import Proxy, Saying, TlsFront, self_signed
from support.patience import PATIENCE
from support.sandboxes import start_sandbox

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="module", autouse=True)
def _bare_environment():
    with pytest.MonkeyPatch.context() as patch:
        for name in (*PROXY_VARIABLES, "SSL_CERT_FILE", "SSL_CERT_DIR"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        yield


@pytest.fixture
def sandbox():
    with start_sandbox() as running:
        yield running


def port_of(sandbox):
    return int(sandbox.url.rpartition(":")[2])


@pytest.fixture(scope="module")
def slow():
    """Each kind of slowness, met with the usual five seconds, all at the same time.

    A name server that swallows questions can't be had on loopback without changing the machine's
    resolver: a `getaddrinfo` that sleeps for one name stands in for it.
    """
    real, release = socket.getaddrinfo, threading.Event()

    def black_hole(host, *args, **kwargs):
        if host in ("blackhole.invalid", b"blackhole.invalid"):
            release.wait(20)
        return real(host, *args, **kwargs)

    def timed(sandbox, base=None):
        started = time.monotonic()
        verdict = verify(sandbox.make_key(), base or sandbox.url)
        return verdict, time.monotonic() - started

    socket.getaddrinfo = black_hole
    faults = ("silent", "drip headers", "drip body", "slow users/me")
    sandboxes = {fault: start_sandbox() for fault in faults}
    try:
        for fault, sandbox in sandboxes.items():
            sandbox.__enter__()
            sandbox.set_fault(fault)
        with ThreadPoolExecutor(8) as pool:
            asked = {fault: pool.submit(timed, sandbox) for fault, sandbox in sandboxes.items()}
            hole = "https://blackhole.invalid"
            asked["black-holed DNS"] = pool.submit(timed, sandboxes["silent"], hole)
            yield {name: future.result() for name, future in asked.items()}
    finally:
        release.set()
        socket.getaddrinfo = real
        for sandbox in sandboxes.values():
            sandbox.__exit__()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "kind", "says"),
    [
        ("silent", "unreachable", "still waiting for a response from 127.0.0.1"),
        ("drip headers", "unreachable", "still waiting for a response from 127.0.0.1"),
        ("drip body", "unreachable", "still reading the response from 127.0.0.1"),
        ("black-holed DNS", "unreachable", "still looking up blackhole.invalid"),
        ("slow users/me", "accepted", "accepts the key"),
    ],
)
def test_the_time_limit_holds_for_every_kind_of_slowness(slow, what, kind, says):
    verdict, seconds = slow[what]
    assert 4.5 < seconds < 6 * PATIENCE
    assert verdict.kind == kind
    assert says in verdict.sentence
    assert verdict.identity is None


def test_a_refused_connection_is_reported():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but not listening
        verdict = verify(make_key(), f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert verdict.kind == "unreachable"
    assert "was refused: nothing listens there" in verdict.sentence


def test_an_unresolved_name_is_reported():
    verdict = verify(make_key(), "https://no-such-host.invalid")
    assert verdict.kind == "unreachable"
    assert "The name no-such-host.invalid was not found (DNS)" in verdict.sentence


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "was closed before a response arrived"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "was closed before a response arrived"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "was closed before a response arrived"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "was closed before"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n", "unreachable"),
    ],
)
def test_a_non_http_response_is_reported(answer, says):
    with Saying(answer) as server:
        verdict = verify(make_key(), f"http://127.0.0.1:{server.port}")
    assert verdict.kind == "unreachable"
    assert says in f"{verdict.kind} {verdict.sentence}"


class TestTls:
    def test_an_untrusted_certificate_is_reported_and_nothing_is_sent(self, sandbox, tmp_path):
        pem = self_signed(tmp_path, "127.0.0.1")
        with TlsFront(port_of(sandbox), pem) as front:
            verdict = verify(sandbox.make_key(), f"https://127.0.0.1:{front.port}")
        assert verdict.kind == "unreachable"
        assert "certificate of 127.0.0.1 is not trusted; the key was not sent" in verdict.sentence
        assert (front.received, sandbox.requests) == ([], [])

    def test_the_same_certificate_works_once_it_is_trusted(self, sandbox, tmp_path, monkeypatch):
        pem = self_signed(tmp_path, "127.0.0.1")
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with TlsFront(port_of(sandbox), pem) as front:
            assert verify(sandbox.make_key(), f"https://127.0.0.1:{front.port}").kind == "accepted"
            assert front.received

    def test_certificates_are_read_once_and_again_when_their_file_was_changed(self, sandbox, tmp_path, monkeypatch):
        pem, bundle = self_signed(tmp_path, "127.0.0.1"), tmp_path / "bundle.pem"
        shutil.copy(certifi.where(), bundle)
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        first = tls_settings()
        with TlsFront(port_of(sandbox), pem) as front:
            address = f"https://127.0.0.1:{front.port}"
            assert verify(sandbox.make_key(), address).kind == "unreachable"
            assert tls_settings() is first
            bundle.write_bytes(pem.read_bytes())
            assert verify(sandbox.make_key(), address).kind == "accepted"
        assert tls_settings() is not first

    def test_a_certificate_for_another_name_is_reported(self, sandbox, tmp_path, monkeypatch):
        pem = self_signed(tmp_path, "api.mistral.ai")
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        with TlsFront(port_of(sandbox), pem) as front:
            verdict = verify(sandbox.make_key(), f"https://127.0.0.1:{front.port}")
        assert "is not trusted" in verdict.sentence
        assert front.received == []

    def test_a_port_without_tls_is_reported(self, sandbox):
        verdict = verify(make_key(), f"https://127.0.0.1:{port_of(sandbox)}")
        assert verdict.kind == "unreachable"
        assert "The TLS handshake with 127.0.0.1 failed" in verdict.sentence

    def test_unreadable_certificates_are_reported(self, sandbox, tmp_path, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
        verdict = verify(make_key(), sandbox.url)
        assert verdict.kind == "unreachable"
        assert "SSL_CERT_FILE" in verdict.sentence


class TestProxy:
    def test_it_is_used_and_sees_the_host_and_no_key(self, sandbox, tmp_path, monkeypatch):
        pem = self_signed(tmp_path, "api.mistral.ai")
        key = sandbox.make_key()
        with TlsFront(port_of(sandbox), pem) as front, Proxy(front.port) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv("SSL_CERT_FILE", str(pem))
            verdict = verify(key, "https://api.mistral.ai")
        assert (verdict.kind, verdict.identity.workspace) == ("accepted", "research")
        seen = b"".join(proxy.received)
        assert seen.startswith(b"CONNECT api.mistral.ai:443 ")
        assert key.reveal().encode() not in seen
        assert key.reveal().encode() in b"".join(front.received)  # negative control: the search finds what is sent

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
                "requires a user name",
            ),
            (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "rejected the connection"),
            (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "rejected the connection"),
        ],
    )
    def test_a_proxy_refusal_is_attributed_to_the_proxy_and_not_retried(self, monkeypatch, answer, says):
        with Saying(answer) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:hidden@127.0.0.1:{proxy.port}")
            verdict = verify(make_key(), "https://api.mistral.ai")
        assert verdict.kind == "unreachable"
        assert says in verdict.sentence
        assert "hidden" not in verdict.sentence
        assert len(proxy.received) == 1

    def test_a_missing_proxy_is_named(self, monkeypatch):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:hidden@127.0.0.1:{unused.getsockname()[1]}")
            verdict = verify(make_key(), "https://api.mistral.ai")
        assert "The connection to the proxy 127.0.0.1 was refused" in verdict.sentence
        assert "hidden" not in verdict.sentence

    @pytest.mark.parametrize("value", ["bogus://user:hidden@x", "http://user:hidden@x:port"])
    def test_an_invalid_proxy_address_is_reported(self, monkeypatch, value):
        monkeypatch.setenv("HTTPS_PROXY", value)
        verdict = verify(make_key(), "https://api.mistral.ai")
        assert verdict.kind == "unreachable"
        assert "proxy set in the environment cannot be used" in verdict.sentence
        assert "hidden" not in verdict.sentence

    def test_no_proxy_is_used_for_this_machine(self, sandbox, monkeypatch):
        with Saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as proxy:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setitem(os.environ, name, f"http://127.0.0.1:{proxy.port}")
            assert verify(sandbox.make_key(), sandbox.url).kind == "accepted"
            assert proxy.received == []
            httpx.get(sandbox.url)  # the bare client does go there
            assert len(proxy.received) == 1
