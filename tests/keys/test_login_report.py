"""The one line that a login ends with, after one question."""

from collections.abc import Callable

import pytest

from mistral_nb.command_context import Context
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import act

NewContext = Callable[..., Context]


def test_one_question_then_one_line(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key(workspace="Research", organisation="Acme")
    acted = act(new_context("cli"), "login", {"key": key})
    [asked] = acted.person.asked
    assert asked.question.startswith("Paste your Mistral API key (https://console.mistral.ai/")
    assert asked.question.endswith("; input is hidden, Ctrl-C cancels)")
    assert acted.steps == ["Asking Mistral about it …"]
    assert str(acted.report) == (
        f"✓ research …{key.tail} · organisation Acme · in the encrypted file"
        " · expiry unknown: mistral-nb edit research --expires 90d"
    )


def test_in_a_cell_s_shell_the_line_names_no_organisation(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ["JPY_PARENT_PID"] = "1"
    key = sandbox.make_key(workspace="Research", organisation="Acme")
    title = act(new_context("cli"), "login", {"key": key}).report.title
    assert title.startswith(f"✓ research …{key.tail} · in the encrypted file")
    assert "Acme" not in title


def test_in_a_notebook_the_line_says_that_the_key_is_set_and_names_no_organisation(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key(workspace="Research", organisation="Acme")
    acted = act(new_context(), "login", {"key": key})
    [asked] = acted.person.asked
    assert asked.question.endswith("; input is hidden)"), "Ctrl-C is not for the prompt there"
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert str(acted.report) == (
        f"✓ research …{key.tail} · MISTRAL_API_KEY is set · in the encrypted file"
        " · expiry unknown: %mistral_key edit research --expires 90d"
    )


@pytest.mark.parametrize(
    ("expires", "said"), [("90d", "expires in 90 days, on 2027-05-30"), ("never", "never expires")]
)
def test_an_expiry_that_was_given_is_in_the_line(
    expires: str, said: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    acted = act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace="dev", expires=expires)
    assert acted.report.title.endswith(f" · {said}")


def test_a_key_in_memory_says_why(new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]) -> None:
    environ["MISTRAL_NB_STORE"] = "memory"
    context = new_context()
    acted = act(context, "login", {"key": sandbox.make_key()}, workspace="dev")
    assert " · in memory only · " in acted.report.title
    assert "because MISTRAL_NB_STORE is memory. To store keys, set it to file." in acted.shown
    for name in ("MISTRAL_API_KEY", "MISTRAL_NB_ACTIVE"):  # else no store is asked
        del environ[name]
    assert "because MISTRAL_NB_STORE is memory" in act(context, "switch", workspace="dev").shown
