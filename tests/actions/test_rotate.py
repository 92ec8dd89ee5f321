"""`rotate`: a new key in place of the old one, whatever comes in between."""

import os
from collections.abc import Callable
from datetime import datetime

import pytest
from acting import act
from keys import make_key

from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.errors import Cancelled, CannotAsk, KeyRefused, NotAKey, Overtaken, StoreTimedOut, WrongUsage
from mistral_nb.key import Key
from mistral_nb.store.index import RETIRED

NewContext = Callable[..., Context]
NO_QUESTIONS = {"expires": ""}


@pytest.fixture
def old(new_context: NewContext, sandbox: Sandbox) -> Key:
    key = sandbox.make_key("prod")
    act(new_context(), "add", {"key": key, "expires": "", "name": ""}, workspace="prod")
    return key


def rotate(context: Context, key: Key | list[Key | str], /, workspace: str | None = "prod", **flags: object):
    said = {name: flags.pop(name) for name in ("wait", "again", "other workspace") if name in flags}
    return act(context, "rotate", {"key": key, "expires": "", **said}, workspace=workspace, **flags)


def test_the_new_key_is_kept_and_put_into_the_environment(
    new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    new = sandbox.make_key("prod")
    acted = rotate(new_context(), new)
    assert environ["MISTRAL_API_KEY"] == new.reveal()
    assert environ["MISTRAL_NB_ACTIVE"] == f"prod:{new.fingerprint}"
    assert new_context().keeper.read("prod") == new
    assert new_context().contents().seen[old.fingerprint].state == RETIRED
    assert f"Rotated: prod …{new.tail} in place of …{old.tail}" in acted.shown
    assert f"delete the old key, …{old.tail}, at Mistral: https://console.mistral.ai/" in acted.shown
    assert not any(key.reveal() in acted.shown for key in (old, new))


@pytest.mark.parametrize("same", [True, False])
def test_a_key_in_memory_is_not_rotated_over_a_stored_one_of_its_name(
    same: bool, new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    context = new_context()
    mine = old if same else sandbox.make_key("prod")
    context.keeper.keep("prod", mine, {}, "memory")
    with pytest.raises(WrongUsage, match=f"…{old.tail} is stored"):
        rotate(context, sandbox.make_key("prod"))
    assert (context.keeper.read("prod"), new_context().keeper.read("prod")) == (mine, old)


def test_the_way_is_shown_before_the_question(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    folder = new_context().folder
    assert folder
    with open(os.path.join(folder, "pyproject.toml"), "w") as file:
        file.write('[tool.mistral-nb]\nrotate_after = "30d"\n')
    acted = rotate(new_context(), sandbox.make_key("prod"))
    guidance = "\n".join(acted.steps[:4])
    assert "in the workspace prod: https://console.mistral.ai/home?profile_dialog=api-keys" in guidance
    assert "prod-2027-03-01" in guidance  # the name to give
    assert "2027-03-31" in guidance  # the date to choose


def test_a_process_that_uses_another_workspace_keeps_using_it(
    new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    dev = sandbox.make_key("dev")
    act(new_context(), "add", {"key": dev, "expires": "", "name": ""}, workspace="dev")
    rotate(new_context(), sandbox.make_key("prod"))
    assert environ["MISTRAL_API_KEY"] == dev.reveal()


def test_the_old_key_pasted_again_is_noticed_and_asked_again(
    new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod")
    acted = rotate(new_context(), [old, new])
    assert f"This is the old key, …{old.tail}." in acted.steps
    assert new_context().keeper.read("prod") == new


def test_what_can_be_no_new_key_changes_nothing(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    other, older = sandbox.make_key("dev"), sandbox.make_key("prod")
    act(new_context(), "add", {"key": other, "expires": "", "name": ""}, workspace="dev")
    rotate(new_context(), older)
    rotate(new_context(), newest := sandbox.make_key("prod"))
    with pytest.raises(NotAKey) as caught:
        rotate(new_context(), [older, other, newest])
    assert "This is the old key" in str(caught.value)
    assert new_context().keeper.read("prod") == newest
    assert new_context().keeper.pending() == {}


def test_a_key_of_another_workspace_is_not_taken(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    wrong = sandbox.make_key("dev")
    with pytest.raises(KeyRefused, match="of workspace dev at Mistral, not of workspace prod"):
        rotate(new_context(), wrong)
    context = new_context()
    assert context.keeper.read("prod") == old
    assert (context.keeper.pending(), context.contents().unfinished) == ({}, [])
    assert context.contents().seen[wrong.fingerprint]


def test_unless_somebody_says_so(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    moved = sandbox.make_key("production")
    rotate(new_context(), moved, **{"other workspace": "yes"})
    assert new_context().keeper.read("prod") == moved
    assert new_context().keeper.workspaces()["prod"].mistral_workspace == "production"


def test_a_key_of_another_organisation_is_not_taken_and_a_notebook_does_not_name_it(
    new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    with pytest.raises(KeyRefused, match="another organisation") as caught:
        rotate(new_context(), sandbox.make_key("prod", organisation="Elsewhere Ltd"))
    assert "Elsewhere" not in str(caught.value)


def test_a_workspace_that_was_never_told_is_learned_from_the_old_key(new_context: NewContext, sandbox: Sandbox) -> None:
    old = sandbox.make_key("prod")
    new_context().keeper.keep("prod", old, store="file")
    with pytest.raises(KeyRefused, match="not of workspace prod"):
        rotate(new_context(), sandbox.make_key("dev"))
    sandbox.revoke(old)
    acted = rotate(new_context(), sandbox.make_key("dev"))
    assert any("was not checked" in step for step in acted.steps)


def test_an_old_key_that_expired_is_rotated_too(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    new_context().keeper.update("prod", expires="2027-01-01", expiry_known=True)
    sandbox.revoke(old)
    new = sandbox.make_key("prod")
    rotate(new_context(), new)
    assert new_context().keeper.read("prod") == new


def test_a_key_that_is_refused_for_its_first_minutes_waits(
    new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    new = sandbox.make_key("prod", waiting=True)
    acted = rotate(new_context(), new)
    assert acted.report.exit_code == 1
    assert environ["MISTRAL_API_KEY"] == old.reveal()
    assert f"prod …{old.tail} stays in use" in acted.shown
    told = act(new_context(), "status").shown
    assert "A rotation of prod is not finished" in told
    sandbox.accept(new)
    acted = act(new_context(), "rotate", NO_QUESTIONS, workspace="prod")
    assert "key" not in acted.person.names
    assert environ["MISTRAL_API_KEY"] == new.reveal()
    assert new_context().keeper.pending() == {}


def test_it_is_asked_about_again_as_long_as_somebody_wants(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    new = sandbox.make_key("prod", waiting=True)

    def again(_: object) -> str:
        sandbox.accept(new)
        return "yes"

    acted = act(new_context(), "rotate", {"key": new, "expires": "", "again": again}, workspace="prod")
    assert acted.report.data["rotated"]


def test_a_refused_key_goes_when_nobody_wants_to_wait(new_context: NewContext, old: Key) -> None:
    acted = rotate(new_context(), make_key(), wait="no")
    assert acted.report.exit_code == 1
    context = new_context()
    assert (context.keeper.pending(), context.contents().unfinished) == ({}, [])
    assert context.keeper.read("prod") == old


@pytest.mark.parametrize("fault", ["500", "hang up", "html", "redirect elsewhere"])
def test_with_the_api_out_of_reach_in_the_middle_the_new_key_waits(
    fault: str, new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    new = sandbox.make_key("prod")
    sandbox.fail(fault)
    acted = rotate(new_context(), new)
    assert acted.report.exit_code == 3
    assert environ["MISTRAL_API_KEY"] == old.reveal()
    sandbox.fail(None)
    assert act(new_context(), "rotate", NO_QUESTIONS, workspace="prod").report.data["rotated"]
    assert new_context().keeper.read("prod") == new


def test_verify_old_tells_until_the_old_key_is_deleted(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    rotate(new_context(), sandbox.make_key("prod"))
    acted = act(new_context(), "verify", workspace="prod", old=True)
    assert acted.report.exit_code == 1
    assert f"…{old.tail}  Mistral still accepts it" in acted.shown
    sandbox.fail("503")
    assert act(new_context(), "verify", workspace="prod", old=True).report.exit_code == 3
    sandbox.fail(None)
    sandbox.revoke(old)
    acted = act(new_context(), "verify", workspace="prod", old=True)
    assert acted.report.exit_code == 0
    assert "deleted there, and now here" in acted.shown
    assert old not in _stored(new_context())
    with pytest.raises(WrongUsage, match=f"…{old.tail}"):
        act(new_context(), "verify", workspace="prod", old=True)


def test_a_new_key_that_was_set_aside_is_not_deleted_because_it_is_refused_for_some_minutes(
    new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod", waiting=True)
    rotate(new_context(), new, again="no", wait="yes")
    answers = {"key": sandbox.make_key("prod"), "expires": "", "replace": "yes", "set aside": "yes"}
    act(new_context(), "add", answers, workspace="prod")
    acted = act(new_context(), "verify", workspace="prod", old=True)
    assert acted.report.exit_code == 1
    assert "may yet be accepted: it stays here" in acted.shown
    assert new in _stored(new_context())
    sandbox.accept(new)
    assert "Mistral still accepts it" in act(new_context(), "verify", workspace="prod", old=True).shown


def test_for_an_overlap_the_old_key_stays_usable(
    new_context: NewContext, sandbox: Sandbox, old: Key, environ: dict[str, str]
) -> None:
    acted = rotate(new_context(), sandbox.make_key("prod"), keep_old=True)
    assert "stays as prod-old" in acted.shown
    act(new_context(), "use", workspace="prod-old")
    assert environ["MISTRAL_API_KEY"] == old.reveal()
    sandbox.revoke(old)
    acted = act(new_context(), "verify", workspace="prod", old=True)
    assert (acted.report.exit_code, "forget prod-old" in acted.shown) == (0, True)
    with pytest.raises(WrongUsage, match="prod-old already"):
        rotate(new_context(), sandbox.make_key("prod"), keep_old=True)


@pytest.mark.parametrize(
    ("expires", "noted"),
    [("90d", "2027-05-30"), ("2028-02-29", "2028-02-29"), ("never", None)],
)
def test_the_new_expiry_is_noted(
    expires: str, noted: str | None, new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    rotate(new_context(), sandbox.make_key("prod"), expires=expires)
    entry = new_context().keeper.workspaces()["prod"]
    assert (entry.expires, entry.expiry_known) == (noted, True)


@pytest.mark.parametrize("expires", ["2027-02-29", "2027-02-28", "soon"])
def test_a_date_that_does_not_exist_or_is_past_is_refused_before_anything_is_asked(
    expires: str, new_context: NewContext, old: Key
) -> None:
    with pytest.raises(WrongUsage):
        rotate(new_context(), [], expires=expires)


def test_the_protection_stays_with_the_workspace(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    act(new_context(), "add", workspace="prod", protected=True)
    acted = rotate(new_context(), new := sandbox.make_key("prod"))
    assert new_context().keeper.workspaces()["prod"].protected
    assert f"prod …{new.tail} (protected)" in acted.shown


def test_a_clock_wrong_by_days_does_not_keep_from_rotating(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    context = new_context(now=lambda: datetime(2020, 1, 1))
    assert "This computer's clock says 2020-01-01" in act(context, "status").shown
    acted = rotate(context, new := sandbox.make_key("prod"))
    assert acted.report.data["rotated"]
    assert new_context().keeper.read("prod") == new


def test_only_one_rotates_and_the_other_is_told(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    first, second = sandbox.make_key("prod"), sandbox.make_key("prod")
    one, other = new_context(), new_context()

    def paste(_: object) -> Key:
        with pytest.raises(StoreTimedOut, match="Another process is rotating"):
            rotate(other, second)
        return first

    act(one, "rotate", {"key": paste, "expires": ""}, workspace="prod")
    assert new_context().keeper.read("prod") == first


def test_who_is_overtaken_by_add_is_told(new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    first, second = sandbox.make_key("prod"), sandbox.make_key("prod")

    def paste(_: object) -> Key:
        new_context().keeper.keep("prod", second, store="file")
        return first

    with pytest.raises(Overtaken, match=f"…{second.tail}"):
        act(new_context(), "rotate", {"key": paste, "expires": ""}, workspace="prod")
    assert new_context().keeper.read("prod") == second


def test_with_nothing_to_rotate_and_nobody_to_ask_the_way_out_is_named(new_context: NewContext, old: Key) -> None:
    with pytest.raises(WrongUsage, match="add dev"):
        act(new_context(), "rotate", workspace="dev")
    with pytest.raises(CannotAsk, match="Pipe it in"):
        act(new_context(), "rotate", workspace="prod")
    assert new_context().keeper.read("prod") == old


@pytest.mark.parametrize("what", ["move", "rename", "rename onto"])
def test_a_new_key_that_waits_is_not_left_behind(
    what: str, new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod", waiting=True)
    rotate(new_context(), new)
    flags = {"workspace": "prod", "store": "keyring"} if what == "move" else {"workspace": "prod", "new_name": "other"}
    if what == "rename onto":
        new_context().keeper.set_aside("prod")
        new_context().keeper.keep("dev", make_key(), store="file")
        flags = {"workspace": "dev", "new_name": "prod"}
    with pytest.raises(WrongUsage, match=rf"…{new.tail} waits. Finish it first: %mistral_key rotate prod"):
        act(new_context(), what.split(maxsplit=1)[0], **flags)
    sandbox.accept(new)
    act(new_context(), "rotate", NO_QUESTIONS, workspace="prod")
    assert new_context().keeper.read("prod") == new


def test_an_old_key_that_another_workspace_keeps_is_not_to_be_deleted_yet(
    new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    new_context().keeper.keep("copy", old, store="file")
    acted = rotate(new_context(), sandbox.make_key("prod"))
    assert f"Workspace copy keeps the old key, …{old.tail}, too." in acted.shown
    assert "Now delete" not in acted.shown


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled("Cancelled at the prompt; nothing was changed.")])
@pytest.mark.parametrize("question", ["key", "again", "expires"])
def test_ctrl_c_says_how_it_stands(
    question: str, stop: BaseException, new_context: NewContext, sandbox: Sandbox, old: Key
) -> None:
    new = sandbox.make_key("prod", waiting=question == "again")
    with pytest.raises(Cancelled) as caught:
        act(new_context(), "rotate", {"key": new, "expires": "", question: stop}, workspace="prod")
    if question == "key":
        assert "nothing was changed" in str(caught.value)
        return
    assert "nothing was changed" not in str(caught.value)
    assert f"The new key …{new.tail} waits here. prod …{old.tail} stays in use." in str(caught.value)
    assert "%mistral_key rotate prod" in str(caught.value)
    assert new_context().keeper.read_pending("prod") == new


def test_an_old_key_whose_name_would_be_too_long_is_said_before_anything_is_asked(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    name = "p" * 64
    new_context().keeper.keep(name, sandbox.make_key("prod"), store="file")
    with pytest.raises(WrongUsage, match="at most 64"):
        rotate(new_context(), [], workspace=name, keep_old=True)


@pytest.mark.parametrize("days", ['"9999d"', "999999999", "9" * 30])
def test_a_project_may_ask_for_any_age(days: str, new_context: NewContext, sandbox: Sandbox, old: Key) -> None:
    with open(os.path.join(str(new_context().folder), "pyproject.toml"), "w") as file:
        file.write(f"[tool.mistral-nb]\nrotate_after = {days}\n")
    assert "as its expiration: 2054-07-16" in rotate(new_context(), sandbox.make_key("prod")).shown


def _stored(context: Context) -> list[Key]:
    return [key for slots in context.stores["file"].everything().values() for key in slots.values()]
