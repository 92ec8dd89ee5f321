"""`status`: where everything stands, never more than a tail."""

import json
from collections.abc import Callable

import pytest
from acting import act
from keys import make_key

from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.key import MARKER
from mistral_nb.report import as_html, as_json, as_text

NewContext = Callable[..., Context]


def test_it_names_workspace_tail_place_origin_expiry_and_the_next_step(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key()
    act(new_context(), "add", {"key": key, "expires": "90d"}, workspace="dev")
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
def test_an_expiry_near_is_a_warning(
    expires: str, words: str, state: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    act(new_context(), "add", {"key": sandbox.make_key()}, workspace="dev", expires=expires)
    row = next(row for row in act(new_context(), "status").report.rows if row.label == "expires")
    assert words in row.value
    assert row.state == state


def test_an_expiry_past_has_a_clear_word(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "add", {"key": sandbox.make_key()}, workspace="dev", expires="90d")
    context = new_context()
    context.keeper.update("dev", expires="2027-02-20")
    row = next(row for row in act(context, "status").report.rows if row.label == "expires")
    assert "EXPIRED on 2027-02-20, 9 days ago" in row.value
    assert row.state == "bad"


def test_never_is_told_from_unknown(new_context: NewContext, sandbox: Sandbox) -> None:
    for name, expires in (("a", "never"), ("b", "")):
        act(new_context("cli"), "add", {"key": sandbox.make_key()}, workspace=name, expires=expires)
    values = {row.label: row.value for row in act(new_context(), "status").report.rows}
    assert "never" in values["kept: a"]
    assert "unknown" in values["kept: b"]


def test_the_organisation_is_shown_in_a_terminal_and_in_a_notebook_only_with_long(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    act(new_context(), "add", {"key": sandbox.make_key(organisation="Acme"), "expires": ""}, workspace="dev")
    assert "Acme" not in act(new_context(), "status").shown
    assert "Acme" in act(new_context(), "status", long=True).shown
    assert "Acme" in act(new_context("cli"), "status").shown


@pytest.mark.parametrize(("name", "part"), [("status", "workspaces"), ("list", "kept")])
def test_json_in_a_notebook_leaves_out_what_mistral_told_unless_asked(
    name: str, part: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key(workspace="Sales", organisation="Acme", name="laptop")
    act(new_context(), "add", {"key": key, "expires": ""}, workspace="dev")
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


def test_a_list_that_can_t_be_read_is_a_problem_not_an_empty_one(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "add", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    assert act(new_context("cli"), "list").report.exit_code == 0
    with open(new_context().index.path, "w") as file:
        file.write("{")
    report = act(new_context("cli"), "list").report
    assert report.exit_code == 3
    assert [(row.label, row.state) for row in report.rows] == [("index", "bad")]
    assert "damaged" in json.loads(as_json(report))["problem"]


@pytest.mark.parametrize("value", [None, MARKER, "your_api_key"])
def test_without_a_key_it_says_so_and_what_to_type(
    value: str | None, new_context: NewContext, environ: dict[str, str]
) -> None:
    if value is not None:
        environ["MISTRAL_API_KEY"] = value
    shown = act(new_context(), "status").shown
    assert "No Mistral key is in this process." in shown
    assert ("holds no key" in shown) is (value is not None)
    assert "Next: %mistral_key use" in shown


def test_another_key_kept_meanwhile_is_said(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "add", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    newer = sandbox.make_key()
    act(new_context("cli"), "add", {"key": newer, "expires": ""}, workspace="dev", yes=True)
    assert f"another key is kept for dev now: …{newer.tail}" in act(new_context(), "status").shown


def test_a_foreign_key_is_told_from_ours(new_context: NewContext, environ: dict[str, str]) -> None:
    environ["MISTRAL_API_KEY"] = make_key().reveal()
    environ["MISTRAL_NB_ACTIVE"] = f"dev:{make_key().fingerprint}"
    report = act(new_context(), "status").report
    assert report.data["active"]["ours"] is False
    assert "set before mistral_nb" in str(report)
