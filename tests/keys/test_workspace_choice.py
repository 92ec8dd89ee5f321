"""What is asked before a key is used, even if the index that would record the answer can't be read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistral_nb.command_context import Context
from mistral_nb.command_runner import drive
from mistral_nb.errors import HostRefused, WrongUsage
from mistral_nb.keys import host_consent
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import Person, act

NewContext = Callable[..., Context]
PROJECT = '[tool.mistral-nb]\nworkspace = "prod"\n'


@pytest.fixture
def damaged(environ: dict[str, str]) -> Path:
    """A damaged index, most of it lost."""
    os.makedirs(environ["MISTRAL_NB_HOME"])
    path = Path(environ["MISTRAL_NB_HOME"], "workspaces.json")
    path.write_text("{")
    return path


def test_the_projects_workspace_still_needs_confirmation(
    damaged: Path, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    context, key = new_context(), sandbox.make_key()
    Path(context.folder, "pyproject.toml").write_text(PROJECT)
    acted = act(context, "switch", {"project": "yes", "key": key, "expires": ""})
    assert acted.person.names[0] == "project"
    assert environ["MISTRAL_NB_ACTIVE"] == f"prod:{key.fingerprint}"
    assert "damaged" in acted.shown
    assert damaged.read_text() == "{"


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_another_host_still_needs_confirmation(
    answer: str, damaged: Path, new_context: NewContext, environ: dict[str, str]
) -> None:
    environ["MISTRAL_NB_API"] = "https://gateway.example.org"
    for _ in range(2):  # the answer can't be noted, so it is asked again
        context, person = new_context(), Person({"host": answer})
        if answer == "yes":
            drive(host_consent.confirm_host(context), person, print)
        else:
            with pytest.raises(HostRefused):
                drive(host_consent.confirm_host(context), person, print)
        assert person.names == ["host"]
        assert "damaged" in context.index_problem
    assert damaged.read_text() == "{"


def test_with_a_working_index_a_host_is_confirmed_once(new_context: NewContext, environ: dict[str, str]) -> None:
    environ["MISTRAL_NB_API"] = "https://gateway.example.org"
    first, second = Person({"host": "yes"}), Person({})
    for person in (first, second):
        drive(host_consent.confirm_host(new_context()), person, print)
    assert (first.names, second.names) == (["host"], [])


NEAR = [
    ("switch", {"workspace": "prd"}),
    ("verify", {"workspace": "prd"}),
    ("edit", {"workspace": "prd", "expires": "2027-06-30"}),
    ("logout", {"workspace": "prd", "yes": True}),
    ("revoke", {"workspace": "prd"}),
]


@pytest.mark.parametrize(("command", "flags"), NEAR, ids=[name for name, _ in NEAR])
def test_a_name_that_is_nearly_a_stored_one_is_asked_about(
    command: str, flags: dict[str, Any], new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key()
    new_context().key_manager.keep("prod", key, store="file")
    with pytest.raises(WrongUsage, match=r"named prd\. Did you mean prod\?"):
        act(new_context(), command, **flags)
    assert new_context().key_manager.read("prod") == key, "nobody said yes"
    acted = act(new_context(), command, {"near miss": "yes"}, **flags)
    assert acted.person.names[0] == "near miss"
    assert f"…{key.tail}" in acted.shown


def test_no_to_that_question_makes_a_new_workspace(new_context: NewContext, sandbox: Sandbox) -> None:
    old, new = sandbox.make_key(), sandbox.make_key()
    new_context().key_manager.keep("prod", old, store="file")
    act(new_context(), "switch", {"near miss": "no", "key": new, "expires": ""}, workspace="prd")
    assert new_context().key_manager.read("prd") == new
    act(new_context(), "login", {"key": sandbox.make_key(), "expires": ""}, workspace="prod2")
    assert set(new_context().key_manager.workspaces()) == {"prod", "prd", "prod2"}, "login makes what it is told to"
