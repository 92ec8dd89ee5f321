"""A protected workspace: asked about once a process, and named so wherever it is shown."""

from collections.abc import Callable

import pytest
from acting import act

from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.errors import Cancelled, CannotAsk, WrongUsage
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
