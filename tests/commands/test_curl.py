"""`curl`: the key in no argument and no variable of the real curl; what would show or forward it is refused."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.commands._curl_options import check_arguments, resolve_address
from mistral_nb.commands.curl import build_arguments, move_own_options_first
from mistral_nb.errors import WrongUsage
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import act
from support.patience import PATIENCE, wait_for
from support.requirements import need
from support.sandboxes import start_sandbox

NewContext = Callable[..., Context]
BASE = "https://api.mistral.ai"


@pytest.fixture
def kept(new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]) -> Key:
    need("curl")
    key = sandbox.make_key("prod")
    act(new_context("cli"), "login", {"key": key, "expires": "", "name": ""}, workspace="prod")
    for name in ("MISTRAL_API_KEY", "MISTRAL_NB_ACTIVE"):
        environ.pop(name, None)
    return key


def curl(environ: dict[str, str], *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mistral_nb", "curl", *words]
    return subprocess.run(
        command,
        env=environ,
        input=given,
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        cwd=environ["HOME"],
    )


@pytest.mark.slow
def test_the_request_goes_out_with_the_key(kept: Key, sandbox: Sandbox, environ: dict[str, str]) -> None:
    done = curl(environ, "-sS", "/v1/models")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"mistral-small-latest"' in done.stdout
    assert sandbox.requests[-1] == ("GET", "/v1/models", kept.tail)
    assert curl(environ, "--workspace=prod", "-s", "/v1/models").returncode == 0
    assert curl(environ, "-w", "prod", "-sf", f"{sandbox.url}/v1/nowhere").returncode == 22  # curl's own code


def test_standard_input_stays_free(kept: Key, environ: dict[str, str]) -> None:
    done = curl(environ, "-sS", "/v1/models", "-X", "GET", "-d", "@-", "-w", "%{size_upload}", given="x" * 1000)
    assert done.stdout.endswith("1000")


@pytest.mark.parametrize("from_environment", [False, True])
def test_no_process_list_and_no_variable_of_curl_contains_it(
    from_environment: bool, kept: Key, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    if from_environment:
        environ["MISTRAL_API_KEY"] = kept.reveal()
    sandbox.set_fault("silent")
    command = [sys.executable, "-m", "mistral_nb", "curl", "-s", "/v1/models"]
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, cwd=environ["HOME"]) as process:
        try:
            shown = _of_curl(process.pid)
            wait_for(lambda: sandbox.requests and sandbox.requests[-1].tail == kept.tail)  # the key was sent
            shown += _of_curl(process.pid)
        finally:
            process.kill()
    assert b"Authorization" not in shown
    assert kept.reveal().encode() not in shown
    assert kept.fingerprint.encode() not in shown


def test_the_search_finds_a_planted_key(kept: Key, sandbox: Sandbox, environ: dict[str, str]) -> None:
    sandbox.set_fault("silent")
    command = ["curl", "-s", "-H", f"Authorization: Bearer {kept.reveal()}", f"{sandbox.url}/v1/models"]
    with subprocess.Popen(command, env=environ | {"MISTRAL_API_KEY": kept.reveal()}) as process:
        try:
            assert _of_curl(process.pid).count(kept.reveal().encode()) == 2
        finally:
            process.kill()


def test_a_config_file_of_the_user_s_is_not_read(kept: Key, environ: dict[str, str]) -> None:
    (Path(environ["HOME"]) / ".curlrc").write_text("verbose\n")
    done = curl(environ, "-s", "/v1/models")
    assert (done.returncode, done.stderr) == (0, "")


def test_tls_session_keys_are_not_logged(kept: Key, sandbox: Sandbox, environ: dict[str, str]) -> None:
    environ |= {"SSLKEYLOGFILE": "/nowhere", "A_VARIABLE_OF_THE_USER_S": "/nowhere"}
    sandbox.set_fault("silent")
    command = [sys.executable, "-m", "mistral_nb", "curl", "-s", "/v1/models"]
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, cwd=environ["HOME"]) as process:
        try:
            shown = _of_curl(process.pid)
        finally:
            process.kill()
    assert b"A_VARIABLE_OF_THE_USER_S=" in shown
    assert b"SSLKEYLOGFILE" not in shown


@pytest.mark.slow
def test_an_ask_first_workspace_is_used_after_a_yes_and_named(kept: Key, environ: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "mistral_nb", "edit", "prod", "--ask-first"], env=environ, check=True)
    done = curl(environ, "-s", "/v1/models")
    assert (done.returncode, "--yes" in done.stderr) == (125, True)
    done = curl(environ, "-w", "prod", "--yes", "-s", "/v1/models")
    assert (done.returncode, f"prod …{kept.tail} (ask first)" in done.stderr) == (0, True)


@pytest.mark.parametrize("words", [["-h"], ["-v", "/v1/models"], ["/v1/models", "-sL"], ["https://example.com/"], []])
def test_a_refusal_reads_no_key_and_starts_nothing(words: list[str], environ: dict[str, str]) -> None:
    environ["MISTRAL_NB_PASSPHRASE_FILE"] = "/nowhere"
    assert curl(environ, *words).returncode in (0, 2)


REFUSED = [
    *("-v", "-sv", "--verbose", "--trace", "--trace-ascii", "--trace-time", "--libcurl"),
    *("-L", "-sL", "-fsSL", "--location", "--location-trusted", "--next", "-:", "--proxy", "-x", "-xhttp://p"),
    *("-K", "-Kfile", "--config", "-k", "--insecure", "--connect-to", "--resolve", "--unix-socket"),
    *("-u", "-n", "--netrc", "--oauth2-bearer", "--expand-url", "--variable", "--verb", "--loc", "--a-new-one", "-q"),
]


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_that_shows_or_forwards_the_header_is_refused_with_the_reason(option: str) -> None:
    with pytest.raises(WrongUsage, match=r"is refused: .+"):
        check_arguments([option, "x", "/v1/models"], BASE)


@pytest.mark.parametrize("header", ["Authorization: Bearer x", "authorization:", " AUTHORIZATION: x"])
@pytest.mark.parametrize("form", [["-H", "{}"], ["-H{}"], ["--header", "{}"], ["-sH", "{}"]])
def test_another_authorization_is_refused(header: str, form: list[str]) -> None:
    with pytest.raises(WrongUsage):
        check_arguments([*(word.format(header) for word in form), "/v1/models"], BASE)


ALLOWED = [
    (["/v1/models"], [f"{BASE}/v1/models"]),
    (["-sS", "/v1/models", "-o", "out"], ["-s", "-S", f"{BASE}/v1/models", "-o", "out"]),
    (["-d@-", "/v1/x"], ["-d", "@-", f"{BASE}/v1/x"]),
    (["-sd", "@-", "/v1/x"], ["-s", "-d", "@-", f"{BASE}/v1/x"]),
    (["--json", "{}", "/v1/x?a=1#b"], ["--json", "{}", f"{BASE}/v1/x?a=1#b"]),
    (["-H", "X-A: b", "--url", "/v1/x"], ["-H", "X-A: b", f"{BASE}/v1/x"]),
    (["-w", "%{http_code}", "/v1/x"], ["-w", "%{http_code}", f"{BASE}/v1/x"]),
    (["https://api.eu.mistral.ai/v1/x"], ["https://api.eu.mistral.ai/v1/x"]),
    (["HTTPS://api.mistral.ai"], ["https://api.mistral.ai"]),
    (["-d", "-v", "/v1/x"], ["-d", "-v", f"{BASE}/v1/x"]),
]


@pytest.mark.parametrize(("words", "expected"), ALLOWED)
def test_harmless_options_are_passed_on(words: list[str], expected: list[str]) -> None:
    assert check_arguments(words, BASE).words == expected


ELSEWHERE = [
    *("https://example.com/", "http://api.mistral.ai/v1/models", "api.mistral.ai/v1/models", "//example.com/"),
    *("https://api.mistral.ai@example.com/", "https://api.mistral.ai:x@example.com/", "https://api.mistral.ai.evil/"),
    *("https://{api.mistral.ai,example.com}/", "https://api[1-2].mistral.ai/", "https://api.mistral.ai\\@evil/"),
    *(
        "file:///etc/passwd",
        "ftp://api.mistral.ai/",
        "https://",
        "https:///v1",
        "-",
        "v1/models",
        "https://evil/?.mistral.ai",
    ),
    *("https://evil#.mistral.ai", "https://mistral.ai\t.evil/", "https://evil\n.mistral.ai/"),
]


@pytest.mark.parametrize("word", ELSEWHERE)
def test_any_other_address_is_refused(word: str) -> None:
    with pytest.raises(WrongUsage):
        resolve_address(word, BASE)


@pytest.mark.slow
def test_the_real_curl_reads_the_allowed_addresses_as_we_do(
    kept: Key, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    for path in ("/v1/models?x=@evil", "/v1/models#@evil", "/v1/../v1/models", "/v1/models?a=//b", "/@evil/v1/models"):
        curl(environ, "-sg", path)
        assert sandbox.requests[-1].tail == kept.tail


def test_only_https_is_used_except_on_this_machine() -> None:
    assert build_arguments(["x"], [f"{BASE}/v1"]) == ["curl", "-q", "x", "--proto", "=https"]
    assert build_arguments(["x"], ["http://127.0.0.1:1/v1?a"]) == ["curl", "-q", "x", "--noproxy", "*"]


@pytest.mark.parametrize("words", [[], ["--noproxy", ""], ["--noproxy", "elsewhere.invalid"]])
def test_no_proxy_is_between_us_and_this_machine(
    words: list[str], kept: Key, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    with start_sandbox() as proxy:
        environ["http_proxy"] = proxy.url
        done = curl(environ, "-sS", "/v1/models", *words)
        assert (done.returncode, proxy.requests) == (0, [])
        assert sandbox.requests[-1].tail == kept.tail
        subprocess.run(["curl", "-s", f"{sandbox.url}/v1/models"], env=environ, check=True, timeout=20)
        assert len(proxy.requests) == 1, "curl by itself would have taken it"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["curl", "-s", "/"], ["curl", "--", "-s", "/"]),
        (["curl", "-w", "prod", "/", "-w", "x"], ["curl", "-w", "prod", "--", "/", "-w", "x"]),
        (["curl", "--workspace=a", "--yes", "-s", "/"], ["curl", "--workspace=a", "--yes", "--", "-s", "/"]),
        (["curl", "--yes", "--workspace", "a", "--force"], ["curl", "--yes", "--workspace", "a", "--force", "--"]),
        (["curl", "--help"], ["curl", "--help"]),
    ],
)
def test_our_options_come_first(words: list[str], expected: list[str]) -> None:
    assert move_own_options_first(words) == expected


def _of_curl(pid: int) -> bytes:
    """Arguments and environment of a process, once it is curl."""
    wait_for(lambda: _read(pid, "comm").strip() == b"curl")
    return _read(pid, "cmdline") + _read(pid, "environ")


def _read(pid: int, name: str) -> bytes:
    if not os.path.exists("/proc/self/environ"):
        pytest.skip("no /proc here")
    return Path(f"/proc/{pid}/{name}").read_bytes()
