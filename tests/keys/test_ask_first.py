"""A workspace that asks first: confirmed once per process, and marked wherever it is shown."""

from collections.abc import Callable

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, CannotAsk, KeyExpired, WrongUsage
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import act

NewContext = Callable[..., Context]


@pytest.fixture
def kept(new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]) -> Key:
    key = sandbox.make_key("prod")
    answers = {"key": key, "expires": "", "name": ""}
    acted = act(new_context("cli"), "login", answers, workspace="prod", ask_first=True)
    assert f"prod …{key.tail} (ask first)" in acted.shown
    return key


def test_it_is_asked_about_once_a_process(new_context: NewContext, kept: Key, environ: dict[str, str]) -> None:
    context = new_context()
    acted = act(context, "switch", {"ask first": "yes"}, workspace="prod")
    assert acted.person.asked[0].question == f"Use prod …{kept.tail} (ask first) now?"
    assert environ["MISTRAL_API_KEY"] == kept.reveal()
    assert act(context, "switch", workspace="prod").person.asked == []
    assert act(new_context(), "switch", {"ask first": "yes"}, workspace="prod").person.names == ["ask first"]


def test_without_a_yes_nothing_is_used(new_context: NewContext, kept: Key, environ: dict[str, str]) -> None:
    with pytest.raises(Cancelled):
        act(new_context(), "switch", {"ask first": "no"}, workspace="prod")
    with pytest.raises(CannotAsk, match="--yes"):
        act(new_context(), "switch", workspace="prod")
    assert "MISTRAL_API_KEY" not in environ
    act(new_context(), "switch", workspace="prod", yes=True)
    assert environ["MISTRAL_API_KEY"] == kept.reveal()


@pytest.mark.parametrize("name", ["switch", "status", "verify", "edit"])
def test_every_output_marks_it(name: str, new_context: NewContext, kept: Key) -> None:
    act(new_context(), "switch", workspace="prod", yes=True)
    flags = {"workspace": "prod"} if name != "status" else {}
    extra = {"yes": True} if name == "switch" else {"expires": "never"} if name == "edit" else {}
    assert "(ask first)" in act(new_context(), name, **flags, **extra).shown


def test_the_mark_is_set_and_cleared_without_the_key(new_context: NewContext, kept: Key) -> None:
    act(new_context(), "edit", workspace="prod", no_ask_first=True)
    assert act(new_context(), "switch", workspace="prod").person.asked == []
    act(new_context(), "edit", workspace="prod", ask_first=True)
    assert new_context().key_manager.workspaces()["prod"].ask_first
    with pytest.raises(WrongUsage):
        act(new_context(), "edit", workspace="prod", ask_first=True, no_ask_first=True)


def test_another_key_for_the_workspace_asks_first_too(new_context: NewContext, kept: Key, sandbox: Sandbox) -> None:
    answers = {"key": sandbox.make_key("prod"), "expires": "", "name": "", "replace": "yes"}
    act(new_context("cli"), "login", answers, workspace="prod")
    assert new_context().key_manager.workspaces()["prod"].ask_first


def test_every_mention_marks_it(new_context: NewContext, kept: Key, sandbox: Sandbox) -> None:
    new_context().key_manager.update("prod", expires="2027-02-01", expiry_known=True)
    assert f"…{kept.tail} (ask first)" in act(new_context(), "list").shown
    with pytest.raises(KeyExpired, match=rf"prod …{kept.tail} \(ask first\) expired"):
        act(new_context(), "switch", workspace="prod")
    with pytest.raises(CannotAsk, match=r"prod \(ask first\) already holds"):
        act(new_context(), "login", {"key": sandbox.make_key()}, workspace="prod")


@pytest.mark.parametrize("name", ["logout", "revoke"])
def test_deleting_it_marks_it(name: str, new_context: NewContext, kept: Key) -> None:
    answers = {"logout": lambda ask: "yes" if "(ask first)" in ask.question else "no"}
    assert f"prod …{kept.tail} (ask first)" in act(new_context(), name, answers, workspace="prod").shown
