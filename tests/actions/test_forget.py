"""`forget`: the key goes, its fingerprint stays, unless its trace is to go too."""

from collections.abc import Callable

import pytest
from acting import act

from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.errors import Cancelled, CannotAsk, Overtaken, WrongUsage
from mistral_nb.report import Ask

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


@pytest.mark.parametrize("meanwhile", ["rotated", "a new key waits", "renamed"])
def test_no_other_key_is_forgotten_than_the_one_that_was_asked_about(
    meanwhile: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    old, new = sandbox.make_key(), sandbox.make_key(waiting=meanwhile == "a new key waits")
    act(new_context("cli"), "add", {"key": old, "expires": ""}, workspace="dev")

    def says_yes(_: Ask) -> str:
        if meanwhile == "renamed":
            act(new_context("cli"), "rename", workspace="dev", new_name="team")
        else:
            act(
                new_context("cli"), "rotate", {"key": new, "expires": "", "again": "no", "wait": "yes"}, workspace="dev"
            )
        return "yes"

    with pytest.raises((Overtaken, WrongUsage)):
        act(new_context("cli"), "forget", {"forget": says_yes}, workspace="dev")
    keeper = new_context("cli").keeper
    assert keeper.read("team" if meanwhile == "renamed" else "dev") == (new if meanwhile == "rotated" else old)
    assert keeper.read_pending("dev") == (new if meanwhile == "a new key waits" else None)


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
