"""`rotate` with an Admin key, typed in a real command line: at every failure a key works."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from mistral_nb.admin.client import UNTRIED_NOTE
from mistral_nb.api.client import verify
from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import AdminFailed, Cancelled, CannotAsk, MistralNbError, StoreError
from mistral_nb.storage.key_manager import KeyManager
from support.commands import act
from support.keys import make_key
from support.organisation import Organisation

NewContext = Callable[..., Context]


def days(number: int) -> date:
    return date.today() + timedelta(days=number)


def test_a_new_key_is_made_and_the_old_one_deleted(org: Organisation) -> None:
    done = org.run("rotate", "prod", "--yes")
    (issued,) = org.there.values()
    assert org.kept == issued.masked[-4:] != org.key.tail
    assert (issued.workspace, issued.expires) == ("prod", days(90))
    assert issued.name.startswith(f"prod-{date.today()}-")
    assert f"in place of …{org.key.tail}" in done.stdout
    assert f"The old key …{org.key.tail} is deleted at Mistral" in done.stdout
    assert UNTRIED_NOTE in done.stdout
    assert (org.begun, org.contents.retired, org.contents.pending) == ([], [], {})
    entry = org.contents.workspaces["prod"]
    assert (entry.key_id, entry.expires, entry.expiry_known) == (issued.key_id, str(days(90)), True)
    assert org.works()
    assert org.key.reveal() not in org.said
    assert org.admin_key.reveal() not in org.said
    assert org.contents.remembered[org.admin_key.fingerprint], "the Admin key is caught in what is saved"


@pytest.mark.slow
def test_an_old_key_that_a_hidden_workspace_holds_is_not_deleted(org: Organisation) -> None:
    context = org.new_context()
    context.key_manager.keep("copy", make_key(), store="memory")
    KeyManager(context.index, {"file": context.stores["file"]}).keep("copy", org.key, store="file")
    acted = act(context, "rotate", workspace="prod", yes=True)
    assert f"The old key …{org.key.tail} was not deleted: workspace copy also uses it" in acted.shown
    assert org.key.tail in org.there


@pytest.mark.slow
def test_a_clamped_expiry_is_reported_and_recorded(org: Organisation) -> None:
    org.sandbox.admin.policies["prod"] = 30
    done = org.run("rotate", "prod", "--yes", "--expires", "400d")
    assert f"Mistral set the new key's expiry to {days(30)}; {days(400)} was requested" in done.stdout
    assert org.contents.workspaces["prod"].expires == str(days(30))


@pytest.mark.slow
def test_a_date_missing_from_the_response_is_read_from_the_list(org: Organisation) -> None:
    org.sandbox.admin.policies["prod"] = 30
    org.sandbox.admin.set_fault("no date in the answer")
    org.run("rotate", "prod", "--yes")
    assert org.contents.workspaces["prod"].expires == str(days(30))


@pytest.mark.slow
def test_without_a_yes_the_old_key_stays_and_the_next_rotate_finishes(org: Organisation) -> None:
    first = org.run("rotate", "prod")
    new = org.kept
    assert f"The old key …{org.key.tail} is not deleted yet: mistral-nb rotate prod --yes" in first.stdout
    assert set(org.there) == {org.key.tail, new}
    assert f"the old key …{org.key.tail} may still exist at Mistral" in org.run("status").stderr
    assert f"…{org.key.tail} is still at Mistral" in org.run("doctor", code=1).stdout
    org.run("rotate", "prod", "--yes")
    assert set(org.there) == {new} == {org.kept}
    assert org.begun == []


@pytest.mark.slow
def test_keep_old_keeps_both(org: Organisation) -> None:
    org.run("rotate", "prod", "--yes", "--keep-old")
    assert set(org.there) == {org.key.tail, org.kept}
    assert org.contents.workspaces["prod-old"].tail == org.key.tail
    assert org.begun == []


@pytest.mark.slow
def test_manual_does_not_use_the_admin_key(org: Organisation) -> None:
    new = org.sandbox.make_key("prod")
    org.run("rotate", "prod", "--manual", given=new.reveal())
    assert org.kept == new.tail
    assert not any(request.path.startswith("/v1/admin") for request in org.sandbox.requests)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["answer lost", "created, then 500", "no key in the answer"])
def test_a_key_whose_response_is_lost_is_found_by_name_and_deleted(fault: str, org: Organisation) -> None:
    org.sandbox.admin.set_fault(fault)
    failed = org.run("rotate", "prod", "--yes", code=3)
    assert f"prod …{org.key.tail} is still in use" in failed.stderr
    org.sandbox.admin.set_fault("")
    assert org.works()
    if fault == "answer lost":  # so was that of the deletion, which took place
        assert "may still exist at Mistral" in org.run("status").stderr
    org.run("rotate", "prod", "--yes")
    assert set(org.there) == {org.kept}


@pytest.mark.slow
@pytest.mark.parametrize(("right", "said"), [("read", "did not create a key"), ("create", "did not list the keys")])
def test_an_admin_key_without_a_right_changes_nothing(right: str, said: str, org: Organisation) -> None:
    org.environ["MISTRAL_ADMIN_API_KEY"] = org.sandbox.admin.make_key(right).reveal()
    failed = org.run("rotate", "prod", "--yes", code=1)
    assert said in failed.stderr
    assert "has no permission for that" in failed.stderr
    assert UNTRIED_NOTE in failed.stderr
    assert f"prod …{org.key.tail} is still in use." in failed.stderr
    assert "mistral-nb rotate prod --manual" in failed.stderr
    assert (set(org.there), org.kept, org.begun) == ({org.key.tail}, org.key.tail, [])


@pytest.mark.slow
def test_without_permission_to_delete_the_new_key_stays_in_use(org: Organisation) -> None:
    org.environ["MISTRAL_ADMIN_API_KEY"] = org.sandbox.admin.make_key("read", "create").reveal()
    done = org.run("rotate", "prod", "--yes", code=1)
    assert f"The old key …{org.key.tail} is not deleted" in done.stdout
    assert org.works()
    org.environ["MISTRAL_ADMIN_API_KEY"] = org.admin_key.reveal()
    org.run("rotate", "prod", "--yes")
    assert set(org.there) == {org.kept}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["500 at delete", "hang up at delete"])
def test_a_deletion_that_fails_is_done_by_the_next_rotate(fault: str, org: Organisation) -> None:
    org.sandbox.admin.set_fault(fault)
    org.run("rotate", "prod", "--yes", code=3)
    new = org.kept
    assert set(org.there) == {org.key.tail, new}
    org.sandbox.admin.set_fault("")
    org.run("rotate", "prod", "--yes")
    assert set(org.there) == {new} == {org.kept}


@pytest.mark.slow
@pytest.mark.parametrize("kept_too", [True, False])
def test_a_normal_key_given_as_admin_key_is_refused(kept_too: bool, org: Organisation) -> None:
    org.environ["MISTRAL_ADMIN_API_KEY"] = (org.key if kept_too else org.sandbox.make_key("dev")).reveal()
    before = set(org.there)
    failed = org.run("rotate", "prod", "--yes", code=1)
    assert "an ordinary key does not work here" in failed.stderr
    assert (set(org.there), org.kept) == (before, org.key.tail)


@pytest.mark.slow
def test_a_new_key_is_waited_for_until_it_is_accepted(org: Organisation) -> None:
    org.sandbox.admin.refusals = 1
    done = org.run("rotate", "prod", "--yes", "--wait", "5")
    assert "does not accept" in done.stderr
    assert set(org.there) == {org.kept}


@pytest.mark.slow
def test_one_not_accepted_in_time_stays_pending_for_the_next_rotate(org: Organisation) -> None:
    org.sandbox.admin.refusals = 3
    done = org.run("rotate", "prod", "--yes", "--wait", "0", code=1)
    assert f"Not rotated yet: Mistral does not accept …{org.contents.pending['prod'].tail}" in done.stdout
    assert org.kept == org.key.tail
    assert org.works()
    waiting = org.contents.pending["prod"].tail
    org.run("rotate", "prod", "--yes", "--wait", "9")
    assert set(org.there) == {waiting} == {org.kept}


@pytest.mark.slow
def test_a_tail_that_two_keys_share_is_asked_about(org: Organisation, new_context: NewContext) -> None:
    twin = org.sandbox.make_key("prod", like=org.key)  # same name, same workspace
    with open(org.environ["MISTRAL_NB_HOME"] + "/workspaces.json") as file:
        text = file.read()
    forgotten = text.replace(f'"{org.contents.workspaces["prod"].key_id}"', "null")
    with open(org.environ["MISTRAL_NB_HOME"] + "/workspaces.json", "w") as file:
        file.write(forgotten)
    heads = sorted(issued.masked for issued in org.sandbox.admin.issued_keys().values())
    unsure = new_context("cli", ask_api=without_identity)
    with pytest.raises(CannotAsk, match="Cannot ask which one should be replaced") as caught:
        act(unsure, "rotate", workspace="prod", yes=True)
    assert all(head in str(caught.value) for head in heads)
    assert len(org.sandbox.admin.issued_keys()) == 2

    def ours(ask):
        return next(choice for choice in ask.choices if choice.startswith(f"{org.key.reveal()[:4]}..."))

    def the_twin(ask):
        return next(choice for choice in ask.choices if choice.startswith(f"{twin.reveal()[:4]}..."))

    with pytest.raises(AdminFailed, match="starts differently"):
        act(new_context("cli", ask_api=without_identity), "rotate", {"which key": the_twin}, workspace="prod", yes=True)
    act(new_context("cli", ask_api=without_identity), "rotate", {"which key": ours}, workspace="prod", yes=True)
    assert twin.fingerprint in org.sandbox.issued_keys()
    assert org.key.fingerprint not in org.sandbox.issued_keys()


@pytest.mark.slow
def test_with_a_known_id_it_does_not_ask(org: Organisation) -> None:
    twin = org.sandbox.make_key("prod", like=org.key)
    org.run("rotate", "prod", "--yes")
    assert twin.fingerprint in org.sandbox.issued_keys()
    assert org.key.fingerprint not in org.sandbox.issued_keys()


def without_identity(key: Key, base: str):
    verdict = verify(key, base)
    who = verdict.identity
    return replace(verdict, identity=who and replace(who, key_id=None))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["bearer only", "unknown fields", "searches names alone"])
def test_other_bodies_and_headers_are_understood(fault: str, org: Organisation) -> None:
    org.sandbox.admin.set_fault(fault)
    org.run("rotate", "prod", "--yes")
    assert set(org.there) == {org.kept} != {org.key.tail}


@pytest.mark.slow
def test_a_key_that_is_not_in_the_list_is_not_replaced(org: Organisation) -> None:
    org.sandbox.revoke(org.key)
    failed = org.run("rotate", "prod", "--yes", code=3)
    assert f"No key …{org.key.tail}" in failed.stderr
    assert org.there == {}


@pytest.mark.slow
def test_only_a_typed_yes_deletes(org: Organisation, new_context: NewContext) -> None:
    asked = act(new_context("cli"), "rotate", {"delete old": "y"}, workspace="prod")
    assert f"The old key …{org.key.tail} still exists at Mistral" in asked.shown
    assert org.key.tail in org.there
    assert "Type yes" in asked.person.asked[-1].question


@pytest.mark.slow
def test_the_key_of_this_process_is_exchanged(
    org: Organisation, new_context: NewContext, environ: dict[str, str]
) -> None:
    act(new_context(), "switch", workspace="prod")
    act(new_context(), "rotate", {"delete old": "yes"}, workspace="prod")
    assert environ["MISTRAL_API_KEY"][-4:] == org.kept != org.key.tail


@pytest.mark.slow
def test_a_store_that_fails_takes_the_new_key_back(org: Organisation, new_context: NewContext) -> None:
    context = new_context("cli")
    vault = context.stores["file"]

    def full(*_):
        raise StoreError("The disk is full.", "Make room.")

    vault.put = full
    with pytest.raises(MistralNbError, match=f"is full. The key created for it was deleted.*…{org.key.tail}"):
        act(context, "rotate", workspace="prod", yes=True)
    assert (set(org.there), org.kept, org.begun) == ({org.key.tail}, org.key.tail, [])
    assert org.contents.pending == {}


@pytest.mark.slow
def test_an_old_key_that_was_added_again_is_not_deleted(org: Organisation, new_context: NewContext) -> None:
    org.run("rotate", "prod")  # without a yes the old key is still to be deleted
    first = org.kept
    act(new_context("cli"), "login", {"key": org.key, "expires": ""}, workspace="prod", yes=True)
    done = org.run("rotate", "prod", "--yes")
    assert f"The key …{org.key.tail}, which a rotation was going to delete, is in use again as prod." in done.stderr
    assert org.kept not in (first, org.key.tail), "rotated anew"
    assert org.key.tail not in org.there, "by a rotation of its own"
    assert org.works()
    assert org.begun == []


@pytest.mark.slow
@pytest.mark.parametrize("while_asked", [False, True])
def test_an_old_key_that_another_workspace_holds_is_not_deleted(
    while_asked: bool, org: Organisation, new_context: NewContext
) -> None:
    def keep_it(_: object = None) -> str:
        new_context("cli").key_manager.keep("copy", org.key, store="file")
        return "yes"

    if not while_asked:
        keep_it()
    acted = act(new_context("cli"), "rotate", {"delete old": keep_it}, workspace="prod")
    assert f"The old key …{org.key.tail} was not deleted: workspace copy also uses it." in acted.shown
    assert set(org.there) == {org.key.tail, org.kept}
    assert org.contents.remembered[org.key.fingerprint].state == "live"
    assert org.begun == []
    assert org.works()
    org.run("rotate", "copy", "--yes")
    assert org.key.tail not in org.there
    assert org.contents.retired == []


@pytest.mark.slow
def test_a_rotation_is_finished_under_the_new_name(org: Organisation) -> None:
    org.run("rotate", "prod")
    org.run("edit", "prod", "--rename", "production")
    assert "rotate production" in org.run("status").stderr
    org.run("rotate", "production", "--yes")
    assert set(org.there) == {org.contents.workspaces["production"].tail}
    assert (org.begun, org.contents.retired) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("words", [("logout", "prod", "--yes"), ("revoke", "prod", "--manual", "--yes")])
def test_an_abandoned_rotation_reports_what_it_leaves(words: tuple[str, ...], org: Organisation) -> None:
    org.run("rotate", "prod")
    done = org.run(*words, code=None)
    assert f"its old key …{org.key.tail} may still be at Mistral. Delete it there: https://admin" in done.stdout
    assert org.begun == []


@pytest.mark.slow
def test_a_pending_key_of_a_deleted_workspace_is_deleted_at_mistral(org: Organisation) -> None:
    org.sandbox.admin.refusals = 3
    org.run("rotate", "prod", "--yes", "--wait", "0", code=1)
    org.run("logout", "prod", "--yes")
    assert "Finish it: mistral-nb list --remote" in org.run("status", code=1).stderr
    assert "mistral-nb list --remote" in org.run("doctor", code=1).stdout
    org.run("list", "--remote", code=None)
    assert set(org.there) == {org.key.tail}
    assert org.begun == []


@pytest.mark.slow
def test_ctrl_c_at_the_last_question_reports_that_the_new_key_works(org: Organisation, new_context: NewContext) -> None:
    with pytest.raises(Cancelled) as caught:
        act(new_context("cli"), "rotate", {"delete old": KeyboardInterrupt()}, workspace="prod")
    assert f"The new key is in use: prod …{org.kept}. To resume the rotation: mistral-nb rotate prod" in str(
        caught.value
    )
    assert org.kept != org.key.tail
