"""Which names are those of variables that hold a key, and what was meant by the others."""

import pytest

from mistral_nb.config import KEY_VARIABLES
from mistral_nb.key_variables import intended_variable, is_about_mistral, names_a_key, names_codestral, other_host

MISNAMED = [
    *("MISTRALAI_API_KEY", "MISTRAL_AI_API_KEY", "MISTRAL_KEY", "MISTRAL_API_TOKEN", "MISTRAL_TOKEN", "MISTRAL_SECRET"),
    *("mistral_api_key", "Mistral_Api_Key", "MistralApiKey", "mistralAPIKey", "MISTRALAPIKEY", "MISTRAL_APIKEY"),
    *(
        "MISTRAL-API-KEY",
        "mistralai.key",
        "API_KEY_MISTRAL",
        "MY_MISTRAL_API_KEY",
        "MISTRAL_API_KEY_DEV",
        "MISTRAL_KEY2",
    ),
    *("MISTRAL_AZURE_API_KEY", "AZURE_MISTRAL_API_KEY", "CODESTRAL_API_KEY", "CODESTRAL_KEY", "LLM_MISTRAL_KEY"),
]
OTHERS = [
    *("OPENAI_API_KEY", "AZURE_API_KEY", "MINISTRAL_KEY", "MISTRAL_MODEL", "MISTRAL", "KEY", "MISTRAL_MAX_TOKENS", ""),
    *("MISTRAL_TOKENIZER", "MISTRAL_API_KEY_FILE", "MISTRAL_KEY_PATH", "MISTRAL_KEY_NAME", "MISTRAL_SA_TOKEN_PATH"),
    *("MISTRAL_KEY_VAULT", "MISTRAL_KEY_ID", "MISTRAL_SECRET_ARN", "MISTRAL_TOKEN_URL", "MISTRAL_WEBHOOK_SECRET"),
    *("MISTRAL_NB_ACTIVE", "MISTRAL_NB_PASSPHRASE", "MISTRAL_NB_SECRET_KEY", "MONKEY_MISTRAL", "MISTRAL_KEYBOARD"),
]


@pytest.mark.parametrize("name", MISNAMED)
def test_a_misnamed_variable_holds_a_key_and_was_meant_to_be_the_usual_one(name: str) -> None:
    assert names_a_key(name)
    assert intended_variable(name) == "MISTRAL_API_KEY"


@pytest.mark.parametrize("name", KEY_VARIABLES)
def test_what_programs_read_holds_a_key(name: str) -> None:
    assert names_a_key(name)
    assert (intended_variable(name) == "") == (name in ("MISTRAL_API_KEY", "MISTRAL_ADMIN_API_KEY"))


@pytest.mark.parametrize("name", OTHERS)
def test_another_name_is_none_of_a_key(name: str) -> None:
    assert not names_a_key(name)
    assert intended_variable(name) == ""


@pytest.mark.parametrize("name", ["MISTRAL_API_KEY_OLD", "OLD_MISTRAL_KEY", "mistral_key_revoked"])
def test_a_former_key_is_one_but_was_meant_for_nothing(name: str) -> None:
    assert names_a_key(name)
    assert intended_variable(name) == ""


def test_an_admin_key_was_meant_to_be_one() -> None:
    assert intended_variable("MISTRAL_ADMIN_KEY") == "MISTRAL_ADMIN_API_KEY"


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("MISTRAL_AZURE_API_KEY", "Azure"),
        ("azure_ai_studio_mistral_api_key", "Azure"),
        ("AZUREAI_API_KEY", "Azure"),
        ("AWS_BEDROCK_MISTRAL_KEY", "AWS"),
        ("VERTEX_MISTRAL_TOKEN", "Google Cloud"),
        ("MISTRAL_API_KEY", ""),
        ("CODESTRAL_API_KEY", ""),
    ],
)
def test_the_host_that_a_name_speaks_of(name: str, host: str) -> None:
    assert other_host(name) == host


def test_codestral_has_a_host_of_its_own() -> None:
    assert names_codestral("CODESTRAL_API_KEY")
    assert not names_codestral("MISTRAL_API_KEY")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AZURE_MISTRAL_ENDPOINT", True),
        ("MISTRAL_BASE_URL", True),
        ("AZUREAI_ENDPOINT", True),
        ("OPENAI_BASE_URL", False),
    ],
)
def test_whether_a_variable_is_about_mistral(name: str, expected: bool) -> None:
    assert is_about_mistral(name) is expected
