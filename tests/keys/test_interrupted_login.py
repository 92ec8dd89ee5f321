"""Ctrl-C at a question after the key was verified."""

from collections.abc import Callable

import pytest

from mistral_nb.command_context import Context
from mistral_nb.errors import Cancelled
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import act, read
from support.keys import make_key

NewContext = Callable[..., Context]
NO_KEYRING = {"MISTRAL_NB_STORE": "auto", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


@pytest.mark.parametrize("host", ["cli", "magic"])
def test_the_key_is_kept_beside_the_one_it_would_have_replaced(
    host: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    old, new = sandbox.make_key(), sandbox.make_key()
    act(new_context("cli"), "login", {"key": old}, workspace="dev")
    with pytest.raises(Cancelled, match=f"the key …{new.tail} is kept as dev-2 in the encrypted file") as caught:
        act(new_context(host), "login", {"key": new, "replace": KeyboardInterrupt()}, workspace="dev")
    assert "dev-2" in caught.value.todo
    assert read(new_context) == {"dev": old, "dev-2": new}


def test_without_a_keyring_a_notebook_keeps_it_in_memory(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ |= NO_KEYRING
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    context, key = new_context(), sandbox.make_key()
    with pytest.raises(Cancelled, match=r"is kept as dev in this process's memory"):
        act(context, "login", {"key": key, "new passphrase": KeyboardInterrupt()}, workspace="dev")
    assert context.key_manager.read("dev") == key


def test_where_nothing_can_keep_it_that_is_said(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ |= NO_KEYRING
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    answers = {"key": sandbox.make_key(), "new passphrase": KeyboardInterrupt()}
    with pytest.raises(Cancelled, match="is not kept: no store is open here"):
        act(new_context("cli"), "login", answers, workspace="dev")
    assert new_context().key_manager.workspaces() == {}


@pytest.mark.parametrize("question", ["key", "keep refused"])
def test_at_a_question_before_that_nothing_is_kept(question: str, new_context: NewContext, sandbox: Sandbox) -> None:
    with pytest.raises(Cancelled, match="nothing was changed"):
        act(new_context("cli"), "login", {"key": make_key(), question: KeyboardInterrupt()}, workspace="dev")
    assert new_context().key_manager.workspaces() == {}
