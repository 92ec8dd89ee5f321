"""What is asked before a key is used, also where the index that would remember the answer can't be read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from acting import Person, act

from mistral_nb.actions import choose, drive
from mistral_nb.actions.context import Context
from mistral_nb.api.sandbox import Sandbox
from mistral_nb.errors import HostRefused

NewContext = Callable[..., Context]
PROJECT = '[tool.mistral-nb]\nworkspace = "prod"\n'


@pytest.fixture
def damaged(environ: dict[str, str]) -> Path:
    """The index of somebody whose disk has lost most of it."""
    os.makedirs(environ["MISTRAL_NB_HOME"])
    path = Path(environ["MISTRAL_NB_HOME"], "workspaces.json")
    path.write_text("{")
    return path


def test_the_project_s_workspace_is_asked_about_all_the_same(
    damaged: Path, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    context, key = new_context(), sandbox.make_key()
    Path(context.folder, "pyproject.toml").write_text(PROJECT)
    acted = act(context, "use", {"project": "yes", "key": key, "expires": ""})
    assert acted.person.names[0] == "project"
    assert environ["MISTRAL_NB_ACTIVE"] == f"prod:{key.fingerprint}"
    assert "damaged" in acted.shown
    assert damaged.read_text() == "{"


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_another_host_is_asked_about_all_the_same(
    answer: str, damaged: Path, new_context: NewContext, environ: dict[str, str]
) -> None:
    environ["MISTRAL_NB_API"] = "https://gateway.example.org"
    for _ in range(2):  # the answer can't be noted, so it is asked again
        context, person = new_context(), Person({"host": answer})
        if answer == "yes":
            drive(choose.agree_to_host(context), person, print)
        else:
            with pytest.raises(HostRefused):
                drive(choose.agree_to_host(context), person, print)
        assert person.names == ["host"]
        assert "damaged" in context.problem
    assert damaged.read_text() == "{"


def test_with_a_sound_index_a_host_is_asked_about_once(new_context: NewContext, environ: dict[str, str]) -> None:
    environ["MISTRAL_NB_API"] = "https://gateway.example.org"
    first, second = Person({"host": "yes"}), Person({})
    for person in (first, second):
        drive(choose.agree_to_host(new_context()), person, print)
    assert (first.names, second.names) == (["host"], [])
