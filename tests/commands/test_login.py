"""`login`: ask, verify, keep; on an occupied workspace both tails are shown first."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk, KeyRefused, WrongUsage
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import LIVE, RETIRED, Index
from support.commands import act, mistral_nb
from support.keys import make_key

NewContext = Callable[..., Context]


def test_what_the_api_returns_is_shown_and_recorded(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key(workspace="Research", organisation="Acme", name="laptop")
    act(new_context("cli"), "login", {"key": key}, workspace="dev")
    entry = new_context().key_manager.workspaces()["dev"]
    assert (entry.mistral_workspace, entry.organisation, entry.name) == ("Research", "Acme", "laptop")
    assert entry.verified


def test_on_the_command_line_the_environment_is_left_alone(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace="dev")
    assert "MISTRAL_API_KEY" not in environ


def test_in_a_notebook_the_key_is_used_at_once(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context(), "login", {"key": key}, workspace="dev")
    assert environ["MISTRAL_API_KEY"] == key.reveal()


def test_an_occupied_workspace_is_asked_about_with_both_tails(new_context: NewContext, sandbox: Sandbox) -> None:
    old, new = sandbox.make_key(), sandbox.make_key()
    act(new_context(), "login", {"key": old}, workspace="dev")
    with pytest.raises(CannotAsk, match="--yes"):
        act(new_context(), "login", {"key": new}, workspace="dev")
    acted = act(new_context(), "login", {"key": new, "replace": "yes"}, workspace="dev")
    question = next(ask.question for ask in acted.person.asked if ask.name == "replace")
    assert old.tail in question
    assert new.tail in question
    assert new_context().key_manager.read("dev") == new
    seen = new_context().read_index().remembered
    assert (seen[old.fingerprint].state, seen[new.fingerprint].state) == (RETIRED, LIVE)


def test_a_good_key_is_never_replaced_by_a_refused_one_without_a_yes(new_context: NewContext, sandbox: Sandbox) -> None:
    old = sandbox.make_key()
    act(new_context(), "login", {"key": old}, workspace="dev")
    with pytest.raises(KeyRefused):
        act(new_context(), "login", {"key": make_key()}, workspace="dev", yes=True)
    assert new_context().key_manager.read("dev") == old


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
def test_an_expiry_comes_from_the_form_s_question_or_the_flag(
    given: str, expires: str | None, known: bool, new_context: NewContext, sandbox: Sandbox
) -> None:
    act(new_context(has_form=True), "login", {"key": sandbox.make_key(), "expires": given}, workspace="asked")
    act(new_context(), "login", {"key": sandbox.make_key()}, workspace="flag", expires=given)
    noted = {name: (kept.expires, kept.expiry_known) for name, kept in new_context().key_manager.workspaces().items()}
    assert noted == {"asked": (expires, known), "flag": (expires, known)}


@pytest.mark.parametrize("given", ["2027-02-29", "2026-12-31", "soon", "90", "-3d", "99999d", "2027-13-01"])
def test_an_invalid_date_is_refused_before_the_key_is_asked_for(given: str, new_context: NewContext) -> None:
    with pytest.raises(WrongUsage):
        act(new_context(), "login", {"key": make_key()}, workspace="dev", expires=given)
    assert new_context().read_index().remembered == {}


def test_adding_the_same_key_again_updates_its_details(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    act(new_context(), "login", {"key": key}, workspace="dev")
    acted = act(new_context(), "login", {"key": key}, workspace="dev", expires="90d")
    assert "replace" not in acted.person.names
    context = new_context()
    assert context.key_manager.workspaces()["dev"].expires == "2027-05-30"
    assert context.key_manager.read("dev") == key
    assert context.read_index().remembered[key.fingerprint].state == LIVE


def test_with_a_pending_rotation_it_asks_first_and_retires_the_pending_key(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    old, new = sandbox.make_key("prod"), sandbox.make_key("prod", waiting=True)
    act(new_context(), "login", {"key": old}, workspace="prod")
    act(new_context(), "rotate", {"key": new}, workspace="prod")
    with pytest.raises(WrongUsage, match=rf"…{new.tail} is pending; nothing was changed.*rotate prod"):
        act(new_context(), "login", {"key": old, "expires": "", "retire pending": "no"}, workspace="prod")
    with pytest.raises(CannotAsk, match="rotate prod.*--yes"):
        act(new_context(), "login", {"key": old}, workspace="prod")
    assert new_context().key_manager.read_pending("prod") == new
    act(new_context(), "login", {"key": old, "expires": "", "retire pending": "yes"}, workspace="prod")
    keeper = new_context().key_manager
    assert (keeper.read("prod"), keeper.pending_keys()) == (old, {})
    assert [keeper.read_retired(aside) for aside in keeper.retired_keys("prod")] == [new]


def test_a_key_that_was_revoked_here_is_asked_about(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key("prod")
    act(new_context(), "login", {"key": key}, workspace="prod")
    act(new_context(), "revoke", workspace="prod")
    with pytest.raises(KeyRefused, match="was revoked here as leaked"):
        act(new_context(), "login", {"key": key}, workspace="prod", yes=True)
    assert new_context().key_manager.workspaces() == {}
    act(new_context(), "login", {"key": key, "expires": "", "keep revoked": "yes"}, workspace="prod")
    assert new_context().key_manager.read("prod") == key


def test_the_same_key_again_keeps_its_expiry(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    for expires in ("2027-06-30", None):
        act(new_context("cli"), "login", {"key": key}, workspace="dev", expires=expires)
    assert new_context().key_manager.workspaces()["dev"].expires == "2027-06-30"
    other = sandbox.make_key()
    act(new_context("cli"), "login", {"key": other, "expires": "", "replace": "yes"}, workspace="dev")
    entry = new_context().key_manager.workspaces()["dev"]
    assert (entry.expires, entry.expiry_known) == (None, False), "another key's date is not this one's"


@pytest.mark.slow
def test_without_the_keyring_that_was_set_nothing_is_left_behind(environ: dict[str, str], sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    env = environ | {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    login = [sys.executable, "-m", "mistral_nb", "login", "dev"]
    given = {"input": key.reveal(), "capture_output": True, "text": True, "timeout": 60}
    done = subprocess.run(login, env=env | {"MISTRAL_NB_STORE": "keyring"}, **given)
    assert done.returncode == 3
    assert Index(env["MISTRAL_NB_HOME"]).read().pending_deletions == []
    assert subprocess.run(login, env=env, **given).returncode == 0
    assert mistral_nb(env, "logout", "dev", "--yes").returncode == 0


def test_a_key_that_mistral_could_not_be_asked_about_is_called_unverified(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key()
    assert "unverified" not in act(new_context("cli"), "login", {"key": key}, workspace="dev").shown
    sandbox.set_fault("503")
    acted = act(new_context("cli"), "login", {"key": key}, workspace="team")
    assert "It is unverified: Mistral could not be asked." in acted.shown


def test_an_empty_standard_input_is_told_once(environ: dict[str, str]) -> None:
    done = mistral_nb(environ, "login")
    assert done.returncode == 3
    assert done.stderr.count("Nothing was given.") == 1
