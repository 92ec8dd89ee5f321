"""A refusal names the other keys at hand, by tail and place, and tries none of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import KeyRefused
from mistral_nb.keys.other_keys import other_host_sentence, other_key_sentences
from mistral_nb.report import as_json
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import COMPROMISED
from support.commands import act, mistral_nb
from support.key_traces import traces
from support.keys import make_key

NewContext = Callable[..., Context]


@pytest.fixture
def refused(environ: dict[str, str]) -> Key:
    """A key that Mistral does not know, in the environment."""
    key = make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    return key


def write_env(context: Context, line: str) -> str:
    file = Path(str(context.folder)) / ".env"
    file.write_text(f"{line}\n")
    return str(file)


def keep(new_context: NewContext, name: str, **details: object) -> Key:
    key = make_key()
    new_context().key_manager.keep(name, key, details, "file")
    return key


def test_every_place_is_named_and_no_other_key_is_tried(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str], refused: Key, tmp_path: Path
) -> None:
    context, others = new_context("cli"), [make_key() for _ in range(3)]
    kept = keep(new_context, "prod")
    file = write_env(context, f"MISTRAL_API_KEY={others[0].reveal()}")
    environ["MISTRAL_API_KEY_FILE"] = str(tmp_path / "mounted")
    (tmp_path / "mounted").write_text(others[1].reveal())
    acted = act(context, "verify")
    assert acted.report.exit_code == 1
    values = [row.value for row in acted.report.rows if row.label == "other key"]
    assert [file in values[0], f"…{others[0].tail}" in values[0]] == [True, True]
    assert values[1].startswith(f"MISTRAL_API_KEY_FILE holds …{others[1].tail}")
    assert values[2] == f"prod …{kept.tail} is stored here: mistral-nb run prod -- CMD…"
    assert acted.report.data["other_keys"] == values
    environ["MISTRALAI_API_KEY"] = others[2].reveal()
    values = [row.value for row in act(context, "verify").report.rows if row.label == "other key"]
    assert values[2] == f"MISTRALAI_API_KEY holds …{others[2].tail}: did you mean MISTRAL_API_KEY?"
    assert values[3] == "1 more: mistral-nb list"
    assert {request.tail for request in sandbox.requests} == {refused.tail}
    shown = {"text": acted.shown.encode(), "json": as_json(acted.report).encode()}
    for key in (*others, kept, refused):
        assert traces(key.reveal(), shown) == []
        assert traces(key.reveal(), {"control": key.reveal().encode()}) == ["control"]


def test_an_accepted_key_names_no_other(new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]) -> None:
    keep(new_context, "prod")
    environ["MISTRAL_API_KEY"] = sandbox.make_key().reveal()
    report = act(new_context("cli"), "verify").report
    assert report.data["other_keys"] == []
    assert not [row for row in report.rows if row.label in ("other key", "host")]


@pytest.mark.slow
def test_the_real_command_line_names_them(new_context: NewContext, environ: dict[str, str], refused: Key) -> None:
    kept = keep(new_context, "prod")
    done = mistral_nb(environ, "verify")
    assert done.returncode == 1
    assert f"prod …{kept.tail} is stored here" in done.stdout
    assert refused.reveal() not in done.stdout + done.stderr


def test_a_key_in_two_places_is_named_once_by_its_workspace(
    new_context: NewContext, environ: dict[str, str], refused: Key
) -> None:
    context, kept = new_context(), keep(new_context, "prod")
    file = write_env(context, f"MISTRAL_API_KEY={kept.reveal()}")
    (sentence,) = other_key_sentences(context, refused)
    assert sentence.startswith(file)
    assert f"holds prod …{kept.tail}: load_dotenv(override=True)" in sentence


@pytest.mark.parametrize("reason", ["the same", "revoked", "expired", "an Admin key", "for Azure", "for Codestral"])
def test_what_can_not_help_is_not_named(
    reason: str, new_context: NewContext, environ: dict[str, str], refused: Key
) -> None:
    context = new_context()
    if reason == "the same":
        write_env(context, f"MISTRAL_API_KEY={refused.reveal()}")
    elif reason == "revoked":
        revoked = make_key()
        context.index.remember(revoked, COMPROMISED)
        write_env(context, f"MISTRAL_API_KEY={revoked.reveal()}")
    elif reason == "expired":
        keep(new_context, "old", expires="2027-02-01", expiry_known=True)
    elif reason == "an Admin key":
        keep(new_context, "admin", kind="admin")
    elif reason == "for Azure":
        environ["AZURE_MISTRAL_API_KEY"] = make_key().reveal()
    else:
        environ["CODESTRAL_API_KEY"] = make_key().reveal()
    assert other_key_sentences(new_context(), refused) == ()


def test_what_replaced_the_refused_key_comes_first(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    old, new = sandbox.make_key(), sandbox.make_key()
    for name in ("a", "b", "c"):
        keep(new_context, name)
    act(new_context(), "login", {"key": old, "expires": ""}, workspace="z")
    act(new_context("cli"), "login", {"key": new, "expires": ""}, workspace="z", yes=True)
    sandbox.revoke(old)
    values = [row.value for row in act(new_context(), "verify").report.rows if row.label == "other key"]
    assert values[0] == f"z …{new.tail} is stored here: %mistral_key switch z"
    assert values[-1] == "1 more: %mistral_key list"


def test_at_the_prompt_a_refusal_names_them_too(new_context: NewContext, sandbox: Sandbox) -> None:
    kept, typed = keep(new_context, "prod"), make_key()
    context = new_context()
    with pytest.raises(KeyRefused):
        act(context, "login", {"key": typed, "keep refused": "no"}, workspace="dev")
    acted = act(new_context(), "login", {"key": typed, "keep refused": "yes"}, workspace="dev")
    assert f"prod …{kept.tail} is stored here: %mistral_key switch prod" in acted.steps
    assert {request.tail for request in sandbox.requests} == {typed.tail}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AZUREAI_API_KEY": "KEY"}, "AZUREAI_API_KEY holds it, too: a key for Azure does not work at api.mistral.ai."),
        ({"CODESTRAL_API_KEY": "KEY"}, "a key for codestral.mistral.ai does not work at api.mistral.ai."),
        (
            {"AZURE_MISTRAL_ENDPOINT": "https://models.azure.com/v1?x=1"},
            "AZURE_MISTRAL_ENDPOINT points to models.azure.com: a key made there does not work at api.mistral.ai.",
        ),
        ({"MISTRAL_BASE_URL": "https://llm.example.org"}, "points to llm.example.org"),
        ({"MISTRAL_BASE_URL": "https://api.eu.mistral.ai"}, ""),
        ({"MISTRAL_BASE_URL": "http://localhost:8000"}, ""),
        ({"OPENAI_BASE_URL": "https://api.openai.com"}, ""),
        ({"AZURE_MISTRAL_API_KEY": "another"}, ""),
        ({}, ""),
    ],
)
def test_a_key_that_is_probably_one_for_another_host_is_called_that(
    variables: dict[str, str], said: str, new_context: NewContext, environ: dict[str, str], refused: Key
) -> None:
    values = {"KEY": refused.reveal(), "another": make_key().reveal()}
    environ |= {name: values.get(value, value) for name, value in variables.items()}
    sentence = other_host_sentence(new_context(), refused)
    assert said in sentence
    assert bool(said) == bool(sentence)
    rows = [row.value for row in act(new_context(), "verify").report.rows if row.label == "host"]
    assert rows == ([sentence] if sentence else [])


def test_a_key_asked_at_another_host_is_told_so(new_context: NewContext, environ: dict[str, str], refused: Key) -> None:
    environ["MISTRAL_NB_API"] = "https://gateway.example.org"
    assert "gateway.example.org is not Mistral's own API" in other_host_sentence(new_context(), refused)


def test_a_key_of_another_length_is_perhaps_another_host_s(new_context: NewContext) -> None:
    long = Key(make_key().reveal() + make_key().reveal() + make_key().reveal()[:20])
    assert "It has 84 characters" in other_host_sentence(new_context(), long)


def test_every_refusal_says_that_other_products_have_keys_of_their_own(new_context: NewContext, refused: Key) -> None:
    assert "only minutes old or another product's" in act(new_context(), "verify").shown
