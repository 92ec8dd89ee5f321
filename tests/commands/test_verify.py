"""`verify`: the API's answer, what it means, and how it compares with the record."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mistral_nb.api.verdict import Identity
from mistral_nb.api_key import MARKER
from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive, load_action
from mistral_nb.command_table import commands_for
from mistral_nb.errors import MistralNbError
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import Person, act
from support.keys import make_key

NewContext = Callable[..., Context]


@pytest.mark.parametrize(
    ("fault", "code"),
    [(None, 0), ("revoked", 1), ("html", 3), ("not the api", 3), pytest.param("silent", 3, marks=pytest.mark.slow)],
)
def test_the_exit_code_follows_the_answer(
    fault: str | None, code: int, new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key()
    act(new_context(), "login", {"key": key, "expires": ""}, workspace="dev")
    if fault == "revoked":
        sandbox.revoke(key)
    else:
        sandbox.set_fault(fault)
    acted = act(new_context(), "verify")
    assert acted.report.exit_code == code
    assert key.reveal() not in acted.shown
    assert key.tail in acted.shown


def test_a_key_from_the_environment_is_verified_and_nothing_is_recorded(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ["MISTRAL_API_KEY"] = sandbox.make_key().reveal()
    assert act(new_context(), "verify").report.exit_code == 0
    assert new_context().read_index().workspaces == {}


def test_another_workspace_than_recorded_is_reported(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "login", {"key": sandbox.make_key(workspace="Research"), "expires": ""}, workspace="dev")
    context = new_context()
    real = context.ask_api
    context.ask_api = lambda key, base: replace(real(key, base), identity=Identity(workspace="Sales"))
    acted = act(context, "verify")
    assert "workspace Sales, earlier Research" in acted.shown


def test_names_and_organisation_are_shown_in_a_notebook_only_with_long(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    act(new_context(), "login", {"key": sandbox.make_key(organisation="Acme"), "expires": ""}, workspace="dev")
    assert "Acme" not in act(new_context(), "verify").shown
    assert "Acme" in act(new_context(), "verify", long=True).shown
    assert "Acme" in act(new_context("cli"), "verify").shown


@pytest.mark.parametrize("workspace", [None, "nowhere"])
def test_nothing_to_verify_is_an_error_that_says_what_to_do(workspace: str | None, new_context: NewContext) -> None:
    with pytest.raises(MistralNbError, match="login"):
        act(new_context(), "verify", workspace=workspace)


def test_a_key_in_no_store_is_remembered_before_it_is_sent(new_context: NewContext, environ: dict[str, str]) -> None:
    key = make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    assert act(new_context(), "verify").report.exit_code == 1
    assert key.fingerprint in new_context().read_index().remembered


def test_an_exported_key_that_is_stored_is_verified_as_that(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context("cli"), "login", {"key": key, "expires": ""}, workspace="prod")
    with new_context().index.edit() as contents:
        contents.workspaces["prod"] = contents.workspaces["prod"]._replace(verified=None)
    environ["MISTRAL_API_KEY"] = key.reveal()
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]  # no store can be opened
    report = act(new_context("cli"), "verify").report
    values = {row.label: row.value for row in report.rows}
    assert (values["key"], values["came from"]) == (f"prod …{key.tail}", "the environment")
    assert report.data["origin"] == "the environment"
    assert new_context().read_index().workspaces["prod"].verified


@pytest.mark.parametrize("stored", [True, False])
def test_the_key_file_comes_before_the_store(
    stored: bool, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str], tmp_path
) -> None:
    mounted = sandbox.make_key()
    act(new_context("cli"), "login", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    if stored:
        act(new_context("cli"), "login", {"key": mounted, "expires": ""}, workspace="prod")
    (tmp_path / "mounted").write_text(mounted.reveal())
    environ["MISTRAL_API_KEY_FILE"] = str(tmp_path / "mounted")
    values = {row.label: row.value for row in act(new_context("cli"), "verify").report.rows}
    assert values["key"] == f"{'prod ' if stored else ''}…{mounted.tail}"
    assert values["came from"] == f"the file {tmp_path / 'mounted'} (MISTRAL_API_KEY_FILE)"
    named = {row.label: row.value for row in act(new_context("cli"), "verify", workspace="dev").report.rows}
    assert named["came from"] == "the encrypted file"


@pytest.mark.parametrize("host", ["cli", "magic"])
def test_the_marker_in_the_variable_is_named_with_what_to_use(
    host: str, new_context: NewContext, environ: dict[str, str]
) -> None:
    environ["MISTRAL_API_KEY"] = MARKER
    steps: list[str] = []
    with pytest.raises(MistralNbError, match="No key is stored"):
        drive(load_action(commands_for("cli")["verify"])(new_context(host)), Person({}), steps.append)
    (step,) = steps
    assert "the marker of a key that was taken out" in step
    assert ("%mistral_key sets MISTRAL_API_KEY, which Mistral() reads" in step) is (host == "magic")


def test_without_any_key_a_misnamed_variable_is_named(new_context: NewContext, environ: dict[str, str]) -> None:
    environ["MISTRAL_KEY"] = make_key().reveal()
    with pytest.raises(MistralNbError, match=r"MISTRAL_KEY holds the key .*did you mean MISTRAL_API_KEY\?"):
        act(new_context("cli"), "verify")
