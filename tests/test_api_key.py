"""Pasted keys are cleaned, invalid ones are refused with a reason, and a key reveals little of itself."""

import random
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_nb.api_key import MARKER, Key, Secret, fingerprint, key_or_none
from mistral_nb.errors import NotAKey
from mistral_nb.placeholders import is_placeholder
from mistral_nb.sensitive_text import key_shaped_words
from support.keys import make_key, make_text, rng

ALPHANUMERIC = string.ascii_letters + string.digits

WRAPPINGS = [
    *("KEY", " KEY\n", "\tKEY\r\n", "\n\nKEY\n\n", "KEY\u00a0", '"KEY"', "'KEY'", "`KEY`", "'''KEY'''", "“KEY”"),
    *("‘KEY’", "«KEY»", "<KEY>", "(KEY)", "KEY,", "KEY;", "KEY.", "KEY\\n", "KEY\nKEY"),
    *("\ufeffKEY", "\u200bKEY\u200b", "\u2060KEY", "KEY\0", "\x1b[200~KEY\x1b[201~", "\ufeff 'KEY' \u200b\n"),
    *("Bearer KEY", "bearer KEY", "Bearer\nKEY", "Authorization: Bearer KEY", '"Authorization": "Bearer KEY"'),
    *("curl -H 'Authorization: Bearer KEY' https://api.mistral.ai/v1/models", "x-api-key: KEY"),
    'headers = {"Authorization": "Bearer KEY"}',
    *("MISTRAL_API_KEY=KEY", "MISTRAL_API_KEY = KEY  ", "MISTRAL_API_KEY='KEY'", "MISTRAL_API_KEY:KEY"),
    *("MISTRAL_API_KEY=KEY # mine", 'MISTRAL_API_KEY="KEY"   # mine', "# mine\nMISTRAL_API_KEY=KEY"),
    *("OTHER=1\nMISTRAL_API_KEY=KEY\nMORE=2\n", "MISTRAL_API_KEY=KEY python script.py", "MISTRAL_API_KEY\tKEY"),
    *("export MISTRAL_API_KEY=KEY", "export  MISTRAL_API_KEY='KEY';", 'declare -x MISTRAL_API_KEY="KEY"'),
    *(
        "set MISTRAL_API_KEY=KEY",
        "setx MISTRAL_API_KEY KEY",
        'setx MISTRAL_API_KEY "KEY"',
        "setenv MISTRAL_API_KEY KEY",
    ),
    *('$env:MISTRAL_API_KEY = "KEY"', "set -gx MISTRAL_API_KEY KEY", "ENV MISTRAL_API_KEY KEY"),
    *("%env MISTRAL_API_KEY=KEY", "%env MISTRAL_API_KEY KEY", "%set_env MISTRAL_API_KEY=KEY", "%mistral_key KEY"),
    *('os.environ["MISTRAL_API_KEY"] = "KEY"', "os.environ['MISTRAL_API_KEY']='KEY'  # mine"),
    *('os.environ.setdefault("MISTRAL_API_KEY", "KEY")', 'client = Mistral(api_key="KEY")', 'api_key="KEY",'),
    *('"api_key": "KEY"', '"api_key": "KEY",', '{"api_key": "KEY"}', "api_key: KEY", "const apiKey = 'KEY';"),
    *("API key: KEY", "Your API key: KEY", "- MISTRAL_API_KEY=KEY"),
]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_what_is_pasted_around_a_key_is_removed(wrapping):
    text = make_text()
    assert Key.parse(_wrapped(wrapping, text)).reveal() == text


@given(seed=st.integers(), wrapping=st.sampled_from(WRAPPINGS))
def test_no_wrapping_changes_a_key(seed, wrapping):
    text = make_text(random.Random(seed))
    assert Key.parse(_wrapped(wrapping, text)).reveal() == text


@given(text=st.text(ALPHANUMERIC + "_-", min_size=16, max_size=128))
def test_a_bare_key_of_any_allowed_shape_is_accepted_unchanged(text):
    if not is_placeholder(text):
        assert Key.parse(text).reveal() == Key(text).reveal() == text


@pytest.mark.parametrize("start", ["set", "SET", "export", "setx", "Bearer", "env", "key"])
def test_a_key_that_begins_like_a_command_keeps_its_beginning(start):
    text = start + make_text()[len(start) :]
    assert Key.parse(text).reveal() == Key.parse(f"export MISTRAL_API_KEY={text}").reveal() == text


@given(text=st.text())
def test_any_text_is_a_key_or_refused_with_a_reason(text):
    try:
        key = Key.parse(text)
    except NotAKey as error:
        assert error.reason in ("empty", "marker", "placeholder", "short", "long", "characters")
    else:
        assert key.reveal() in text.replace("\u200b", "")


def test_the_key_named_mistral_is_used_from_a_file_with_several():
    text, other = make_text(), make_text()
    assert Key.parse(f"OTHER={other}\nMISTRAL_API_KEY={text}\nTHIRD=3").reveal() == text


def test_with_two_keys_it_does_not_guess():
    with pytest.raises(NotAKey, match="characters"):
        Key.parse(f"{make_text()} or {make_text()}")


@pytest.mark.parametrize("longer", ["KEYKEY", "KEY/KEY==", "KEY+a", "a_KEY b", "sk-KEY b"])
def test_a_part_of_something_longer_is_not_a_key(longer):
    given = longer.replace("KEY", make_text())
    assert key_or_none(given) is None or key_or_none(given).reveal() == given


@pytest.mark.parametrize(
    ("pasted", "reason"),
    [
        *(("", "empty"), ("  \n", "empty"), ("\u200b", "empty"), ("\ufeff\0", "empty")),
        *((MARKER, "marker"), (f"MISTRAL_API_KEY='{MARKER}'", "marker"), (f'api_key="{MARKER}"', "marker")),
        *(("abcdefghij12345", "short"), ("Tr0ub4dor-and3", "short")),
        (("abcdefghij" * 13)[:129], "long"),
        *(("correct horse battery staple 9", "characters"), ("pässwörter-und-mehr", "characters")),
        *(("https://console.mistral.ai/home", "characters"), ("a, list; of words!", "characters")),
    ],
)
def test_invalid_keys_are_refused_with_a_reason(pasted, reason):
    with pytest.raises(NotAKey) as caught:
        Key.parse(pasted)
    assert caught.value.reason == reason
    assert key_or_none(pasted) is None


# The first rows stand in Mistral's cookbook.
PLACEHOLDERS = [
    *("<YOUR MISTRAL API KEY>", "<YOUR MISTRALAI API KEY>", "YOUR MISTRAL API KEY", "YOUR MISTRALAI API KEY"),
    *("YOUR_MISTRAL_AI_API_KEY", "Your_MISTRAL_API_KEY", "***Your-Mistral-API-Key***", "your-mistral-api-key"),
    *("<MISTRAL_API_KEY>", "<mistral_api_key>", "MISTRAL_API_KEY", "mistral_api_key", "API_KEY", "api_key"),
    *("xxx", "<API KEY>", "<value>", "TYPE YOUR API KEY", "ADD YOU KEY HERE", "<YOUR API KEY>", "API KEY"),
    *("Replace with your way to retrieve API key", "...", "None", "null", "changeme", "change-me-please-now"),
    *("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxx", "your-key-goes-in-between-these"),
    *("0" * 32, "A1b2" * 8, "********************************", "insert_mistral_key_here_please", "dummy-mistral-0123"),
    *(
        "${MISTRAL_API_KEY}",
        "$MISTRAL_API_KEY",
        "{{ MISTRAL_API_KEY }}",
        "example-key-0123456789",
        "PLACEHOLDER_0123456",
    ),
]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
@pytest.mark.parametrize("wrapping", ["KEY", "'KEY'", "MISTRAL_API_KEY=KEY", 'os.environ["MISTRAL_API_KEY"] = "KEY"'])
def test_a_placeholder_is_never_a_key(placeholder, wrapping):
    with pytest.raises(NotAKey) as caught:
        Key.parse(_wrapped(wrapping, placeholder))
    assert caught.value.reason == "placeholder"
    assert key_or_none(placeholder) is None


@pytest.mark.slow
def test_a_random_key_is_practically_never_a_placeholder():
    """Seven of two million random ones were: they hold "xxx" and no digit. Of 100 000, five are too many."""
    rng = random.Random(20261123)
    assert sum(is_placeholder("".join(rng.choices(ALPHANUMERIC, k=32))) for _ in range(100_000)) < 5


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        *(("prod", False), ("staging-eu", False), ("my_long_workspace_name_for_the_team", False), ("", False)),
        *(("averylongworkspacenamewithoutanybreak", False), ("2026-11-23", False), ("--expires=90d", False)),
        *(("KEY", True), ("--name=KEY", True), ("MISTRAL_API_KEY=KEY", True), ("'KEY'", True), ("x KEY y", True)),
        *(("Bearer KEY", True), ("z" * 32, True), ("0123456789abcdef" * 2, False), ("Zb1" * 7, True)),
        *(("Ab1" * 6, False), ("a" * 31, False), ("Kurz1", False)),
    ],
)
def test_a_key_shaped_argument_is_distinguished_from_a_name(argument, expected):
    assert bool(key_shaped_words(_wrapped(argument, make_text()))) is expected


def test_the_key_shaped_words_of_an_argument_are_named():
    text = make_text()
    assert key_shaped_words(f"--name={text} prod") == [text]


@given(st.integers())
def test_every_made_key_is_key_shaped(seed):
    assert key_shaped_words(make_text(random.Random(seed)))


def test_a_key_has_tail_length_shape_and_fingerprint():
    text = make_text()
    key = Key(text)
    assert (key.tail, key.length, key.is_standard) == (text[-4:], 32, True)
    assert key.fingerprint == fingerprint(text)
    assert len(key.fingerprint) == 32
    assert not Key(text + "-").is_standard
    assert repr(key) == str(key) == f"<Key …{text[-4:]}>"


def test_a_fingerprint_is_always_blake2b_with_the_name_of_the_package():
    """Indexes, teams and repositories hold fingerprints: another value would orphan them."""
    assert fingerprint("") == "bf10c324c9e7e3a0b92ad6f430a5f565"
    assert fingerprint("a") == "46a19821f05a0b6561c77036f2f5d881"


def test_equal_keys_are_equal_and_hash_alike():
    text = make_text()
    assert Key(text) == Key(text)
    assert hash(Key(text)) == hash(Key(text))
    assert len({Key(text), Key(text), make_key()}) == 2
    assert Key(text) != text
    assert Key(text) != make_key()


def test_a_passphrase_that_is_not_utf8_still_compares():
    odd = Secret("caf\udce9 caf\udce9")
    assert odd == Secret("caf\udce9 caf\udce9")
    assert hash(odd)


def test_a_key_does_not_change_and_has_no_subclass():
    key = make_key()
    with pytest.raises(AttributeError):
        key.more = 1
    with pytest.raises(TypeError, match="final"):
        type("Sub", (Key,), {})


def _wrapped(wrapping, text):
    return wrapping.replace("_KEY", "_\0").replace("KEY", text).replace("_\0", "_KEY")


def test_nearly_every_random_key_looks_generated() -> None:
    unlike = [key for key in (make_key() for _ in range(2000)) if not key.looks_generated]
    assert unlike == []
    letters = [Key("".join(rng().choices(string.ascii_letters, k=32))) for _ in range(200)]
    assert sum(key.looks_generated for key in letters) > 190


ODD_SHAPES: dict[str, Callable[[str], str]] = {
    "a test's": lambda text: f"test-key-{text}",
    "another vendor's": lambda text: f"sk-{text}",
    "longer": lambda text: text + text[:1],
    "shorter": lambda text: text[1:],
    "a digest": fingerprint,
    "a name": lambda _: "TheKeyOfTheProductionEnvironment",
}


@pytest.mark.parametrize("shape", ODD_SHAPES)
def test_what_mistral_never_made_does_not_look_generated(shape: str) -> None:
    assert not Key(ODD_SHAPES[shape](make_text())).looks_generated
    assert Key(make_text()).looks_generated
