import pytest

from mistral_nb.api.doctor_checks import checks

MISTRAL = "https://api.mistral.ai"


def rows(base=MISTRAL, **environ):
    return {row.label: row for row in checks(base, environ)}


@pytest.mark.parametrize(
    ("base", "state", "says"),
    [
        (MISTRAL, "ok", "Mistral's"),
        ("http://127.0.0.1:8000", "ok", "on this machine"),
        ("https://gateway.example.org", "warn", "gateway.example.org is not a Mistral host"),
        ("http://gateway.example.org", "bad", "plain http"),
        ("gateway", "bad", "does not begin with https://"),
        ("https://user:hidden@gateway.example.org", "bad", "user name or password"),
    ],
)
def test_shows_which_api_is_used(base, state, says):
    row = rows(base)["API"]
    assert row.state == state
    assert says in row.value
    assert bool(row.repair) == (state != "ok")
    assert "hidden" not in f"{row}"


@pytest.mark.parametrize(
    ("environ", "state", "value"),
    [
        ({}, "ok", "none: Mistral is reached directly"),
        ({"HTTPS_PROXY": ""}, "ok", "none: Mistral is reached directly"),
        (
            {"HTTPS_PROXY": "http://proxy.example.org:3128"},
            "ok",
            "through proxy.example.org:3128, from HTTPS_PROXY",
        ),
        ({"https_proxy": "proxy.example.org"}, "ok", "through proxy.example.org, from https_proxy"),
        (
            {"ALL_PROXY": "socks5://u:hidden@proxy.example.org:1"},
            "ok",
            "through proxy.example.org:1, from ALL_PROXY",
        ),
        (
            {"HTTPS_PROXY": "u:hidden@proxy.example.org"},
            "ok",
            "through proxy.example.org, from HTTPS_PROXY",
        ),
        ({"HTTPS_PROXY": "http://u:12#hidden@proxy.example.org"}, "bad", "HTTPS_PROXY is not a valid address"),
        ({"HTTPS_PROXY": "http://u:12/hidden@proxy.example.org"}, "bad", "HTTPS_PROXY is not a valid address"),
        ({"HTTPS_PROXY": "http://u:hidden"}, "bad", "HTTPS_PROXY is not a valid address"),
    ],
)
def test_names_the_proxy_and_never_its_password(environ, state, value):
    row = rows(**environ)["proxy"]
    assert (row.state, row.value) == (state, value)
    assert "hidden" not in f"{row}"


def test_warns_of_what_takes_precedence_over_the_key():
    row = rows(MISTRAL_SA_TOKEN_PATH="/run/token")["MISTRAL_SA_TOKEN_PATH"]
    assert row.state == "warn"
    assert "ignores MISTRAL_API_KEY" in row.value
    assert "MISTRAL_SA_TOKEN_PATH" not in rows()
