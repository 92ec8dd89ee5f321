"""`add`: ask, verify, keep; on an occupied workspace both tails are shown first."""

from collections.abc import Callable

import pytest
from acting import act
from keys import make_key

from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.errors import CannotAsk, KeyRefused, WrongUsage
from mistral_nb.store.index import LIVE, RETIRED

NewContext = Callable[..., Context]


def test_what_the_api_tells_is_shown_and_recorded(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key(workspace="Research", organisation="Acme", name="laptop")
    act(new_context("cli"), "add", {"key": key, "expires": ""}, workspace="dev")
    entry = new_context().keeper.workspaces()["dev"]
    assert (entry.mistral_workspace, entry.organisation, entry.name) == ("Research", "Acme", "laptop")
    assert entry.verified


def test_on_the_command_line_the_environment_is_left_alone(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    act(new_context("cli"), "add", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    assert "MISTRAL_API_KEY" not in environ


def test_in_a_notebook_the_key_is_used_at_once(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context(), "add", {"key": key, "expires": ""}, workspace="dev")
    assert environ["MISTRAL_API_KEY"] == key.reveal()


def test_an_occupied_workspace_is_asked_about_with_both_tails(new_context: NewContext, sandbox: Sandbox) -> None:
    old, new = sandbox.make_key(), sandbox.make_key()
    act(new_context(), "add", {"key": old, "expires": ""}, workspace="dev")
    with pytest.raises(WrongUsage):
        act(new_context(), "add", {"key": new, "replace": "no"}, workspace="dev")
    assert new_context().keeper.read("dev") == old
    with pytest.raises(CannotAsk, match="--yes"):
        act(new_context(), "add", {"key": new}, workspace="dev")
    acted = act(new_context(), "add", {"key": new, "replace": "yes", "expires": ""}, workspace="dev")
    question = next(ask.question for ask in acted.person.asked if ask.name == "replace")
    assert old.tail in question
    assert new.tail in question
    assert new_context().keeper.read("dev") == new
    seen = new_context().contents().seen
    assert (seen[old.fingerprint].state, seen[new.fingerprint].state) == (RETIRED, LIVE)


def test_a_good_key_is_never_replaced_by_a_refused_one_without_a_yes(new_context: NewContext, sandbox: Sandbox) -> None:
    old = sandbox.make_key()
    act(new_context(), "add", {"key": old, "expires": ""}, workspace="dev")
    with pytest.raises(KeyRefused):
        act(new_context(), "add", {"key": make_key()}, workspace="dev", yes=True)
    assert new_context().keeper.read("dev") == old


@pytest.mark.parametrize(
    ("given", "expires", "known"),
    [
        ("2027-05-30", "2027-05-30", True),
        ("90d", "2027-05-30", True),
        ("never", None, True),
        ("", None, False),
        ("2028-02-29", "2028-02-29", True),
        ("2027-03-01", "2027-03-01", True),
    ],
)
def test_an_expiry_is_taken_from_the_question_or_the_flag(
    given: str, expires: str | None, known: bool, new_context: NewContext, sandbox: Sandbox
) -> None:
    act(new_context(), "add", {"key": sandbox.make_key(), "expires": given}, workspace="asked")
    act(new_context(), "add", {"key": sandbox.make_key()}, workspace="flag", expires=given)
    noted = {name: (kept.expires, kept.expiry_known) for name, kept in new_context().keeper.workspaces().items()}
    assert noted == {"asked": (expires, known), "flag": (expires, known)}


@pytest.mark.parametrize("given", ["2027-02-29", "2026-12-31", "soon", "90", "-3d", "99999d", "2027-13-01"])
def test_a_date_that_is_none_is_refused_before_the_key_is_asked_for(given: str, new_context: NewContext) -> None:
    with pytest.raises(WrongUsage):
        act(new_context(), "add", {"key": make_key()}, workspace="dev", expires=given)
    assert new_context().contents().seen == {}


def test_the_same_key_again_updates_what_is_noted_on_it(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    act(new_context(), "add", {"key": key, "expires": ""}, workspace="dev")
    acted = act(new_context(), "add", {"key": key}, workspace="dev", expires="90d")
    assert "replace" not in acted.person.names
    context = new_context()
    assert context.keeper.workspaces()["dev"].expires == "2027-05-30"
    assert context.keeper.read("dev") == key
    assert context.contents().seen[key.fingerprint].state == LIVE


def test_over_a_rotation_that_waits_it_is_asked_first_and_the_new_key_is_set_aside(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    old, new = sandbox.make_key("prod"), sandbox.make_key("prod", waiting=True)
    act(new_context(), "add", {"key": old, "expires": ""}, workspace="prod")
    act(new_context(), "rotate", {"key": new}, workspace="prod")
    with pytest.raises(WrongUsage, match=rf"…{new.tail} waits; nothing was changed.*rotate prod"):
        act(new_context(), "add", {"key": old, "expires": "", "set aside": "no"}, workspace="prod")
    with pytest.raises(CannotAsk, match="rotate prod.*--yes"):
        act(new_context(), "add", {"key": old, "expires": ""}, workspace="prod")
    assert new_context().keeper.read_pending("prod") == new
    act(new_context(), "add", {"key": old, "expires": "", "set aside": "yes"}, workspace="prod")
    keeper = new_context().keeper
    assert (keeper.read("prod"), keeper.pending()) == (old, {})
    assert [keeper.read_aside(aside) for aside in keeper.asides("prod")] == [new]


def test_a_key_that_was_revoked_here_is_asked_about(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key("prod")
    act(new_context(), "add", {"key": key, "expires": ""}, workspace="prod")
    act(new_context(), "revoke", workspace="prod")
    with pytest.raises(KeyRefused, match="was revoked here, as leaked"):
        act(new_context(), "add", {"key": key, "expires": ""}, workspace="prod", yes=True)
    assert new_context().keeper.workspaces() == {}
    act(new_context(), "add", {"key": key, "expires": "", "keep revoked": "yes"}, workspace="prod")
    assert new_context().keeper.read("prod") == key
