"""`verify`: the API's answer, what it means, and what it says against what was recorded."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from acting import act
from keys import make_key

from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.api.verdict import Identity
from mistral_nb.errors import MistralNbError

NewContext = Callable[..., Context]


@pytest.mark.parametrize(
    ("fault", "code"),
    [(None, 0), ("revoked", 1), ("html", 3), ("not the api", 3), ("silent", 3)],
)
def test_the_exit_code_follows_the_answer(
    fault: str | None, code: int, new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key()
    act(new_context(), "add", {"key": key, "expires": ""}, workspace="dev")
    if fault == "revoked":
        sandbox.revoke(key)
    else:
        sandbox.fail(fault)
    acted = act(new_context(), "verify")
    assert acted.report.exit_code == code
    assert key.reveal() not in acted.shown
    assert key.tail in acted.shown


def test_a_key_from_the_environment_is_verified_and_nothing_is_recorded(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ["MISTRAL_API_KEY"] = sandbox.make_key().reveal()
    assert act(new_context(), "verify").report.exit_code == 0
    assert new_context().contents().workspaces == {}


def test_another_workspace_than_recorded_is_said(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "add", {"key": sandbox.make_key(workspace="Research"), "expires": ""}, workspace="dev")
    context = new_context()
    real = context.verify
    context.verify = lambda key, base: replace(real(key, base), identity=Identity(workspace="Sales"))
    acted = act(context, "verify")
    assert "workspace Sales, earlier Research" in acted.shown


def test_names_and_organisation_are_shown_in_a_notebook_only_with_long(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    act(new_context(), "add", {"key": sandbox.make_key(organisation="Acme"), "expires": ""}, workspace="dev")
    assert "Acme" not in act(new_context(), "verify").shown
    assert "Acme" in act(new_context(), "verify", long=True).shown
    assert "Acme" in act(new_context("cli"), "verify").shown


@pytest.mark.parametrize("workspace", [None, "nowhere"])
def test_nothing_to_verify_is_an_error_that_says_what_to_do(workspace: str | None, new_context: NewContext) -> None:
    with pytest.raises(MistralNbError, match="add"):
        act(new_context(), "verify", workspace=workspace)


def test_a_key_nobody_keeps_is_noted_before_it_is_sent(new_context: NewContext, environ: dict[str, str]) -> None:
    key = make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    assert act(new_context(), "verify").report.exit_code == 1
    assert key.fingerprint in new_context().contents().seen
