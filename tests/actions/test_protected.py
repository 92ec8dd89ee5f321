"""A protected workspace: asked about once a process, and named so wherever it is shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from acting import act

from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.errors import Cancelled, CannotAsk, KeyExpired, WrongUsage
from mistral_nb.key import Key

NewContext = Callable[..., Context]


@pytest.fixture
def kept(new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]) -> Key:
    key = sandbox.make_key("prod")
    answers = {"key": key, "expires": "", "name": ""}
    acted = act(new_context("cli"), "add", answers, workspace="prod", protected=True)
    assert f"prod …{key.tail} (protected)" in acted.shown
    return key


def test_it_is_asked_about_once_a_process(new_context: NewContext, kept: Key, environ: dict[str, str]) -> None:
    context = new_context()
    acted = act(context, "use", {"protected": "yes"}, workspace="prod")
    assert acted.person.asked[0].question == f"prod …{kept.tail} (protected): use this key in this process?"
    assert environ["MISTRAL_API_KEY"] == kept.reveal()
    assert act(context, "use", workspace="prod").person.asked == []
    assert act(new_context(), "use", {"protected": "yes"}, workspace="prod").person.names == ["protected"]


def test_a_no_and_nobody_use_nothing(new_context: NewContext, kept: Key, environ: dict[str, str]) -> None:
    with pytest.raises(Cancelled):
        act(new_context(), "use", {"protected": "no"}, workspace="prod")
    with pytest.raises(CannotAsk, match="--yes"):
        act(new_context(), "use", workspace="prod")
    assert "MISTRAL_API_KEY" not in environ
    act(new_context(), "use", workspace="prod", yes=True)
    assert environ["MISTRAL_API_KEY"] == kept.reveal()


@pytest.mark.parametrize("name", ["use", "status", "verify", "add"])
def test_everything_it_shows_says_so(name: str, new_context: NewContext, kept: Key) -> None:
    act(new_context(), "use", workspace="prod", yes=True)
    flags = {"workspace": "prod"} if name != "status" else {}
    extra = {"yes": True} if name == "use" else {"expires": "never"} if name == "add" else {}
    assert "(protected)" in act(new_context(), name, **flags, **extra).shown


def test_the_mark_comes_and_goes_without_the_key(new_context: NewContext, kept: Key) -> None:
    act(new_context(), "add", workspace="prod", unprotected=True)
    assert act(new_context(), "use", workspace="prod").person.asked == []
    act(new_context(), "add", workspace="prod", protected=True)
    assert new_context().keeper.workspaces()["prod"].protected
    with pytest.raises(WrongUsage):
        act(new_context(), "add", workspace="prod", protected=True, unprotected=True)


def test_another_key_for_the_workspace_is_protected_too(new_context: NewContext, kept: Key, sandbox: Sandbox) -> None:
    answers = {"key": sandbox.make_key("prod"), "expires": "", "name": "", "replace": "yes"}
    act(new_context("cli"), "add", answers, workspace="prod")
    assert new_context().keeper.workspaces()["prod"].protected


def test_whatever_else_names_it_says_so(new_context: NewContext, kept: Key, sandbox: Sandbox) -> None:
    new_context().keeper.update("prod", expires="2027-02-01", expiry_known=True)
    assert f"…{kept.tail} (protected)" in act(new_context(), "list").shown
    with pytest.raises(KeyExpired, match=rf"prod …{kept.tail} \(protected\) expired"):
        act(new_context(), "use", workspace="prod")
    with pytest.raises(CannotAsk, match=r"prod \(protected\) already holds"):
        act(new_context(), "add", {"key": sandbox.make_key()}, workspace="prod")


@pytest.mark.parametrize("name", ["forget", "revoke"])
def test_what_ends_it_says_so(name: str, new_context: NewContext, kept: Key) -> None:
    answers = {"forget": lambda ask: "yes" if "(protected)" in ask.question else "no"}
    assert f"prod …{kept.tail} (protected)" in act(new_context(), name, answers, workspace="prod").shown


def test_a_backup_that_is_read_back_says_so(new_context: NewContext, kept: Key, tmp_path: Path) -> None:
    path = str(tmp_path / "backup")
    act(new_context(), "backup", path=path)
    assert f"…{kept.tail} (protected) is kept already" in act(new_context(), "restore", path=path).shown
    act(new_context(), "forget", workspace="prod", yes=True)
    assert f"…{kept.tail} (protected) is kept" in act(new_context(), "restore", path=path).shown
