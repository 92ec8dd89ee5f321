"""An API in the middle: any status, headers and body make a verdict whose sentence can be shown; no exception."""

import random

from fuzz.harness import run, within
from mistral_nb.admin import errors, responses
from mistral_nb.api.verdict import judge, parse_identity, parse_json
from support.keys import make_key

_KEY = make_key(random.Random(5))
SEEDS = (
    b'401\n\n{"detail": "Unauthorized"}',
    b"429\nretry-after: 30\n",
    b"301\nlocation: //example.org/a\n",
    b'200\n\n{"object": "list", "data": [{"id": "mistral-small-latest"}]}',
    b'200\n\n{"workspace": {"name": "a", "id": "b"}, "organization": {"name": "c"}, "api_key": {"name": "d"}}',
    b'200\n\n{"keys": [{"key_id": "a", "hidden_key": "abcd...efgh", "expiration_date": "2027-01-01", "product": 1}]}',
    b'200\n\n{"categories": {"a": {"cost": 1}}, "currency": "EUR", "start_date": "2027-01-01T00"}',
    b'403\n\n{"error": {"message": ["x", {"msg": "' + _KEY.reveal().encode() + b'"}]}}',
)


def one_input(data: bytes) -> None:
    status, headers, body = parse(data)
    with within():
        verdict = judge(status, headers, body, key=_KEY)
        identity = parse_identity(body, _KEY)
        refused = errors.refusal_error("list the keys", status, body, _KEY, "api.mistral.ai")
        answer = parse_json(body)
        found: list[object] = [responses.parse_created_key(answer), responses.parse_usage(answer)]
        for entry in responses.parse_page(answer) or []:
            found += [responses.parse_key_info(entry), responses.parse_workspace(entry)]
        usage = responses.parse_usage(answer)
        total = usage.total if usage else 0.0
    for text in (verdict.sentence, str(refused), str(identity), str(total)):
        assert text.isprintable() and len(text) < 2000, repr(text)
        assert _KEY.reveal() not in text, "the key is repeated"
    for value in found:
        for part in value if isinstance(value, tuple) else ():
            assert not isinstance(part, str) or part.isprintable()


def parse(data: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    status = int(first[-3:]) if first[-3:].isdigit() else 401
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    return status, {name: value.strip() for name, _, value in pairs}, body


if __name__ == "__main__":
    run(one_input)
