"""`forget`: the key goes, its fingerprint stays, unless its trace is to go too."""

from collections.abc import Callable

import pytest
from acting import act

from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.errors import Cancelled, CannotAsk, WrongUsage

NewContext = Callable[..., Context]


@pytest.mark.parametrize("trace", [False, True])
def test_a_key_is_forgotten_on_a_yes(
    trace: bool, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context(), "add", {"key": key, "expires": ""}, workspace="dev")
    acted = act(new_context(), "forget", {"forget": "yes"}, workspace="dev", trace=trace)
    assert "MISTRAL_API_KEY" not in environ
    contents = new_context().contents()
    assert contents.workspaces == {}
    assert contents.unfinished == []
    assert (key.fingerprint in contents.seen) is not trace
    assert key.tail in acted.shown


def test_a_no_keeps_it_and_so_does_nobody(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "add", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    with pytest.raises(Cancelled):
        act(new_context(), "forget", {"forget": "no"}, workspace="dev")
    with pytest.raises(CannotAsk, match="--yes"):
        act(new_context(), "forget", workspace="dev")
    assert "dev" in new_context().keeper.workspaces()


def test_a_key_of_another_origin_stays_in_the_environment(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    act(new_context("cli"), "add", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    foreign = sandbox.make_key().reveal()
    environ["MISTRAL_API_KEY"] = foreign
    act(new_context(), "forget", workspace="dev", yes=True)
    assert environ["MISTRAL_API_KEY"] == foreign


def test_a_workspace_that_is_not_kept_is_said_with_those_that_are(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "add", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    with pytest.raises(WrongUsage, match="dev"):
        act(new_context(), "forget", workspace="prod")
