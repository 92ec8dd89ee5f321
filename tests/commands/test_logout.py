"""`logout`: the key is deleted, its fingerprint stays unless --trace is given."""

from collections.abc import Callable

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled, CannotAsk, ConcurrentChange, WrongUsage
from mistral_nb.report import Ask
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import act
from support.keys import make_key

NewContext = Callable[..., Context]


@pytest.mark.parametrize("trace", [False, True])
def test_a_key_is_deleted_after_a_yes(
    trace: bool, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context(), "login", {"key": key, "expires": ""}, workspace="dev")
    acted = act(new_context(), "logout", {"logout": "yes"}, workspace="dev", trace=trace)
    assert "MISTRAL_API_KEY" not in environ
    contents = new_context().read_index()
    assert contents.workspaces == {}
    assert contents.pending_deletions == []
    assert (key.fingerprint in contents.remembered) is not trace
    assert key.tail in acted.shown


def test_a_process_that_has_the_key_from_elsewhere_keeps_it_and_is_told_so(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context("cli"), "login", {"key": key, "expires": ""}, workspace="dev")
    assert "still holds it" not in act(new_context("cli"), "logout", workspace="dev", yes=True).shown
    act(new_context("cli"), "login", {"key": key, "expires": ""}, workspace="dev")
    environ["MISTRAL_API_KEY"] = key.reveal()
    assert "MISTRAL_API_KEY still holds it here" in act(new_context("cli"), "logout", workspace="dev", yes=True).shown
    assert environ["MISTRAL_API_KEY"] == key.reveal()


def test_without_a_yes_it_is_kept(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "login", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    with pytest.raises(Cancelled):
        act(new_context(), "logout", {"logout": "no"}, workspace="dev")
    with pytest.raises(CannotAsk, match="--yes"):
        act(new_context(), "logout", workspace="dev")
    assert "dev" in new_context().key_manager.workspaces()


@pytest.mark.parametrize("meanwhile", ["rotated", "a new key is pending", "renamed"])
def test_only_the_confirmed_key_is_deleted(meanwhile: str, new_context: NewContext, sandbox: Sandbox) -> None:
    old, new = sandbox.make_key(), sandbox.make_key(waiting=meanwhile == "a new key is pending")
    act(new_context("cli"), "login", {"key": old, "expires": ""}, workspace="dev")

    def says_yes(_: Ask) -> str:
        if meanwhile == "renamed":
            act(new_context("cli"), "edit", workspace="dev", rename="team")
        else:
            act(
                new_context("cli"), "rotate", {"key": new, "expires": "", "again": "no", "wait": "yes"}, workspace="dev"
            )
        return "yes"

    with pytest.raises((ConcurrentChange, WrongUsage)):
        act(new_context("cli"), "logout", {"logout": says_yes}, workspace="dev")
    keeper = new_context("cli").key_manager
    assert keeper.read("team" if meanwhile == "renamed" else "dev") == (new if meanwhile == "rotated" else old)
    assert keeper.read_pending("dev") == (new if meanwhile == "a new key is pending" else None)


def test_a_key_of_another_origin_stays_in_the_environment(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    act(new_context("cli"), "login", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    foreign = sandbox.make_key().reveal()
    environ["MISTRAL_API_KEY"] = foreign
    act(new_context(), "logout", workspace="dev", yes=True)
    assert environ["MISTRAL_API_KEY"] == foreign


def test_an_unknown_workspace_is_reported_with_the_stored_ones(new_context: NewContext, sandbox: Sandbox) -> None:
    act(new_context(), "login", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    with pytest.raises(WrongUsage, match="dev"):
        act(new_context(), "logout", workspace="prod")


def remember(context: Context, *states: str) -> list[Key]:
    keys = [make_key() for _ in states]
    for key, state in zip(keys, states, strict=True):
        context.index.remember(key, state)
    return keys


@pytest.mark.parametrize("named", ["…{0.tail}", "{0.tail}", "...{0.tail}", "{0.fingerprint}"])
def test_a_key_that_is_only_remembered_is_forgotten_by_its_tail(named: str, new_context: NewContext) -> None:
    key, other, leaked = remember(new_context(), "live", "live", "compromised")
    act(new_context(), "logout", {"logout": "yes"}, workspace=named.format(key), trace=True)
    assert set(new_context().read_index().remembered) == {other.fingerprint, leaked.fingerprint}
    acted = act(new_context(), "logout", {"logout": "yes"}, workspace=leaked.tail, trace=True)
    assert "revoked as leaked" in acted.person.asked[0].question
    assert set(new_context().read_index().remembered) == {other.fingerprint}


def test_forgetting_a_fingerprint_needs_a_yes_and_one_key(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    (key,) = remember(new_context(), "live")
    twin = Key(make_key().reveal()[:-4] + key.tail)
    with pytest.raises(CannotAsk, match="--yes"):
        act(new_context(), "logout", workspace=key.tail, trace=True)
    with pytest.raises(Cancelled):
        act(new_context(), "logout", {"logout": "no"}, workspace=key.tail, trace=True)
    with pytest.raises(WrongUsage, match="no remembered key"):
        act(new_context(), "logout", workspace="none", trace=True, yes=True)
    with pytest.raises(WrongUsage, match="no such workspace"):
        act(new_context(), "logout", workspace=key.tail, yes=True)
    new_context().index.remember(twin)
    with pytest.raises(WrongUsage, match="2 remembered keys"):
        act(new_context(), "logout", workspace=key.tail, trace=True, yes=True)
    assert len(new_context().read_index().remembered) == 2
    act(new_context(), "logout", workspace=twin.fingerprint, trace=True, yes=True)
    environ["MISTRAL_API_KEY"] = key.reveal()
    assert "still holds it" in act(new_context(), "logout", workspace=key.tail, trace=True, yes=True).shown
    assert new_context().read_index().remembered == {}


@pytest.mark.parametrize("is_accepted", [False, True], ids=["pending", "retired"])
def test_the_fingerprint_of_a_stored_key_is_not_forgotten_alone(is_accepted: bool, new_context: NewContext) -> None:
    old, new = keys = [make_key() for _ in range(2)]
    manager = new_context().key_manager
    manager.keep("dev", old, store="file")
    manager.add_pending("dev", new)
    if is_accepted:
        manager.accept_pending("dev", new.fingerprint)
    for key in keys:
        with pytest.raises(WrongUsage, match="still stored for workspace dev"):
            act(new_context(), "logout", workspace=key.tail, trace=True, yes=True)
    assert set(new_context().read_index().remembered) == {key.fingerprint for key in keys}
