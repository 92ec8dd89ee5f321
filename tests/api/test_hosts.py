import pytest

from mistral_nb.api.hosts import classify_host, host_name
from mistral_nb.errors import WrongUsage


@pytest.mark.parametrize(
    ("base", "whose"),
    [
        ("https://api.mistral.ai", "mistral"),
        ("https://api.eu.mistral.ai", "mistral"),
        ("https://mistral.ai", "mistral"),
        ("HTTPS://API.Mistral.AI", "mistral"),
        ("https://api.mistral.ai.", "mistral"),
        ("https://api.mistral.ai:8443/prefix", "mistral"),
        ("http://api.mistral.ai", "insecure"),
        ("https://mistral.ai.evil.com", "other"),
        ("https://evilmistral.ai", "other"),
        ("https://mistral.ai-evil.com", "other"),
        ("https://api-mistral.ai", "other"),
        ("https://xn--mistrl-6ta.ai", "other"),
        ("https://evil.com/api.mistral.ai", "other"),
        ("https://evil.com:443/https://api.mistral.ai", "other"),
        ("https://gateway.example.org", "other"),
        ("http://gateway.example.org", "insecure"),
        ("http://127.0.0.1:8000", "loopback"),
        ("https://127.8.9.10", "loopback"),
        ("http://localhost:1", "loopback"),
        ("http://LOCALHOST.", "loopback"),
        ("http://[::1]:8000", "loopback"),
        ("http://[2001:db8::1]", "insecure"),
        ("https://[2001:db8::1]", "other"),
        ("http://localhost.evil.com", "insecure"),
        ("http://127.0.0.1.evil.com", "insecure"),
        ("http://127.0.0.1.nip.io", "insecure"),
        ("http://128.0.0.1", "insecure"),
        ("http://0.0.0.0", "insecure"),
        ("http://2130706433", "insecure"),
        ("http://0x7f.1", "insecure"),
        ("http://127.1", "insecure"),
    ],
)
def test_classifies_the_host_of_an_address(base, whose):
    assert classify_host(base) == whose


@pytest.mark.parametrize(
    "base",
    [
        "",
        "api.mistral.ai",
        "//api.mistral.ai",
        "ftp://api.mistral.ai",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://api.mistral.ai@evil.com",
        "https://user:password@api.mistral.ai",
        "https://@api.mistral.ai",
        "https://evil.com\\@api.mistral.ai",
        "https://evil.com\\.mistral.ai",
        "https://api.mistral.ai%2eevil.com",
        "https://api.mistral.ai?x=1",
        "https://api.mistral.ai#x",
        "https://evil.com#.mistral.ai",
        "https://api.mistral.ai evil.com",
        "https://api.mistral\t.ai",
        "https://evil.com\n.mistral.ai",
        "\x00https://api.mistral.ai",
        "https://mistral。ai",
        "https://аpi.mistral.ai",
        "https://api.mistral.ai..",
        "https://.mistral.ai",
        "https://api.mistral.ai:0",
        "https://api.mistral.ai:99999",
        "https://api.mistral.ai:x",
        "https://[::1",
        "https://[api.mistral.ai]",
        "http://[::1%25lo]",
        "https://evil.com[.mistral.ai",
    ],
)
def test_refuses_invalid_addresses(base):
    with pytest.raises(WrongUsage) as caught:
        classify_host(base)
    assert caught.value.todo
    assert "password@" not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("https://API.Mistral.ai.:443/x", "api.mistral.ai"),
        ("http://[::1]:80", "::1"),
        ("http://127.0.0.1:1", "127.0.0.1"),
    ],
)
def test_names_the_host(base, host):
    assert host_name(base) == host


@pytest.mark.parametrize("base", ["https://api.mistral.ai", "https://api.mistral.ai.", "http://[::1]:8"])
def test_reads_an_address_as_httpx_does(base):
    import httpx

    assert httpx.URL(base).host.removesuffix(".") == host_name(base)
