import json
import random
import re
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_nb.api.console_pages import BILLING_URL, LIMITS_URL, OWN_KEYS_URL, STATUS_URL
from mistral_nb.api.verdict import Identity, Verdict, clean_text, judge, parse_identity, parse_json
from support.keys import make_key

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
        (200, {"data": []}, "unreachable", "Something other"),
        (200, {"data": ["x"]}, "unreachable", "Something other"),
        (200, {"status": "ok"}, "unreachable", "Something other"),
        (200, [], "unreachable", "Something other"),
        (200, b"", "unreachable", "Something other"),
        (200, HTML, "unreachable", "login page"),
        (200, b"\xff\xfe\x00", "unreachable", "Something other"),
        (200, b"[" * 100_000, "unreachable", "Something other"),
        (204, b"", "unreachable", "Something other"),
        (401, {"detail": "Unauthorized"}, "refused", OWN_KEYS_URL),
        (401, {"message": "Unauthorized", "request_id": "0"}, "refused", "minutes old"),
        (401, {"detail": "Invalid API Key"}, "refused", "revoked"),
        (401, b"", "refused", "expired"),
        (401, b" \r\n", "refused", "expired"),
        (401, {}, "refused", "mistyped"),
        (401, INACTIVE, "no payment", BILLING_URL),
        (401, HTML, "unreachable", "login page"),
        (401, b"Unauthorized", "unreachable", "Something other"),
        (402, b"", "no payment", BILLING_URL),
        (402, {"detail": [{"msg": "No credits"}]}, "no payment", "No credits"),
        (402, HTML, "unreachable", "Something other"),
        (
            403,
            {"message": "Not in your tier", "type": "tier_not_allowed"},
            "not permitted",
            "Not in your tier",
        ),
        (403, {"message": {"detail": "Deep"}}, "not permitted", "Deep"),
        (403, {"error": {"message": "Nested"}}, "not permitted", "Nested"),
        (403, b"", "not permitted", LIMITS_URL),
        (403, INACTIVE, "no payment", "not activated"),
        (403, {"error": {"message": "inactive subscription"}}, "no payment", BILLING_URL),
        (403, HTML, "unreachable", "Something other"),
        (429, {"message": "Rate limit exceeded", "type": "rate_limited"}, "rate limited", "in a minute"),
        (429, b"", "rate limited", LIMITS_URL),
        (400, {"message": "Invalid model: X"}, "accepted", "Invalid model: X"),
        (400, HTML, "unreachable", "Something other"),
        (422, {"detail": [{"type": "missing", "loc": ["q"], "msg": "Field required"}]}, "accepted", "Field"),
        (404, b"", "unreachable", "MISTRAL_NB_API"),
        (404, {"message": "no Route matched"}, "unreachable", "HTTP 404"),
        (407, HTML, "unreachable", "proxy"),
        (500, HTML, "server error", STATUS_URL),
        (502, b"", "server error", "HTTP 502"),
        (503, {"message": "Service unavailable"}, "server error", "keep it"),
        (529, b"\xff", "server error", "HTTP 529"),
        (304, b"", "unreachable", "Something other"),
    ],
)
def test_each_response_has_one_meaning(status, data, kind, says):
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
def test_only_a_refusal_counts_against_the_key(kind, accepts, exit_code):
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
def test_a_redirect_is_reported_without_its_query_and_password(location, says):
    verdict = judge(302, {"Location": location}, b"")
    assert verdict.kind == "unreachable"
    assert says in verdict.sentence
    assert "pass@" not in verdict.sentence
    assert "next=" not in verdict.sentence


def test_the_servers_message_is_repeated_on_one_short_line_without_the_key():
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
    assert (
        part in judge(403, {}, body({"detail": f"bad key {part}!"})).sentence
    )  # negative control: the search finds it


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


def test_what_cannot_be_printed_in_a_header_is_not_repeated():
    assert judge(429, {"Retry-After": "\ud7fc"}, b"").sentence.isprintable()


@given(before=st.text(max_size=200), after=st.text(max_size=200))
def test_clean_text_never_contains_the_key(before, after):
    key = make_key(random.Random(1))  # the same when a failure is run again
    text = clean_text(before + key.reveal() + after, key)
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
def test_reads_the_owner_of_the_key_and_omits_what_is_missing(data, identity):
    assert parse_identity(body(data)) == identity


@pytest.mark.parametrize("depth", [101, 990, 100_000])
@pytest.mark.parametrize("kind", ['{"detail":', '{"error":{"message":[', "["])
def test_a_deep_answer_is_none_even_where_the_recursion_limit_was_raised(depth: int, kind: str) -> None:
    close = "".join({"{": "}", "[": "]"}[mark] for mark in reversed(kind) if mark in "{[")
    body = (kind * depth + "1" + close * depth).encode()
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    try:
        assert parse_json(body) is None
        assert judge(401, {}, body).kind == "unreachable"
    finally:
        sys.setrecursionlimit(before)


def test_a_wide_answer_is_read() -> None:
    body = json.dumps({"object": "list", "data": [{"id": "[{[{" * 50, "n": [[1]]} for _ in range(5000)]}).encode()
    assert judge(200, {}, body).kind == "accepted"


@pytest.mark.parametrize("said", ["\ud7fc", "²", "\ud800", "\u202e1", "x" * 100_000, "9" * 5000, "\x1b[31m", "", "-1"])
def test_any_header_makes_a_sentence_that_can_be_printed(said: str) -> None:
    for headers in ({"Retry-After": said}, {"Location": f"//{said}/"}, {"x-ratelimit-limit-req-minute": said}):
        for status in (200, 301, 401, 407, 429, 500):
            sentence = judge(status, headers, b"").sentence
            assert sentence.isprintable()
            assert len(sentence) < 600
            sentence.encode()


def test_an_answer_of_four_megabytes_is_judged_quickly() -> None:
    start = time.thread_time()
    for body in (
        b"[" * 4_000_000,
        b'{"a":' * 800_000,
        b'"' + b"\\" * 4_000_000,
        b'["",' * 1_000_000,
        b"\0[" * 2_000_000,
    ):
        judge(401, {}, body)
    assert time.thread_time() - start < 10
