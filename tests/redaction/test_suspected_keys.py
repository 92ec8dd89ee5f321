"""Key-shaped texts that are not known here: removed where Mistral is mentioned; look-alikes stay."""

import base64
import hashlib
import json
import random
import uuid
from collections.abc import Callable

import pytest

from mistral_nb.api_key import MARKER, Key
from mistral_nb.redaction.redact import redact, redact_text
from mistral_nb.watchlist import Watchlist
from support.forms import LEAKS, STYLES, notebook, rng_of, stream
from support.keys import make_key, make_text

NOBODY = Watchlist()


# As a person would write or see it; {k} is the key.
@pytest.mark.parametrize("style", ["plain", *STYLES])
@pytest.mark.parametrize("leak", LEAKS)
def test_a_key_shaped_text_in_a_mistral_context_is_removed(leak: str, style: str) -> None:
    key = make_key(rng_of(leak, style))
    text = LEAKS[leak].format(k=key.reveal())
    clean = LEAKS[leak].format(k=MARKER)
    for before, after in (
        (notebook(source=text), notebook(source=clean)),
        (notebook(stream(text.splitlines(True))), notebook(stream(clean.splitlines(True)))),
    ):
        data, wanted = (
            (text.encode(), clean.encode()) if style == "plain" else (STYLES[style](before), STYLES[style](after))
        )
        result = redact(data, NOBODY)
        assert result.data == wanted
        [finding] = result.findings
        assert (finding.tier, finding.fingerprint, finding.tail) == ("suspected", key.fingerprint, key.tail)
        assert redact(result.data, NOBODY).data is result.data


def wrapped_to_the_length_of_a_key(rng: random.Random, width: int) -> str:
    lines = [base64.b64encode(rng.randbytes(width * 3 // 4)).decode() for _ in range(5)]
    return "\n".join([*lines, make_text(rng)])


LOOKALIKES: dict[str, Callable[[random.Random], str]] = {
    "MD5": lambda rng: hashlib.md5(rng.randbytes(9), usedforsecurity=False).hexdigest(),
    "MD5, upper case": lambda rng: hashlib.md5(rng.randbytes(9), usedforsecurity=False).hexdigest().upper(),
    "SHA-1": lambda rng: hashlib.sha1(rng.randbytes(9), usedforsecurity=False).hexdigest(),
    "SHA-256": lambda rng: hashlib.sha256(rng.randbytes(9)).hexdigest(),
    "UUID": lambda rng: str(uuid.UUID(int=rng.getrandbits(128))),
    "a request id": lambda rng: f'"id": "{rng.randbytes(16).hex()}"',
    "a widget id": lambda rng: f"IPY_MODEL_{rng.randbytes(16).hex()}",
    "a class name": lambda _: "Mistral3ForConditionalGeneration",
    "another class name": lambda _: "MistralForSequenceClassification",
    "a long name": lambda _: "getMistral7BInstructModelResults",
    "base64": lambda rng: base64.b64encode(rng.randbytes(60)).decode(),
    "base64, wrapped": lambda rng: base64.encodebytes(rng.randbytes(400)).decode(),
    "base64, 24 bytes, padded": lambda rng: base64.b64encode(b"+>?" + rng.randbytes(22)).decode(),
    "base64, wrapped, its last line as long as a key": lambda rng: wrapped_to_the_length_of_a_key(rng, 76),
    "a certificate": lambda rng: f"-----BEGIN\n{wrapped_to_the_length_of_a_key(rng, 64)}\n-----END",
    "a JWT": lambda rng: ".".join(base64.urlsafe_b64encode(rng.randbytes(33)).decode() for _ in range(3)),
    "a data URL": lambda rng: f"data:image/png;base64,{base64.b64encode(rng.randbytes(300)).decode()}",
    "letters only": lambda rng: "".join(rng.choices("abcdefghijkABCDEFGHIJK", k=32)),
    "digits only": lambda rng: "".join(rng.choices("0123456789", k=32)),
    "31 characters": lambda rng: make_text(rng)[:31],
    "33 characters": lambda rng: make_text(rng) + "a",
    "in a longer name": lambda rng: f"{make_text(rng)}_v2",
    "a path": lambda rng: f"/files/{make_text(rng)}/x",
    "a placeholder": lambda _: "YourMistralApiKeyGoesHere0123456",
    "x-es": lambda _: "xxxxxxxxXXXXXXXXxxxxxxxx00000000",
    "the marker": lambda _: MARKER,
    "OpenAI": lambda rng: f"OPENAI_API_KEY=sk-{make_text(rng)}",
}
# Other vendors' identifiers that say so: told, not counted, not rewritten.
NOTED = {
    "Auth0": "AUTH0_CLIENT_ID = '{k}'",
    "Auth0, JSON": '"auth0_client_id": "{k}"',
    "W&B": "wandb id: {k}",
    "W&B, config": "WANDB_RUN_ID={k}",
    "an identifier": "request_id: '{k}'",
    "a client id": 'client_id="{k}"',
    "Azure": "AZURE_OPENAI_API_KEY = '{k}'",
    "a digest": "digest: {k}",
    "numbers of plotly": '"x": {{"dtype": "f8", "bdata": "{k}"}}',
    "numbers of bokeh 2": '"x": {{"__ndarray__": "{k}", "dtype": "float64"}}',
    "numbers of bokeh 3": '"array":{{"type":"bytes","data":"{k}"}},"shape":[3]',
}


@pytest.mark.parametrize("style", ["plain", "as Jupyter", "one line", "ASCII"])
@pytest.mark.parametrize("name", LOOKALIKES)
def test_lookalikes_are_kept(name: str, style: str) -> None:
    rng = rng_of(name)
    for _ in range(10):
        text = f"import mistralai\nvalue = '{LOOKALIKES[name](rng)}'\n{LOOKALIKES[name](rng)}\n"
        data = text.encode() if style == "plain" else STYLES[style](notebook(stream(text), source=text))
        result = redact(data, NOBODY)
        assert result.data is data
        assert result.findings == ()


@pytest.mark.parametrize("style", ["plain", "as Jupyter", "one line"])
@pytest.mark.parametrize("name", NOTED)
def test_other_vendors_identifiers_are_noted_and_stay(name: str, style: str) -> None:
    key = make_key(rng_of(name))
    text = "import mistralai\n" + NOTED[name].format(k=key.reveal()) + "\n"
    data = text.encode() if style == "plain" else STYLES[style](notebook(source=text.splitlines(True)))
    result = redact(data, NOBODY)
    assert result.data is data
    assert [(f.tier, f.fingerprint) for f in result.findings] == [("noted", key.fingerprint)]


def test_an_image_is_left_alone_and_so_is_everything_without_the_context() -> None:
    key = make_key()
    image = f"iVBORw0KGgo,MISTRAL_API_KEY={key.reveal()}," + base64.b64encode(random.Random(1).randbytes(600)).decode()
    for kind, left_alone in (("image/png", True), ("text/plain", False)):
        shown = {"data": {kind: image}, "metadata": {}, "output_type": "display_data"}
        data = STYLES["as Jupyter"](notebook(shown))
        assert (redact(data, NOBODY).data is data) is left_alone
    assert redact_text(f"key = '{key.reveal()}'", NOBODY) == (f"key = '{key.reveal()}'", ())


def test_a_keep_comment_on_the_line_and_the_keep_list_are_respected() -> None:
    key = make_key()
    text = f"# mistral\nkey = '{key.reveal()}'  # mistral-nb: keep\nx = 1\n"
    cleaned, [finding] = redact_text(text, NOBODY)
    assert cleaned is text
    assert (finding.tier, finding.line) == ("kept", 2)
    data = STYLES["as Jupyter"](notebook(source=text.splitlines(True)))
    assert redact(data, NOBODY).data is data
    plain = f"# mistral\nkey = '{key.reveal()}'\n"
    listed = Watchlist(keep=frozenset({key.fingerprint}))
    assert redact_text(plain, listed)[0] is plain
    assert redact_text(text, Watchlist(known=(key,), keep=frozenset({key.fingerprint})))[0] != text


def test_strict_mode_redacts_key_shapes_without_any_context() -> None:
    key = make_key()
    strict = Watchlist(strict=True)
    for text in (f"key = '{key.reveal()}'\n", f"AUTH0_CLIENT_ID = '{key.reveal()}'\n"):
        assert MARKER in redact_text(text, strict)[0]
    assert redact_text(f"hash = '{key.fingerprint}'", strict)[1] == ()


def test_tiers_that_are_not_asked_for_are_left() -> None:
    key = make_key()
    text = f"mistral '{key.reveal()}'"
    for tiers, watchlist in (("known", NOBODY), ("suspected", Watchlist(known=(key,)))):
        found = redact_text(text, watchlist, tiers=frozenset({tiers}))[1]
        assert [f.tier for f in found] == (["suspected"] if tiers == "suspected" else [])


def test_reported_fingerprints_are_only_reported() -> None:
    key = make_key()
    reported = Watchlist(reported=frozenset({key.fingerprint}))
    data = STYLES["as Jupyter"](notebook(stream(f"value {key.reveal()}")))
    result = redact(data, reported)
    assert result.data is data
    assert [(f.tier, f.fingerprint, f.path) for f in result.findings] == [
        ("reported", key.fingerprint, "cells[1].outputs[0].text")
    ]


def test_findings_have_a_place_and_contain_no_key() -> None:
    key, other = make_key(), make_key()
    value = notebook(stream(["a\n", key.reveal()]), source=["x\n", f"k = '{other.reveal()}'"])
    value["metadata"][key.reveal()] = {"b": [key.reveal()]}
    value["cells"][0]["attachments"] = {"a.png": {"image/png": "iVBO" * 100}}
    result = redact(STYLES["as Jupyter"](value), Watchlist(known=(key, other)))
    assert sorted((f.path, f.cell, f.fingerprint) for f in result.findings) == sorted(
        [
            ("cells[1].outputs[0].text", 2, key.fingerprint),
            ("cells[1].source", 2, other.fingerprint),
            ("metadata.…", None, key.fingerprint),
            ("metadata.….b", None, key.fingerprint),
        ]
    )
    assert key.reveal() not in json.dumps(result.findings)
    _, [finding] = redact_text(f"one\ntwo {key.reveal()}\n", Watchlist(known=(key,)))
    assert (finding.line, finding.path, finding.cell) == (2, "", None)


def test_a_passphrase_is_removed_as_json_and_python_write_it() -> None:
    from mistral_nb.api_key import Secret

    words = " ".join(make_text(random.Random(4))[i : i + 5] for i in range(0, 20, 5)) + ' "é"'
    secret = Watchlist(known=(Secret(words),))
    for style in STYLES:
        data = STYLES[style](notebook(stream(f"phrase: {words}\n")))
        result = redact(data, secret)
        assert result.findings
        assert STYLES[style](notebook(stream(f"phrase: {MARKER}\n"))) == result.data
    assert words[2:20] not in redact_text(f"a {words[2:20]} b", secret)[0]
    encoded = base64.b64encode(b"a" + words.encode()).decode()
    assert redact_text(encoded, secret)[0] != encoded


def test_a_known_key_in_an_image_is_removed() -> None:
    key = make_key()
    image = "iVBORw0KGgo" + base64.b64encode(random.Random(1).randbytes(300)).decode() + key.reveal() + "AAAA"
    value = notebook({"data": {"image/png": image}, "metadata": {}, "output_type": "display_data"})
    cleaned = redact(STYLES["as Jupyter"](value), Watchlist(known=(key,))).data
    assert cleaned == STYLES["as Jupyter"](value).replace(key.reveal().encode(), b"x" * 32)


def test_a_key_with_a_dash_is_found() -> None:
    text = make_text(random.Random(2))
    key = Key(text[:9] + "-" + text[10:20] + "_" + text[21:])
    assert redact_text(f"x{key.reveal()}y", Watchlist(known=(key,)))[0] == f"x{MARKER}y"


def test_the_marker_is_no_mistral_context() -> None:
    key, other = make_key(), make_key()
    watchlist = Watchlist(known=(key,))
    for text in (f"'{key.reveal()}' '{other.reveal()}'", f"{key.reveal()}{other.reveal()}"):
        cleaned, findings = redact_text(text, watchlist)
        assert [f.tier for f in findings] == ["known"]
        assert redact_text(cleaned, watchlist) == (cleaned, ())
