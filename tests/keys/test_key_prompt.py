"""A key that is found somewhere is offered, and taken on a yes alone; then its origin is true."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import act
from support.keys import make_key

NewContext = Callable[..., Context]
NAMED = {"workspace": "dev", "expires": ""}


@pytest.mark.parametrize("variable", ["MISTRALAI_API_KEY", "MISTRAL_KEY", "mistral_api_key", "CODESTRAL_API_KEY"])
def test_a_misnamed_variable_is_offered_and_named_as_the_origin(
    variable: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    environ[variable] = key.reveal()
    acted = act(new_context(interactive=True), "switch", {"offer": "yes", **NAMED})
    (question,) = [ask.question for ask in acted.person.asked if ask.name == "offer"]
    assert question.startswith(f"{variable} holds the key …{key.tail}: did you mean MISTRAL_API_KEY?")
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    origin = f"{variable}, stored in the encrypted file"
    assert f"(from {origin})" in acted.shown
    assert act(new_context(), "status").report.data["active"]["origin"] == origin


def test_without_a_yes_it_is_not_taken(new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]) -> None:
    typed, misnamed = sandbox.make_key(), sandbox.make_key()
    environ["MISTRAL_TOKEN"] = misnamed.reveal()
    acted = act(new_context(interactive=True), "switch", {"offer": "no", "key": typed, **NAMED})
    assert environ["MISTRAL_API_KEY"] == typed.reveal()
    assert {request.tail for request in sandbox.requests} == {typed.tail}
    assert "(from the prompt, stored in the encrypted file)" in acted.shown
    assert acted.person.names.count("offer") == 1


def test_where_nobody_can_answer_the_error_names_it(new_context: NewContext, environ: dict[str, str]) -> None:
    environ["MISTRALAI_API_KEY"] = make_key().reveal()
    with pytest.raises(CannotAsk, match=r"MISTRALAI_API_KEY holds the key .*did you mean MISTRAL_API_KEY\?"):
        act(new_context("cli"), "switch")
    assert "MISTRAL_API_KEY" not in environ


@pytest.mark.parametrize("line", ["MISTRAL_API_KEY={}", "MISTRAL_KEY={}"])
def test_a_key_of_a_dot_env_has_that_file_as_its_origin(
    line: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    context, key = new_context(interactive=True), sandbox.make_key()
    file = Path(str(context.folder)) / ".env"
    file.write_text(line.format(key.reveal()))
    acted = act(context, "switch", {"offer": "yes", **NAMED})
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert f"{file}, stored in the encrypted file" in acted.report.data["origin"]


def test_a_key_for_another_host_is_named_and_not_offered(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    typed = sandbox.make_key()
    environ["AZURE_MISTRAL_API_KEY"] = make_key().reveal()
    acted = act(new_context(interactive=True), "switch", {"key": typed, **NAMED})
    assert "offer" not in acted.person.names
    assert any("for Azure: it does not work at api.mistral.ai" in step for step in acted.steps)


def test_where_the_api_is_another_host_s_its_key_is_offered(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    environ |= {"AZURE_MISTRAL_API_KEY": key.reveal(), "MISTRAL_NB_API": "https://models.azure.example"}
    context = new_context(interactive=True)
    real = context.ask_api
    context.ask_api = lambda key, _: real(key, sandbox.url)
    act(context, "switch", {"host": "yes", "offer": "yes", **NAMED})
    assert environ["MISTRAL_API_KEY"] == key.reveal()


def test_codestral_s_variable_beside_the_usual_one_is_not_offered(new_context: NewContext, sandbox: Sandbox) -> None:
    context, key, codestral = new_context(interactive=True), sandbox.make_key(), make_key()
    file = Path(str(context.folder)) / ".env"
    file.write_text(f"CODESTRAL_API_KEY={codestral.reveal()}\nMISTRAL_API_KEY={key.reveal()}\n")
    acted = act(context, "switch", {"offer": "yes", **NAMED})
    assert [ask.question for ask in acted.person.asked if ask.name == "offer"] == [
        f"There is a key …{key.tail} in {file}. Use it?"
    ]


def test_on_the_command_line_the_report_of_login_names_the_place(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    environ["MISTRAL_KEY"] = key.reveal()
    acted = act(new_context("cli", interactive=True), "login", {"offer": "yes", "expires": ""}, workspace="dev")
    assert acted.report.title == f"Saved to the encrypted file: dev …{key.tail} (from MISTRAL_KEY)."


def test_an_admin_key_is_not_offered_as_an_ordinary_one(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ["MISTRAL_ADMIN_KEY"] = make_key().reveal()
    acted = act(new_context(interactive=True), "switch", {"key": sandbox.make_key(), **NAMED})
    assert "offer" not in acted.person.names
