"""`list`: the keys kept here, and with ``--remote`` the organisation's beside them."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from acting import act
from organisation import Organisation

from mistral_nb.actions.context import Context
from mistral_nb.api.admin import UNTRIED
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.key import Key
from mistral_nb.store.index import COMPROMISED, Index

NewContext = Callable[..., Context]


def days(number: int) -> date:
    return date.today() + timedelta(days=number)


def what(org: Organisation, key: Key) -> list[str]:
    listed = org.json("list", "--remote", code=None)
    return next(entry["what"] for entry in listed["keys"] if entry["tail"] == key.tail)


def test_what_is_kept_is_listed_without_asking_anybody(org: Organisation) -> None:
    asked = len(org.sandbox.requests)
    assert f"prod  …{org.key.tail} in the encrypted file" in org.run("list").stdout
    assert len(org.sandbox.requests) == asked


def test_the_active_workspace_is_marked(new_context: NewContext, sandbox: Sandbox) -> None:
    keys = {name: sandbox.make_key() for name in ("dev", "prod")}
    for name, key in keys.items():
        act(new_context(), "add", {"key": key, "expires": ""}, workspace=name)
    listed = act(new_context(), "list").report
    assert [(row.label, ", active here" in row.value) for row in listed.rows] == [("dev", False), ("prod", True)]
    assert listed.data["active"] == "prod"
    act(new_context("cli"), "add", {"key": sandbox.make_key()}, workspace="prod", yes=True, expires="never")
    assert act(new_context(), "list").report.data["active"] is None  # the key in the environment is another by now


def test_each_key_is_told_by_what_is_the_matter_with_it(org: Organisation) -> None:
    make = org.sandbox.make_key
    keys = {
        "expired": make("dev", name="old one", expires=days(-3)),
        "expiring": make("dev", expires=days(5)),
        "unused": make("dev", last_used=days(-31)),
        "used": make("dev", last_used=days(-29)),
        "vibe": make("dev", product="Vibe"),
        "leaked": make("dev"),
    }
    gone = make("dev", name="gone")
    act(org.new_context("cli"), "add", {"key": gone, "expires": ""}, workspace="gone")
    org.sandbox.revoke(gone)
    Index(org.environ["MISTRAL_NB_HOME"]).remember(keys["leaked"], COMPROMISED)
    done = org.run("list", "--remote", code=1)
    told = {
        org.key: "expires: never",
        gone: "not in Mistral's list: deleted, or of another organisation",
        keys["expired"]: f"unknown here; EXPIRED on {days(-3)}",
        keys["expiring"]: f"unknown here; expires in 5 days, on {days(5)}",
        keys["unused"]: "unused for 31 days",
        keys["vibe"]: "of other products: Vibe",
        keys["leaked"]: "revoked here, still in Mistral's list",
    }
    lines = done.stdout.splitlines()
    for key, words in told.items():
        (line,) = [line for line in lines if f"…{key.tail}" in line]
        assert words in line
    assert lines[0].startswith("Mistral lists 7 keys; 1 kept here, 1 expired, 1 expiring, 1 unused, 4 unknown here")
    assert UNTRIED in done.stdout
    assert what(org, keys["used"]) == ["unknown here"]
    assert not any(key.reveal() in org.said for key in (*keys.values(), gone, org.key))


def test_expiry_and_id_of_ours_are_learnt(org: Organisation) -> None:
    key = org.sandbox.make_key("dev", expires=days(60))
    act(org.new_context("cli"), "add", {"key": key, "expires": ""}, workspace="dev")
    before = org.contents.workspaces["dev"]
    assert (before.expires, before.expiry_known) == (None, False)
    org.run("list", "--remote")
    after = org.contents.workspaces["dev"]
    assert (after.expires, after.expiry_known) == (str(days(60)), True)
    assert after.key_id == org.there[key.tail].key_id
    prod = org.contents.workspaces["prod"]
    assert (prod.expires, prod.expiry_known) == (None, True), "it never expires"


@pytest.mark.parametrize("fault", ["no dates in the list", "unclear dates in the list"])
def test_an_expiry_that_is_not_told_leaves_what_is_noted(fault: str, org: Organisation) -> None:
    context = org.new_context("cli")
    context.keeper.update("prod", expires=str(days(60)), expiry_known=True)
    org.sandbox.admin.fail(fault)
    done = org.run("list", "--remote")
    assert "expires: not told" in done.stdout
    assert "expires: never" not in done.stdout
    entry = org.contents.workspaces["prod"]
    assert (entry.expires, entry.expiry_known) == (str(days(60)), True)
    assert entry.key_id == org.there[org.key.tail].key_id
    org.sandbox.admin.fail("")
    org.run("list", "--remote")
    assert org.contents.workspaces["prod"].expires is None, "null tells that it never expires"


def test_a_thousand_keys_in_pages(org: Organisation) -> None:
    for number in range(1000):
        org.sandbox.make_key("dev", name=f"n{number}")
    listed = org.json("list", "--remote")
    assert len(listed["keys"]) == 1001
    text = org.run("list", "--remote").stdout
    assert "Mistral lists 1001 keys; 1 kept here, 1000 unknown here." in text
    assert "971 more, with nothing to say: --json lists them." in text


def test_two_that_could_be_ours_are_not_told_apart(org: Organisation) -> None:
    org.sandbox.make_key("prod", like=org.key)
    context = org.new_context("cli")
    context.keeper.update("prod", key_id=None)
    done = org.run("list", "--remote", code=1)
    assert "2 keys of Mistral's list could be it" in done.stdout
    assert org.contents.workspaces["prod"].key_id is None


@pytest.mark.parametrize("fault", ["bearer only", "unknown fields"])
def test_other_bodies_and_headers_are_understood(fault: str, org: Organisation) -> None:
    org.sandbox.admin.fail(fault)
    assert "1 kept here" in org.run("list", "--remote").stdout


def test_a_notebook_names_no_key_unless_asked(org: Organisation) -> None:
    plain = act(org.new_context(), "list", remote=True).shown
    assert "laptop" not in plain
    assert org.key.tail in plain
    assert "laptop" in act(org.new_context(), "list", remote=True, long=True).shown


@pytest.mark.parametrize(("fault", "code"), [("missing", 3), ("html", 3)])
def test_where_the_list_can_t_be_had_it_says_why(fault: str, code: int, org: Organisation) -> None:
    org.sandbox.admin.fail(fault)
    assert UNTRIED in org.run("list", "--remote", code=code).stderr
