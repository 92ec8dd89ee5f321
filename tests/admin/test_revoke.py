"""`revoke` with an Admin key, typed in a real command line."""

from collections.abc import Callable

import pytest

from mistral_nb.admin.client import UNTRIED_NOTE
from mistral_nb.command_context import Context
from mistral_nb.storage.index import COMPROMISED, LIVE
from support.commands import act
from support.organisation import Organisation

NewContext = Callable[..., Context]


def test_the_leaked_key_is_deleted_at_mistral(org: Organisation) -> None:
    done = org.run("revoke", "prod", "--yes")
    assert org.there == {}
    assert f"…{org.key.tail} is deleted at Mistral." in done.stderr
    assert "the key is unusable" in done.stdout
    assert UNTRIED_NOTE in done.stderr
    assert org.contents.remembered[org.key.fingerprint].state == COMPROMISED
    assert (org.contents.workspaces, org.contents.retired) == ({}, [])
    assert org.key.reveal() not in org.said
    assert org.admin_key.reveal() not in org.said


@pytest.mark.slow
def test_nothing_is_deleted_without_a_yes(org: Organisation) -> None:
    done = org.run("revoke", "prod", code=3)
    assert "Use --yes, with --manual to leave it at Mistral." in done.stderr
    assert org.there
    assert org.contents.remembered[org.key.fingerprint].state == LIVE
    org.run("revoke", "prod", "--yes")
    assert org.there == {}


@pytest.mark.parametrize("answer", ["no", "y", ""])
def test_only_a_typed_yes_deletes(answer: str, org: Organisation, new_context: NewContext) -> None:
    act(new_context("cli"), "revoke", {"delete": answer}, workspace="prod")
    assert org.there
    act(new_context("cli"), "revoke", {"delete": "yes"}, workspace="prod")
    assert org.there == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "rights", "said"),
    [
        ("", ("read",), "has no permission for that"),
        ("500 at delete", (), "has a server error"),
        ("hang up at delete", (), "could not be asked to delete a key"),
        ("missing", (), "it was not found"),
    ],
)
def test_a_failed_deletion_is_reported_and_can_be_done_manually(
    fault: str, rights: tuple[str, ...], said: str, org: Organisation
) -> None:
    org.environ["MISTRAL_ADMIN_API_KEY"] = org.sandbox.admin.make_key(*rights).reveal()
    org.sandbox.admin.set_fault(fault)
    done = org.run("revoke", "prod", "--yes", code=1)
    assert said in done.stderr
    assert f"Mistral still accepts …{org.key.tail} until you delete it: https://" in done.stdout
    assert org.contents.remembered[org.key.fingerprint].state == COMPROMISED
    org.environ["MISTRAL_ADMIN_API_KEY"] = org.admin_key.reveal()
    org.sandbox.admin.set_fault("")
    org.run("revoke", "prod", "--yes")
    assert org.there == {}


@pytest.mark.slow
def test_a_deletion_whose_answer_is_lost_is_seen_by_the_refusal(org: Organisation) -> None:
    org.sandbox.admin.set_fault("answer lost")
    org.run("revoke", "prod", "--yes", code=None)
    org.sandbox.admin.set_fault("")
    org.run("revoke", "prod", "--yes", code=None)
    assert org.there == {}


@pytest.mark.slow
def test_a_tail_that_two_keys_share_deletes_none_but_ours(org: Organisation) -> None:
    twin = org.sandbox.make_key("prod", like=org.key)
    org.run("revoke", "prod", "--yes")
    assert set(org.sandbox.issued_keys()) == {twin.fingerprint}


@pytest.mark.slow
def test_manual_does_not_use_the_admin_key(org: Organisation) -> None:
    org.run("revoke", "prod", "--yes", "--manual", code=1)
    assert org.there
    assert not any(request.path.startswith("/v1/admin") for request in org.sandbox.requests)
