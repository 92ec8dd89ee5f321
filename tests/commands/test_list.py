"""`list`: the keys kept here, and with ``--remote`` the organisation's beside them."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from mistral_nb.admin.client import UNTRIED_NOTE
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import COMPROMISED, Index
from support.commands import act
from support.organisation import Organisation

NewContext = Callable[..., Context]


def days(number: int) -> date:
    return date.today() + timedelta(days=number)


def what(org: Organisation, key: Key) -> list[str]:
    listed = org.json("list", "--remote", code=None)
    return next(entry["what"] for entry in listed["keys"] if entry["tail"] == key.tail)


def test_stored_keys_are_listed_without_any_request(org: Organisation) -> None:
    asked = len(org.sandbox.requests)
    assert f"prod  …{org.key.tail} in the encrypted file" in org.run("list").stdout
    assert len(org.sandbox.requests) == asked


def test_the_active_workspace_is_marked(new_context: NewContext, sandbox: Sandbox) -> None:
    keys = {name: sandbox.make_key() for name in ("dev", "prod")}
    for name, key in keys.items():
        act(new_context(), "login", {"key": key, "expires": ""}, workspace=name)
    listed = act(new_context(), "list").report
    assert [(row.label, ", active here" in row.value) for row in listed.rows] == [("dev", False), ("prod", True)]
    assert listed.data["active"] == "prod"
    act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace="prod", yes=True, expires="never")
    assert act(new_context(), "list").report.data["active"] is None  # the key in the environment is another by now


@pytest.mark.slow
def test_each_key_is_shown_with_its_state(org: Organisation) -> None:
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
    act(org.new_context("cli"), "login", {"key": gone, "expires": ""}, workspace="gone")
    org.sandbox.revoke(gone)
    Index(org.environ["MISTRAL_NB_HOME"]).remember(keys["leaked"], COMPROMISED)
    done = org.run("list", "--remote", code=1)
    told = {
        org.key: "expires: never",
        gone: "not in Mistral's list: deleted, or in another organisation",
        keys["expired"]: f"unknown here; EXPIRED on {days(-3)}",
        keys["expiring"]: f"unknown here; expires in 5 days, on {days(5)}",
        keys["unused"]: "unused for 31 days",
        keys["vibe"]: "for other products: Vibe",
        keys["leaked"]: "revoked here, still in Mistral's list",
    }
    lines = done.stdout.splitlines()
    for key, words in told.items():
        (line,) = [line for line in lines if f"…{key.tail}" in line]
        assert words in line
    assert lines[0].startswith("Mistral lists 7 keys; 1 stored here, 1 expired, 1 expiring, 1 unused, 4 unknown here")
    assert UNTRIED_NOTE in done.stdout
    assert what(org, keys["used"]) == ["unknown here"]
    assert not any(key.reveal() in org.said for key in (*keys.values(), gone, org.key))


@pytest.mark.slow
def test_expiry_and_id_of_our_keys_are_recorded(org: Organisation) -> None:
    key = org.sandbox.make_key("dev", expires=days(60))
    act(org.new_context("cli"), "login", {"key": key, "expires": ""}, workspace="dev")
    before = org.contents.workspaces["dev"]
    assert (before.expires, before.expiry_known) == (None, False)
    org.run("list", "--remote")
    after = org.contents.workspaces["dev"]
    assert (after.expires, after.expiry_known) == (str(days(60)), True)
    assert after.key_id == org.there[key.tail].key_id
    prod = org.contents.workspaces["prod"]
    assert (prod.expires, prod.expiry_known) == (None, True), "it never expires"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["no dates in the list", "unclear dates in the list"])
def test_a_missing_expiry_keeps_the_recorded_one(fault: str, org: Organisation) -> None:
    context = org.new_context("cli")
    context.key_manager.update("prod", expires=str(days(60)), expiry_known=True)
    org.sandbox.admin.set_fault(fault)
    done = org.run("list", "--remote")
    assert "expires: unknown" in done.stdout
    assert "expires: never" not in done.stdout
    entry = org.contents.workspaces["prod"]
    assert (entry.expires, entry.expiry_known) == (str(days(60)), True)
    assert entry.key_id == org.there[org.key.tail].key_id
    org.sandbox.admin.set_fault("")
    org.run("list", "--remote")
    assert org.contents.workspaces["prod"].expires is None, "null tells that it never expires"


@pytest.mark.slow
def test_a_thousand_keys_in_pages(org: Organisation) -> None:
    for number in range(1000):
        org.sandbox.make_key("dev", name=f"n{number}")
    listed = org.json("list", "--remote")
    assert len(listed["keys"]) == 1001
    text = org.run("list", "--remote").stdout
    assert "Mistral lists 1001 keys; 1 stored here, 1000 unknown here." in text
    assert "971 more without problems; --json lists them." in text


@pytest.mark.slow
def test_two_matching_keys_are_reported_as_ambiguous(org: Organisation) -> None:
    org.sandbox.make_key("prod", like=org.key)
    context = org.new_context("cli")
    context.key_manager.update("prod", key_id=None)
    done = org.run("list", "--remote", code=1)
    assert "2 keys in Mistral's list could match" in done.stdout
    assert org.contents.workspaces["prod"].key_id is None


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["bearer only", "unknown fields"])
def test_other_bodies_and_headers_are_understood(fault: str, org: Organisation) -> None:
    org.sandbox.admin.set_fault(fault)
    assert "1 stored here" in org.run("list", "--remote").stdout


def test_a_notebook_names_no_key_unless_asked(org: Organisation) -> None:
    plain = act(org.new_context(), "list", remote=True).shown
    assert "laptop" not in plain
    assert org.key.tail in plain
    assert "laptop" in act(org.new_context(), "list", remote=True, long=True).shown


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "code"), [("missing", 3), ("html", 3)])
def test_an_unavailable_list_is_explained(fault: str, code: int, org: Organisation) -> None:
    org.sandbox.admin.set_fault(fault)
    assert UNTRIED_NOTE in org.run("list", "--remote", code=code).stderr
