import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keys import make_key

from mistral_nb.api.verdict import (
    BILLING,
    LIMITS,
    OWN_KEYS,
    STATUS,
    Identity,
    Verdict,
    clean,
    identity_of,
    judge,
)

JSON = {"Content-Type": "application/json"}
MODELS = {"object": "list", "data": [{"id": "mistral-small-latest", "object": "model"}]}
INACTIVE = {"message": "Inactive subscription or usage limit reached"}
HTML = b"<!doctype html><h1>Welcome</h1>"


def body(data) -> bytes:
    return data if isinstance(data, bytes) else json.dumps(data).encode()


@pytest.mark.parametrize(
    ("status", "data", "kind", "says"),
    [
        (200, MODELS, "accepted", "accepts the key"),
        (200, {"object": "list", "data": []}, "accepted", "accepts the key"),
        (200, {"data": [{"id": "x"}]}, "accepted", "accepts the key"),
        (200, {"data": []}, "unreachable", "Something else"),
        (200, {"data": ["x"]}, "unreachable", "Something else"),
        (200, {"status": "ok"}, "unreachable", "Something else"),
        (200, [], "unreachable", "Something else"),
        (200, b"", "unreachable", "Something else"),
        (200, HTML, "unreachable", "login page"),
        (200, b"\xff\xfe\x00", "unreachable", "Something else"),
        (200, b"[" * 100_000, "unreachable", "Something else"),
        (204, b"", "unreachable", "Something else"),
        (401, {"detail": "Unauthorized"}, "refused", OWN_KEYS),
        (401, {"message": "Unauthorized", "request_id": "0"}, "refused", "minutes old"),
        (401, {"detail": "Invalid API Key"}, "refused", "revoked"),
        (401, b"", "refused", "expired"),
        (401, b" \r\n", "refused", "expired"),
        (401, {}, "refused", "mistyped"),
        (401, INACTIVE, "no payment", BILLING),
        (401, HTML, "unreachable", "login page"),
        (401, b"Unauthorized", "unreachable", "Something else"),
        (402, b"", "no payment", BILLING),
        (402, {"detail": [{"msg": "No credits"}]}, "no payment", "No credits"),
        (402, HTML, "unreachable", "Something else"),
        (
            403,
            {"message": "Not in your tier", "type": "tier_not_allowed"},
            "not permitted",
            "Not in your tier",
        ),
        (403, {"message": {"detail": "Deep"}}, "not permitted", "Deep"),
        (403, {"error": {"message": "Nested"}}, "not permitted", "Nested"),
        (403, b"", "not permitted", LIMITS),
        (403, INACTIVE, "no payment", "not activated"),
        (403, {"error": {"message": "inactive subscription"}}, "no payment", BILLING),
        (403, HTML, "unreachable", "Something else"),
        (429, {"message": "Rate limit exceeded", "type": "rate_limited"}, "rate limited", "in a minute"),
        (429, b"", "rate limited", LIMITS),
        (400, {"message": "Invalid model: X"}, "accepted", "Invalid model: X"),
        (400, HTML, "unreachable", "Something else"),
        (422, {"detail": [{"type": "missing", "loc": ["q"], "msg": "Field required"}]}, "accepted", "Field"),
        (404, b"", "unreachable", "MISTRAL_NB_API"),
        (404, {"message": "no Route matched"}, "unreachable", "HTTP 404"),
        (407, HTML, "unreachable", "proxy"),
        (500, HTML, "server error", STATUS),
        (502, b"", "server error", "HTTP 502"),
        (503, {"message": "Service unavailable"}, "server error", "keep it"),
        (529, b"\xff", "server error", "HTTP 529"),
        (304, b"", "unreachable", "Something else"),
    ],
)
def test_each_answer_means_one_thing(status, data, kind, says):
    verdict = judge(status, JSON, body(data))
    assert verdict.kind == kind
    assert says in verdict.sentence


@pytest.mark.parametrize(
    ("kind", "accepts", "exit_code"),
    [
        ("accepted", True, 0),
        ("rate limited", True, 0),
        ("no payment", True, 1),
        ("not permitted", True, 1),
        ("refused", False, 1),
        ("unreachable", None, 3),
        ("server error", None, 3),
    ],
)
def test_only_refused_speaks_against_the_key(kind, accepts, exit_code):
    verdict = Verdict(kind, "")
    assert (verdict.accepts_key, verdict.exit_code) == (accepts, exit_code)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Retry-After": "17"}, "Try again in 17 seconds"),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "Try again after Wed, 21 Oct 2026 07:28:00 GMT"),
        ({"X-RateLimit-Limit-Req-Minute": "0", "Retry-After": "17"}, "Do not retry"),
        ({"x-ratelimit-limit-req-minute": "60"}, "in a minute"),
    ],
)
def test_rate_limits_say_how_long_to_wait(headers, says):
    assert says in judge(429, headers, b"").sentence


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("https://login.example.org/?next=x", "a redirect to login.example.org,"),
        ("https://user:pass@login.example.org/x", "a redirect to login.example.org,"),
        ("//login.example.org:8443", "a redirect to login.example.org:8443,"),
        ("/login", "another of its pages"),
    ],
)
def test_a_redirect_is_told_and_its_query_and_password_are_not(location, says):
    verdict = judge(302, {"Location": location}, b"")
    assert verdict.kind == "unreachable"
    assert says in verdict.sentence
    assert "pass@" not in verdict.sentence
    assert "next=" not in verdict.sentence


def test_what_the_server_says_is_repeated_short_on_one_line_and_without_the_key():
    key = make_key()
    told = f"{key.reveal()} \x1b[31m\n" + "long " * 100
    sentence = judge(402, {}, body({"detail": told}), key=key).sentence
    said = re.search(r'It said: "(.*?)"\.', sentence)[1]
    assert len(said) <= 120
    assert key.reveal() not in sentence
    assert "\x1b" not in sentence
    assert "long long" in said


@pytest.mark.parametrize("cut", [slice(0, 20), slice(10, None), slice(4, 12)])
def test_a_part_of_the_key_is_not_repeated_either(cut):
    key = make_key()
    part = key.reveal()[cut]
    assert part not in judge(403, {}, body({"detail": f"bad key {part}!"}), key=key).sentence
    assert part in judge(403, {}, body({"detail": f"bad key {part}!"})).sentence  # the search finds it


@given(
    status=st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(["Retry-After", "Location", "mistral-correlation-id", "X-Ratelimit-Limit-Req-Minute"]),
        st.text(max_size=300),
    ),
    data=st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=300),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["detail", "message", "error", "data", "msg"]), inner)
        ),
        max_leaves=8,
    ).map(body),
)
def test_any_answer_gets_a_verdict_of_a_few_clean_lines(status, headers, data):
    verdict = judge(status, headers, data)
    assert verdict.sentence.isprintable()
    assert len(verdict.sentence) < 700


@given(before=st.text(max_size=200), after=st.text(max_size=200))
def test_clean_text_never_holds_the_key(before, after):
    key = make_key()
    text = clean(before + key.reveal() + after, key)
    assert key.reveal()[:15] not in text
    assert len(text) <= 120


@pytest.mark.parametrize(
    ("data", "identity"),
    [
        (
            {
                "id": "u",
                "email": "ada@example.org",
                "first_name": "Ada",
                "last_name": "Example",
                "workspace": {"id": "w", "name": "research"},
                "organization": {"id": "o", "name": "Acme"},
                "api_key": {"id": "k", "name": "laptop"},
            },
            Identity("research", "w", "Acme", "laptop", "k", "u"),
        ),
        ({"id": "u", "workspace": None, "organization": None, "api_key": None}, Identity(user_id="u")),
        ({"workspace": {"name": "re\x1b\nsearch"}}, Identity(workspace="re search")),
        ({"workspace": "research", "email": 7}, None),
        ({}, None),
        ([], None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_reads_whose_key_it_is_and_leaves_out_what_is_not_told(data, identity):
    assert identity_of(body(data)) == identity
