"""`status`: the current state, never more than a tail."""

import json
from collections.abc import Callable

import pytest

from mistral_nb.api_key import MARKER
from mistral_nb.command_context import Context
from mistral_nb.report import as_html, as_json, as_text
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import act
from support.keys import make_key

NewContext = Callable[..., Context]


def test_it_names_workspace_tail_place_origin_expiry_and_the_next_step(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key()
    act(new_context(), "login", {"key": key}, workspace="dev", expires="90d")
    report = act(new_context(), "status").report
    text = as_text(report)
    for part in (f"dev …{key.tail}", "encrypted file", "in 90 days", "Next: %mistral_key verify"):
        assert part in text
    for drawn in (text, as_html(report), as_json(report)):
        assert key.reveal() not in drawn
        assert key.reveal()[-5:] not in drawn
    assert json.loads(as_json(report))["workspaces"]["dev"]["days_left"] == 90


@pytest.mark.parametrize(
    ("expires", "words", "state"),
    [
        ("15d", "in 15 days", "ok"),
        ("13d", "in 13 days", "warn"),
        ("1d", "in 1 day,", "warn"),
        ("0d", "TODAY", "warn"),
    ],
)
def test_a_near_expiry_is_a_warning(
    expires: str, words: str, state: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    act(new_context(), "login", {"key": sandbox.make_key()}, workspace="dev", expires=expires)
    row = next(row for row in act(new_context(), "status").report.rows if row.label == "active: dev")
    assert words in row.value
    assert row.state == state


def test_a_past_expiry_is_shown_clearly(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "login", {"key": sandbox.make_key()}, workspace="dev", expires="90d")
    context = new_context()
    context.key_manager.update("dev", expires="2027-02-20")
    row = next(row for row in act(context, "status").report.rows if row.label == "active: dev")
    assert "EXPIRED on 2027-02-20, 9 days ago" in row.value
    assert row.state == "bad"


def test_never_is_distinguished_from_unknown(new_context: NewContext, sandbox: Sandbox) -> None:
    for name, expires in (("a", "never"), ("b", None)):
        act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace=name, expires=expires)
    values = {row.label: row.value for row in act(new_context(), "status").report.rows}
    assert "never" in values["kept: a"]
    assert "unknown" in values["kept: b"]


def test_the_organisation_is_shown_in_a_terminal_and_in_a_notebook_only_with_long(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    act(new_context(), "login", {"key": sandbox.make_key(organisation="Acme")}, workspace="dev")
    assert "Acme" not in act(new_context(), "status").shown
    assert "Acme" in act(new_context(), "status", long=True).shown
    assert "Acme" in act(new_context("cli"), "status").shown


@pytest.mark.parametrize(("name", "part"), [("status", "workspaces"), ("list", "kept")])
def test_json_in_a_notebook_omits_names_from_mistral_unless_asked(
    name: str, part: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key(workspace="Sales", organisation="Acme", name="laptop")
    act(new_context(), "login", {"key": key}, workspace="dev")
    told = {"name": "laptop", "organisation": "Acme", "mistral_workspace": "Sales"}
    for context, flags in ((new_context(), {"long": True}), (new_context("cli"), {})):
        data = json.loads(as_json(act(context, name, **flags).report))[part]["dev"]
        assert {field: data[field] for field in told} == told
        assert data["key_id"]
    drawn = as_json(act(new_context(), name).report)
    data = json.loads(drawn)[part]["dev"]
    assert data["tail"] == key.tail
    assert not {*told, "key_id"} & set(data)
    assert not [value for value in told.values() if value in drawn]


def test_an_unreadable_index_is_a_problem_not_an_empty_list(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace="dev")
    assert act(new_context("cli"), "list").report.exit_code == 0
    with open(new_context().index.path, "w") as file:
        file.write("{")
    report = act(new_context("cli"), "list").report
    assert report.exit_code == 3
    assert [(row.label, row.state) for row in report.rows] == [("index", "bad")]
    assert "damaged" in json.loads(as_json(report))["problem"]
    assert report.title == "The list of workspaces can't be read."
    report = act(new_context("cli"), "status").report
    assert (report.title, report.notes) == ("The list of workspaces can't be read.", ("Next: mistral-nb doctor",))


@pytest.mark.parametrize("value", [None, MARKER, "your_api_key"])
def test_without_a_key_it_says_so_and_what_to_type(
    value: str | None, new_context: NewContext, environ: dict[str, str]
) -> None:
    if value is not None:
        environ["MISTRAL_API_KEY"] = value
    shown = act(new_context(), "status").shown
    assert shown.startswith("No Mistral key is stored.")
    assert ("not a key" in shown) is (value is not None)
    assert "Next: %mistral_key switch" in shown


def test_another_key_stored_meanwhile_is_reported(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "login", {"key": sandbox.make_key()}, workspace="dev")
    newer = sandbox.make_key()
    act(new_context("cli"), "login", {"key": newer}, workspace="dev", yes=True)
    assert f"another key is stored for dev now: …{newer.tail}" in act(new_context(), "status").shown


def test_a_foreign_key_is_distinguished_from_ours(new_context: NewContext, environ: dict[str, str]) -> None:
    environ["MISTRAL_API_KEY"] = make_key().reveal()
    environ["MISTRAL_NB_ACTIVE"] = f"dev:{make_key().fingerprint}"
    report = act(new_context(), "status").report
    assert report.data["active"]["ours"] is False
    assert report.data["active"]["origin"] == "the environment"


@pytest.mark.parametrize("host", ["magic", "cli"])
def test_an_exported_key_that_is_stored_is_the_one_of_its_workspace(
    host: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    keys = {name: sandbox.make_key() for name in ("dev", "prod")}
    for name, key in keys.items():
        act(new_context("cli"), "login", {"key": key}, workspace=name, expires="90d")
    environ["MISTRAL_API_KEY"] = keys["prod"].reveal()
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]  # no store can be opened
    report = act(new_context(host), "status").report
    assert f"Active: prod …{keys['prod'].tail}" in str(report)
    values = {row.label: row.value for row in report.rows}
    assert values["came from"] == "the environment"
    assert " in the encrypted file; expires: in 90 days" in values["active: prod"]
    assert "kept: dev" in values
    assert "kept: prod" not in values
    assert report.data["active"] == {
        "workspace": "prod",
        "tail": keys["prod"].tail,
        "ours": False,
        "origin": "the environment",
    }
    listed = act(new_context(host), "list").report
    assert listed.data["active"] == "prod"
    assert [row.label for row in listed.rows if "active here" in row.value] == ["prod"]


def test_the_key_file_is_named_with_its_key_and_what_it_means(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str], tmp_path
) -> None:
    key = sandbox.make_key()
    act(new_context("cli"), "login", {"key": key}, workspace="dev")
    environ["MISTRAL_API_KEY_FILE"] = str(tmp_path / "mounted")
    (tmp_path / "mounted").write_text(key.reveal())
    shown = act(new_context("cli"), "status").shown
    assert f"names {tmp_path / 'mounted'}, which holds dev …{key.tail}; it is used before a stored key" in shown
    act(new_context(), "switch")
    shown = act(new_context(), "status").shown
    assert "(MISTRAL_API_KEY_FILE)" in shown
    assert "which holds this key" in shown
    environ["MISTRAL_API_KEY"] = make_key().reveal()
    assert "is set, but MISTRAL_API_KEY is used first" in act(new_context(), "status").shown
    (tmp_path / "mounted").write_text("nothing")
    del environ["MISTRAL_API_KEY"]
    report = act(new_context(), "status").report
    assert [row.state for row in report.rows if row.label == "MISTRAL_API_KEY_FILE"] == ["bad"]


@pytest.mark.parametrize("command", ["status", "doctor"])
@pytest.mark.parametrize("variable", ["MISTRALAI_API_KEY", "MISTRAL_TOKEN", "mistral_api_key", "CODESTRAL_API_KEY"])
def test_a_misnamed_variable_is_named_with_what_was_meant(
    command: str, variable: str, new_context: NewContext, environ: dict[str, str]
) -> None:
    key = make_key()
    environ[variable] = key.reveal()
    report = act(new_context("cli"), command).report
    (row,) = [row for row in report.rows if row.label == "misnamed"]
    assert row.value.startswith(f"{variable} holds the key …{key.tail}: did you mean MISTRAL_API_KEY?")
    assert row.state == "warn"
    environ["MISTRAL_API_KEY"] = key.reveal()
    assert "misnamed" not in [row.label for row in act(new_context("cli"), command).report.rows]


def test_a_misnamed_line_of_a_dot_env_is_named(new_context: NewContext, environ: dict[str, str]) -> None:
    context, key = new_context("cli"), make_key()
    with open(f"{context.folder}/.env", "w") as file:
        file.write(f"MISTRAL_KEY={key.reveal()}\n")
    shown = act(context, "status").shown
    assert f"MISTRAL_KEY in {context.folder}/.env holds the key …{key.tail}: did you mean MISTRAL_API_KEY?" in shown


def test_a_key_for_another_host_is_said_not_to_work_at_mistrals_own(
    new_context: NewContext, environ: dict[str, str]
) -> None:
    environ["AZURE_MISTRAL_API_KEY"] = make_key().reveal()
    (row,) = [row for row in act(new_context("cli"), "status").report.rows if row.label == "misnamed"]
    assert "for Azure: it does not work at api.mistral.ai" in row.value
    assert row.state == ""


def test_only_a_kernel_is_told_that_it_has_no_variable(new_context: NewContext, sandbox: Sandbox) -> None:
    def states(host: str) -> list[str]:
        return [row.state for row in act(new_context(host), "status").report.rows if row.label == "MISTRAL_API_KEY"]

    assert (states("cli"), states("magic")) == ([], ["warn"])
    act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace="dev")
    assert (states("cli"), states("magic")) == ([], ["warn"])


def test_it_leads_with_a_line_for_each_workspace_and_then_says_what_is_wrong(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    keys = {name: sandbox.make_key() for name in ("dev", "prod")}
    for name, key in keys.items():
        act(new_context("cli"), "login", {"key": key}, workspace=name)
    report = act(new_context("cli"), "status").report
    assert (report.title, report.exit_code) == ("2 Mistral keys stored.", 0)
    assert [row.label for row in report.rows[:2]] == ["kept: dev", "kept: prod"]
    assert report.notes == ("Next: mistral-nb run WORKSPACE -- CMD…",)
    assert act(new_context(), "status").report.title == "2 Mistral keys stored, none is active in this process."
    environ |= {"MISTRAL_API_KEY": keys["prod"].reveal(), "MISTRAL_SA_TOKEN_PATH": "/run/token"}
    report = act(new_context("cli"), "status").report
    assert report.title == f"Active: prod …{keys['prod'].tail}"
    assert [row.label for row in report.rows[:3]] == ["active: prod", "kept: dev", "warning"]


def test_without_any_key_the_exit_code_is_a_finding(new_context: NewContext, environ: dict[str, str]) -> None:
    report = act(new_context("cli"), "status").report
    assert (report.exit_code, report.notes) == (1, ("Next: mistral-nb login",))
    environ["MISTRAL_API_KEY"] = make_key().reveal()
    assert act(new_context("cli"), "status").report.exit_code == 0
