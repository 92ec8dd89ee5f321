"""`rotate`: a new key replaces the old one, whatever interrupts it."""

import os
import re
from collections.abc import Callable
from datetime import datetime

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, CannotAsk, ConcurrentChange, KeyRefused, NotAKey, StoreTimedOut, WrongUsage
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import RETIRED
from mistral_nb.storage.key_manager import KeyManager
from support.commands import act
from support.keys import make_key

NewContext = Callable[..., Context]
NO_QUESTIONS = {"expires": ""}


@pytest.fixture
def old(new_context: NewContext, sandbox: Sandbox) -> Key:
    key = sandbox.make_key("prod")
    act(new_context(), "login", {"key": key, "expires": "", "name": ""}, workspace="prod")
    return key


def rotate(context: Context, key: Key | list[Key | str], /, workspace: str | None = "prod", **flags: object):
    said = {name: flags.pop(name) for name in ("wait", "again", "other workspace") if name in flags}
    return act(context, "rotate", {"key": key, "expires": "", **said}, workspace=workspace, **flags)


def test_the_new_key_is_stored_and_set_in_the_environment(
    new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    new = sandbox.make_key("prod")
    acted = rotate(new_context(), new)
    assert environ["MISTRAL_API_KEY"] == new.reveal()
    assert environ["MISTRAL_NB_ACTIVE"] == f"prod:{new.fingerprint}"
    assert new_context().key_manager.read("prod") == new
    assert new_context().read_index().remembered[old.fingerprint].state == RETIRED
    assert f"Rotated: prod …{new.tail} in place of …{old.tail}" in acted.shown
    assert f"delete the old key …{old.tail} at Mistral: https://console.mistral.ai/" in acted.shown
    assert not any(key.reveal() in acted.shown for key in (old, new))


def test_a_key_in_memory_is_rotated_there_and_a_stored_one_of_its_name_stays(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    context = new_context()
    mine, theirs, new = (sandbox.make_key("dev") for _ in range(3))
    context.key_manager.keep("dev", mine, {}, "memory")
    KeyManager(context.index, {"file": context.stores["file"]}).keep("dev", theirs, {}, "file")  # another process
    act(context, "rotate", {"key": new, "expires": ""}, workspace="dev")
    assert context.key_manager.read("dev") == new
    assert [context.key_manager.read_retired(each) for each in context.key_manager.retired_keys("dev")] == [mine]
    assert new_context().key_manager.read("dev") == theirs


def test_instructions_are_shown_before_the_question(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    folder = new_context().folder
    assert folder
    with open(os.path.join(folder, "pyproject.toml"), "w") as file:
        file.write('[tool.mistral-nb]\nrotate_after = "30d"\n')
    acted = rotate(new_context(), sandbox.make_key("prod"))
    guidance = "\n".join(acted.steps[:4])
    assert "in the workspace prod: https://console.mistral.ai/home?profile_dialog=api-keys" in guidance
    assert "prod-2027-03-01" in guidance  # the name to give
    assert "2027-03-31" in guidance  # the date to choose


def test_a_process_that_has_the_old_key_from_elsewhere_is_told_so(
    new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    del environ["MISTRAL_NB_ACTIVE"]  # as if it were exported
    acted = rotate(new_context(), sandbox.make_key("prod"))
    assert environ["MISTRAL_API_KEY"] == old.reveal()
    assert "MISTRAL_API_KEY here is still the old key, from the environment: set the new one there." in acted.shown


def test_a_process_that_uses_another_workspace_keeps_using_it(
    new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    dev = sandbox.make_key("dev")
    act(new_context(), "login", {"key": dev, "expires": "", "name": ""}, workspace="dev")
    rotate(new_context(), sandbox.make_key("prod"))
    assert environ["MISTRAL_API_KEY"] == dev.reveal()


def test_pasting_the_old_key_is_detected_and_asked_again(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    new = sandbox.make_key("prod")
    acted = rotate(new_context(), [old, new])
    assert f"This is the old key, …{old.tail}." in acted.steps
    assert new_context().key_manager.read("prod") == new


def test_an_unsuitable_new_key_changes_nothing(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    other, older = sandbox.make_key("dev"), sandbox.make_key("prod")
    act(new_context(), "login", {"key": other, "expires": "", "name": ""}, workspace="dev")
    rotate(new_context(), older)
    rotate(new_context(), newest := sandbox.make_key("prod"))
    with pytest.raises(NotAKey) as caught:
        rotate(new_context(), [older, other, newest])
    assert "This is the old key" in str(caught.value)
    assert new_context().key_manager.read("prod") == newest
    assert new_context().key_manager.pending_keys() == {}


def test_a_key_of_another_workspace_is_refused(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    wrong = sandbox.make_key("dev")
    with pytest.raises(KeyRefused, match="workspace dev at Mistral, not workspace prod"):
        rotate(new_context(), wrong)
    context = new_context()
    assert context.key_manager.read("prod") == old
    assert (context.key_manager.pending_keys(), context.read_index().pending_deletions) == ({}, [])
    assert context.read_index().remembered[wrong.fingerprint]


def test_a_key_of_another_workspace_is_accepted_if_confirmed(
    new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    moved = sandbox.make_key("production")
    rotate(new_context(), moved, **{"other workspace": "yes"})
    assert new_context().key_manager.read("prod") == moved
    assert new_context().key_manager.workspaces()["prod"].mistral_workspace == "production"


def test_a_key_of_another_organisation_is_refused_without_naming_it_in_a_notebook(
    new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    with pytest.raises(KeyRefused, match="another organisation") as caught:
        rotate(new_context(), sandbox.make_key("prod", organisation="Elsewhere Ltd"))
    assert "Elsewhere" not in str(caught.value)


def test_an_unrecorded_workspace_is_learned_from_the_old_key(new_context: NewContext, sandbox: Sandbox) -> None:
    old = sandbox.make_key("prod")
    new_context().key_manager.keep("prod", old, store="file")
    with pytest.raises(KeyRefused, match="not workspace prod"):
        rotate(new_context(), sandbox.make_key("dev"))
    sandbox.revoke(old)
    acted = rotate(new_context(), sandbox.make_key("dev"))
    assert any("could not be checked" in step for step in acted.steps)


def test_an_old_key_that_expired_is_rotated_too(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    new_context().key_manager.update("prod", expires="2027-01-01", expiry_known=True)
    sandbox.revoke(old)
    new = sandbox.make_key("prod")
    rotate(new_context(), new)
    assert new_context().key_manager.read("prod") == new


def test_a_key_refused_in_its_first_minutes_stays_pending(
    new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    new = sandbox.make_key("prod", waiting=True)
    acted = rotate(new_context(), new)
    assert acted.report.exit_code == 1
    assert environ["MISTRAL_API_KEY"] == old.reveal()
    assert f"prod …{old.tail} is still in use" in acted.shown
    told = act(new_context(), "status").shown
    assert "The rotation of prod is unfinished" in told
    sandbox.accept(new)
    acted = act(new_context(), "rotate", NO_QUESTIONS, workspace="prod")
    assert "key" not in acted.person.names
    assert environ["MISTRAL_API_KEY"] == new.reveal()
    assert new_context().key_manager.pending_keys() == {}


def test_it_is_checked_again_as_long_as_requested(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    new = sandbox.make_key("prod", waiting=True)

    def again(_: object) -> str:
        sandbox.accept(new)
        return "yes"

    acted = act(new_context(), "rotate", {"key": new, "expires": "", "again": again}, workspace="prod")
    assert acted.report.data["rotated"]


def test_a_refused_key_is_dropped_if_waiting_is_declined(new_context: NewContext, old: Key) -> None:
    acted = rotate(new_context(), make_key(), wait="no")
    assert acted.report.exit_code == 1
    context = new_context()
    assert (context.key_manager.pending_keys(), context.read_index().pending_deletions) == ({}, [])
    assert context.key_manager.read("prod") == old


@pytest.mark.parametrize("fault", ["500", "hang up", "html", "redirect elsewhere"])
def test_if_the_api_becomes_unreachable_the_new_key_stays_pending(
    fault: str, new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    new = sandbox.make_key("prod")
    sandbox.set_fault(fault)
    acted = rotate(new_context(), new)
    assert acted.report.exit_code == 3
    assert environ["MISTRAL_API_KEY"] == old.reveal()
    sandbox.set_fault(None)
    assert act(new_context(), "rotate", NO_QUESTIONS, workspace="prod").report.data["rotated"]
    assert new_context().key_manager.read("prod") == new


def test_verify_old_reports_until_the_old_key_is_deleted(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    rotate(new_context(), sandbox.make_key("prod"))
    acted = act(new_context(), "verify", workspace="prod", old=True)
    assert acted.report.exit_code == 1
    assert f"…{old.tail}  Mistral still accepts it" in acted.shown
    sandbox.set_fault("503")
    assert act(new_context(), "verify", workspace="prod", old=True).report.exit_code == 3
    sandbox.set_fault(None)
    sandbox.revoke(old)
    acted = act(new_context(), "verify", workspace="prod", old=True)
    assert acted.report.exit_code == 0
    assert "deleted there, and now here" in acted.shown
    assert old not in _stored(new_context())
    with pytest.raises(WrongUsage, match=f"…{old.tail}"):
        act(new_context(), "verify", workspace="prod", old=True)


def test_a_retired_new_key_is_not_deleted_while_it_is_refused_for_being_new(
    new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod", waiting=True)
    rotate(new_context(), new, again="no", wait="yes")
    answers = {"key": sandbox.make_key("prod"), "expires": "", "replace": "yes", "retire pending": "yes"}
    act(new_context(), "login", answers, workspace="prod")
    acted = act(new_context(), "verify", workspace="prod", old=True)
    assert acted.report.exit_code == 1
    assert "may still be accepted, so it is kept here" in acted.shown
    assert new in _stored(new_context())
    sandbox.accept(new)
    assert "Mistral still accepts it" in act(new_context(), "verify", workspace="prod", old=True).shown


def test_for_an_overlap_the_old_key_stays_usable(
    new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    acted = rotate(new_context(), sandbox.make_key("prod"), keep_old=True)
    assert "is kept as prod-old" in acted.shown
    act(new_context(), "switch", workspace="prod-old")
    assert environ["MISTRAL_API_KEY"] == old.reveal()
    sandbox.revoke(old)
    acted = act(new_context(), "verify", workspace="prod", old=True)
    assert (acted.report.exit_code, "logout prod-old" in acted.shown) == (0, True)
    with pytest.raises(WrongUsage, match="prod-old already"):
        rotate(new_context(), sandbox.make_key("prod"), keep_old=True)


@pytest.mark.parametrize(
    ("expires", "noted"),
    [("90d", "2027-05-30"), ("2028-02-29", "2028-02-29"), ("never", None)],
)
def test_the_new_expiry_is_recorded(
    expires: str, noted: str | None, new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    acted = rotate(new_context(), sandbox.make_key("prod"), expires=expires)
    entry = new_context().key_manager.workspaces()["prod"]
    assert (entry.expires, entry.expiry_known) == (noted, True)
    assert acted.report.data["expires"] == noted
    assert re.search(rf"; expires: .*{noted or 'never'}", acted.report.title)


@pytest.mark.parametrize("expires", ["2027-02-29", "2027-02-28", "soon"])
def test_a_date_that_does_not_exist_or_is_past_is_refused_before_anything_is_asked(
    expires: str, new_context: NewContext, old: Key
) -> None:
    with pytest.raises(WrongUsage):
        rotate(new_context(), [], expires=expires)


def test_the_protection_stays_with_the_workspace(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    act(new_context(), "edit", workspace="prod", ask_first=True)
    acted = rotate(new_context(), new := sandbox.make_key("prod"))
    assert new_context().key_manager.workspaces()["prod"].ask_first
    assert f"prod …{new.tail} (ask first)" in acted.shown


def test_a_clock_wrong_by_days_does_not_prevent_rotating(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    context = new_context(now=lambda: datetime(2020, 1, 1))
    assert "This computer's clock says 2020-01-01" in act(context, "status").shown
    acted = rotate(context, new := sandbox.make_key("prod"))
    assert acted.report.data["rotated"]
    assert new_context().key_manager.read("prod") == new


def test_only_one_process_rotates_and_the_other_gets_an_error(
    new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    first, second = sandbox.make_key("prod"), sandbox.make_key("prod")
    one, other = new_context(), new_context()

    def paste(_: object) -> Key:
        with pytest.raises(StoreTimedOut, match="Another process is rotating"):
            rotate(other, second)
        return first

    act(one, "rotate", {"key": paste, "expires": ""}, workspace="prod")
    assert new_context().key_manager.read("prod") == first


def test_being_overtaken_by_add_is_an_error(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    first, second = sandbox.make_key("prod"), sandbox.make_key("prod")

    def paste(_: object) -> Key:
        new_context().key_manager.keep("prod", second, store="file")
        return first

    with pytest.raises(ConcurrentChange, match=f"…{second.tail}"):
        act(new_context(), "rotate", {"key": paste, "expires": ""}, workspace="prod")
    assert new_context().key_manager.read("prod") == second


def test_with_nothing_to_rotate_the_error_says_what_to_do(new_context: NewContext, old: Key) -> None:
    with pytest.raises(WrongUsage, match="login dev"):
        act(new_context(), "rotate", workspace="dev")
    with pytest.raises(CannotAsk, match="Pipe it in"):
        act(new_context(), "rotate", workspace="prod")
    assert new_context().key_manager.read("prod") == old


@pytest.mark.parametrize("what", ["move", "rename", "rename onto"])
def test_a_pending_key_is_not_left_behind(what: str, new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    new = sandbox.make_key("prod", waiting=True)
    rotate(new_context(), new)
    flags = {"workspace": "prod", "store": "keyring"} if what == "move" else {"workspace": "prod", "rename": "other"}
    if what == "rename onto":
        new_context().key_manager.take_out_compromised("prod")
        new_context().key_manager.keep("dev", make_key(), store="file")
        flags = {"workspace": "dev", "rename": "prod"}
    with pytest.raises(WrongUsage, match=rf"…{new.tail} is pending. Finish it first: %mistral_key rotate prod"):
        act(new_context(), "edit", **flags)
    sandbox.accept(new)
    act(new_context(), "rotate", NO_QUESTIONS, workspace="prod")
    assert new_context().key_manager.read("prod") == new


def test_an_old_key_that_another_workspace_holds_must_not_be_deleted_yet(
    new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    new_context().key_manager.keep("copy", old, store="file")
    acted = rotate(new_context(), sandbox.make_key("prod"))
    assert f"Workspace copy also uses the old key …{old.tail}." in acted.shown
    assert "Now delete" not in acted.shown


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled("Cancelled at the prompt; nothing was changed.")])
@pytest.mark.parametrize("question", ["key", "again", "expires"])
def test_ctrl_c_reports_the_current_state(
    question: str, stop: BaseException, new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod", waiting=question == "again")
    with pytest.raises(Cancelled) as caught:
        act(new_context(), "rotate", {"key": new, "expires": "", question: stop}, workspace="prod")
    if question == "key":
        assert "nothing was changed" in str(caught.value)
        return
    assert "nothing was changed" not in str(caught.value)
    assert f"The new key …{new.tail} is pending. prod …{old.tail} is still in use." in str(caught.value)
    assert "%mistral_key rotate prod" in str(caught.value)
    assert new_context().key_manager.read_pending("prod") == new


def test_an_old_key_name_that_is_too_long_is_refused_before_any_question(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    name = "p" * 64
    new_context().key_manager.keep(name, sandbox.make_key("prod"), store="file")
    with pytest.raises(WrongUsage, match="at most 64"):
        rotate(new_context(), [], workspace=name, keep_old=True)


@pytest.mark.parametrize("days", ['"9999d"', "999999999", "9" * 30])
def test_a_project_may_ask_for_any_age(days: str, new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    with open(os.path.join(str(new_context().folder), "pyproject.toml"), "w") as file:
        file.write(f"[tool.mistral-nb]\nrotate_after = {days}\n")
    assert "expiration: 2054-07-16" in rotate(new_context(), sandbox.make_key("prod")).shown


def _stored(context: Context) -> list[Key]:
    return [key for slots in context.stores["file"].read_all().values() for key in slots.values()]


@pytest.mark.parametrize(("given", "advised"), [("30d", "2027-03-31"), ("never", "never"), (None, "2027-05-30")])
def test_the_advised_expiration_is_the_one_that_was_given(
    given: str | None, advised: str, new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    assert f"expiration: {advised}\n" in rotate(new_context(), sandbox.make_key("prod"), expires=given).shown
