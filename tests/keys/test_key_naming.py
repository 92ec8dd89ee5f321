"""The name that a new key gets without a question."""

from collections.abc import Callable

import pytest

from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk
from mistral_nb.keys.key_naming import free_name
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import act, read
from support.keys import make_key

NewContext = Callable[..., Context]


@pytest.mark.parametrize(("at_mistral", "here"), [("Team Research", "team-research"), ("No", "default")])
def test_it_is_mistrals_name(at_mistral: str, here: str, new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key(workspace=at_mistral)
    act(new_context("cli"), "login", {"key": key})
    assert read(new_context) == {here: key}


@pytest.mark.parametrize(("answer", "kept"), [("yes", {"mine": 1}), ("", {"mine": 0, "mine-2": 1})])
def test_a_second_key_of_the_same_workspace_at_mistral_asks_once(
    answer: str, kept: dict[str, int], new_context: NewContext, sandbox: Sandbox
) -> None:
    keys = [sandbox.make_key(workspace="Research", organisation="Acme") for _ in range(2)]
    act(new_context("cli"), "login", {"key": keys[0]}, workspace="mine")
    with pytest.raises(CannotAsk, match=r"login mine --yes, or another name: mistral-nb login mine-2"):
        act(new_context("cli"), "login", {"key": keys[1]})
    acted = act(new_context("cli"), "login", {"key": keys[1], "replace": answer})
    assert acted.person.names == ["key", "replace"]
    assert read(new_context) == {name: keys[number] for name, number in kept.items()}


def test_the_same_key_again_has_the_name_that_it_has(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key(workspace="Research")
    act(new_context("cli"), "login", {"key": key}, workspace="mine")
    act(new_context("cli"), "login", {"key": key})
    assert read(new_context) == {"mine": key}


def test_the_name_of_an_admin_key_is_taken(new_context: NewContext, sandbox: Sandbox) -> None:
    admin, key = make_key(), sandbox.make_key(workspace="Research")
    new_context().key_manager.keep("research", admin, {"kind": "admin"}, "file")
    act(new_context("cli"), "login", {"key": key})
    assert read(new_context) == {"research": admin, "research-2": key}


def test_a_free_name_is_counted_up(new_context: NewContext) -> None:
    context = new_context()
    for name in ("dev", "dev-2"):
        context.key_manager.keep(name, make_key(), {}, "file")
    assert (free_name(context, "dev"), free_name(context, "prod")) == ("dev-3", "prod")
