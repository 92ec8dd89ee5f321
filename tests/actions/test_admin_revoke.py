"""`revoke` with an Admin key, typed in a real command line."""

from collections.abc import Callable

import pytest
from acting import act
from organisation import Organisation

from mistral_nb.actions.context import Context
from mistral_nb.api.admin import UNTRIED
from mistral_nb.store.index import COMPROMISED

NewContext = Callable[..., Context]


def test_the_leaked_key_is_deleted_at_mistral(org: Organisation) -> None:
    done = org.run("revoke", "prod", "--yes")
    assert org.there == {}
    assert f"…{org.key.tail} is deleted at Mistral." in done.stderr
    assert "it is of no use to anybody any more" in done.stdout
    assert UNTRIED in done.stderr
    assert org.contents.seen[org.key.fingerprint].state == COMPROMISED
    assert (org.contents.workspaces, org.contents.aside) == ({}, [])
    assert org.key.reveal() not in org.said
    assert org.admin_key.reveal() not in org.said


def test_nothing_is_deleted_without_a_yes_and_the_next_revoke_asks_again(org: Organisation) -> None:
    done = org.run("revoke", "prod", code=1)
    assert "mistral-nb revoke prod --yes" in done.stderr
    assert org.there
    assert org.contents.seen[org.key.fingerprint].state == COMPROMISED
    org.run("revoke", "prod", "--yes")
    assert org.there == {}


@pytest.mark.parametrize("answer", ["no", "y", ""])
def test_only_a_typed_yes_deletes(answer: str, org: Organisation, new_context: NewContext) -> None:
    act(new_context("cli"), "revoke", {"delete": answer}, workspace="prod")
    assert org.there
    act(new_context("cli"), "revoke", {"delete": "yes"}, workspace="prod")
    assert org.there == {}


@pytest.mark.parametrize(
    ("fault", "rights", "said"),
    [
        ("", ("read",), "has no right to that"),
        ("500 at delete", (), "has a problem of its own"),
        ("hang up at delete", (), "could not be asked to delete a key"),
        ("missing", (), "it knows nothing of that kind"),
    ],
)
def test_where_that_fails_it_is_said_and_the_rest_is_done_by_hand(
    fault: str, rights: tuple[str, ...], said: str, org: Organisation
) -> None:
    org.environ["MISTRAL_ADMIN_API_KEY"] = org.sandbox.admin.make_key(*rights).reveal()
    org.sandbox.admin.fail(fault)
    done = org.run("revoke", "prod", "--yes", code=1)
    assert said in done.stderr
    assert f"Mistral still accepts …{org.key.tail}; delete it here: https://" in done.stdout
    assert org.contents.seen[org.key.fingerprint].state == COMPROMISED
    org.environ["MISTRAL_ADMIN_API_KEY"] = org.admin_key.reveal()
    org.sandbox.admin.fail("")
    org.run("revoke", "prod", "--yes")
    assert org.there == {}


def test_a_deletion_whose_answer_is_lost_is_seen_by_the_refusal(org: Organisation) -> None:
    org.sandbox.admin.fail("answer lost")
    org.run("revoke", "prod", "--yes", code=None)
    org.sandbox.admin.fail("")
    org.run("revoke", "prod", "--yes", code=None)
    assert org.there == {}


def test_a_tail_that_two_keys_share_deletes_none_but_ours(org: Organisation) -> None:
    twin = org.sandbox.make_key("prod", like=org.key)
    org.run("revoke", "prod", "--yes")
    assert set(org.sandbox.issued()) == {twin.fingerprint}


def test_by_hand_leaves_the_admin_key_alone(org: Organisation) -> None:
    org.run("revoke", "prod", "--yes", "--by-hand", code=1)
    assert org.there
    assert not any(request.path.startswith("/v1/admin") for request in org.sandbox.requests)
