"""`switch`: where a key comes from, which workspace it chooses, what it reports."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from mistral_nb import environment
from mistral_nb.api_key import MARKER
from mistral_nb.command_context import Context
from mistral_nb.errors import (
    Cancelled,
    CannotAsk,
    KeyRefused,
    MistralNbError,
    NotAKey,
    PassphraseNeeded,
    StoreUnavailable,
    WrongUsage,
)
from mistral_nb.sandbox.sandbox import Sandbox
from support.commands import act
from support.keys import make_key, make_text
from support.patience import PATIENCE

NewContext = Callable[..., Context]
SHOW = "import os; from mistral_nb.api_key import fingerprint; print(fingerprint(os.environ['MISTRAL_API_KEY']))"
SILENT = """
import time
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 9

    def get_password(self, service, username):
        open(__file__ + ".asked", "w").close()
        time.sleep(600)

    set_password = delete_password = get_password
"""


def test_a_first_key_is_asked_for_stored_and_set_in_the_environment(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key(workspace="Team Research")
    acted = act(new_context(), "switch", {"key": key})
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert environ["MISTRAL_NB_ACTIVE"] == f"team-research:{key.fingerprint}"
    assert "team-research …" + key.tail in acted.shown
    assert key.reveal() not in acted.shown
    assert acted.person.names == ["key"]


def test_a_later_process_is_not_asked_and_does_not_call_the_api(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context(), "switch", {"key": key})
    _new_process(environ)
    requests = len(sandbox.requests)
    acted = act(new_context(), "switch")
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert acted.person.asked == []
    assert len(sandbox.requests) == requests


@pytest.mark.parametrize("kept", ["file", "not any more"])
def test_our_own_key_in_the_environment_is_used_without_opening_a_store(
    kept: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context(), "switch", {"key": key}, workspace="dev")
    if kept == "not any more":
        with new_context().index.edit() as contents:
            del contents.workspaces["dev"]
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]  # from here on nothing opens the encrypted file
    acted = act(new_context(), "switch")
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert environ["MISTRAL_NB_ACTIVE"] == f"dev:{key.fingerprint}"
    assert f"dev …{key.tail}" in acted.shown
    assert acted.person.asked == []
    assert ("It is not stored" in acted.shown) is (kept != "file")


@pytest.mark.parametrize("reason", ["it is named", "another one is kept by now", "it is not in place"])
def test_otherwise_the_store_is_opened(
    reason: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    act(new_context(), "switch", {"key": sandbox.make_key()}, workspace="dev")
    if reason == "another one is kept by now":
        act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace="dev", yes=True)
    elif reason == "it is not in place":
        _new_process(environ)
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    with pytest.raises(PassphraseNeeded):
        act(new_context(), "switch", workspace="dev" if reason == "it is named" else None)


@pytest.mark.slow
def test_run_takes_our_own_key_past_a_keyring_that_never_answers(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context(), "switch", {"key": key}, workspace="dev")
    with new_context().index.edit() as contents:
        contents.workspaces["dev"] = contents.workspaces["dev"]._replace(store="keyring")
    silent = os.path.join(environ["HOME"], "silent_backend.py")
    with open(silent, "w") as file:
        file.write(SILENT)
    env = environ | {"PYTHONPATH": environ["HOME"], "PYTHON_KEYRING_BACKEND": "silent_backend.Keyring"}
    words = [sys.executable, "-m", "mistral_nb", "run", "--", sys.executable, "-c", SHOW]
    done = subprocess.run(
        words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * PATIENCE
    )
    assert (done.returncode, done.stdout.strip()) == (0, key.fingerprint), done.stderr
    assert not os.path.exists(f"{silent}.asked")
    for name in ("MISTRAL_API_KEY", "MISTRAL_NB_ACTIVE"):
        del env[name]
    done = subprocess.run(
        words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * PATIENCE
    )
    assert done.returncode == 125
    assert os.path.exists(f"{silent}.asked"), "without it in place the keyring is asked"


def test_a_key_that_was_in_the_environment_before_us_stays(new_context: NewContext, environ: dict[str, str]) -> None:
    key = make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    acted = act(new_context(), "switch")
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert f"already set, to …{key.tail}" in acted.shown
    assert key.fingerprint in new_context().read_index().remembered


def test_a_key_set_before_that_is_stored_is_named_by_its_workspace_in_every_report(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    keys = {name: sandbox.make_key() for name in ("dev", "prod")}
    for name, each in keys.items():
        act(new_context("cli"), "login", {"key": each}, workspace=name)
    environ["MISTRAL_API_KEY"] = keys["prod"].reveal()
    bare = act(new_context(), "switch")
    assert f"already set, to prod …{keys['prod'].tail} (from the environment)" in bare.shown
    assert bare.report.data["workspace"] == "prod"
    named = act(new_context(), "switch", workspace="dev")
    assert f"It replaced prod …{keys['prod'].tail}, which came from the environment." in named.shown


def test_a_mounted_key_that_is_stored_too_is_named_by_its_workspace_and_read_again(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key, rotated = sandbox.make_key(), make_key()
    act(new_context("cli"), "login", {"key": key}, workspace="prod")
    environ["MISTRAL_API_KEY_FILE"] = _write(environ, key.reveal())
    assert f"MISTRAL_API_KEY is set: prod …{key.tail} (from the file" in act(new_context(), "switch").shown
    _write(environ, rotated.reveal())
    act(new_context(), "switch")
    assert environ["MISTRAL_API_KEY"] == rotated.reveal()


def test_naming_a_workspace_replaces_it_and_says_which(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    kept, foreign = sandbox.make_key(), make_key()
    act(new_context(), "login", {"key": kept}, workspace="dev")
    _new_process(environ)
    environ["MISTRAL_API_KEY"] = foreign.reveal()
    acted = act(new_context(), "switch", workspace="dev")
    assert environ["MISTRAL_API_KEY"] == kept.reveal()
    assert f"It replaced …{foreign.tail}" in acted.shown


@pytest.mark.parametrize("value", [MARKER, "", "<YOUR MISTRAL API KEY>", "x" * 32, "your_api_key_here"])
def test_a_value_that_is_not_a_key_counts_as_unset(
    value: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ["MISTRAL_API_KEY"] = value
    key = sandbox.make_key()
    acted = act(new_context(), "switch", {"key": key})
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert any("not a key" in step or "is empty" in step for step in acted.steps)


def test_a_key_file_comes_before_the_store(new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]) -> None:
    stored, mounted = sandbox.make_key(), make_key()
    act(new_context(), "login", {"key": stored}, workspace="dev")
    _new_process(environ)
    environ["MISTRAL_API_KEY_FILE"] = _write(environ, mounted.reveal() + "\n")
    act(new_context(), "switch")
    assert environ["MISTRAL_API_KEY"] == mounted.reveal()


def test_a_mounted_key_that_changed_is_read_again(new_context: NewContext, environ: dict[str, str]) -> None:
    environ["MISTRAL_API_KEY_FILE"] = _write(environ, make_text())
    act(new_context(), "switch")
    rotated = make_key()
    _write(environ, rotated.reveal())
    act(new_context(), "switch")
    assert environ["MISTRAL_API_KEY"] == rotated.reveal()


@pytest.mark.parametrize("content", [None, "", "not a key at all", MARKER])
def test_a_key_file_without_a_key_is_an_error_that_shows_nothing_of_it(
    content: str | None, new_context: NewContext, environ: dict[str, str]
) -> None:
    environ["MISTRAL_API_KEY_FILE"] = (
        _write(environ, content) if content is not None else os.path.join(environ["HOME"], "nowhere")
    )
    with pytest.raises(MistralNbError, match="MISTRAL_API_KEY_FILE"):
        act(new_context(), "switch")


def test_non_interactively_the_error_names_the_alternatives(new_context: NewContext) -> None:
    with pytest.raises(CannotAsk) as caught:
        act(new_context(), "switch")
    for way in (
        "MISTRAL_API_KEY",
        "MISTRAL_API_KEY_FILE",
        "MISTRAL_NB_STORE=file",
        "MISTRAL_NB_PASSPHRASE_FILE",
    ):
        assert way in str(caught.value)


def test_an_empty_answer_is_asked_again_then_cancelled(new_context: NewContext, environ: dict[str, str]) -> None:
    with pytest.raises(NotAKey):
        act(new_context(), "switch", {"key": ["", "", ""]})
    assert "MISTRAL_API_KEY" not in environ
    assert new_context().read_index().remembered == {}


def test_ctrl_c_at_the_prompt_changes_nothing(new_context: NewContext, environ: dict[str, str]) -> None:
    before = dict(environ)
    with pytest.raises(Cancelled):
        act(new_context(), "switch", {"key": KeyboardInterrupt()})
    assert environ == before
    assert not os.path.exists(new_context().index.path)


@pytest.mark.parametrize("odd", ["correct-horse-battery-staple", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"])
def test_an_unusual_shape_needs_confirmation_before_it_is_sent(
    odd: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key()
    acted = act(new_context(), "switch", {"key": [odd, key], "odd shape": "no"})
    assert {request.tail for request in sandbox.requests} == {key.tail}
    assert odd not in acted.shown
    fingerprints = new_context().read_index().remembered
    assert list(fingerprints) == [key.fingerprint]


def test_a_refused_key_is_stored_only_after_a_yes(new_context: NewContext, environ: dict[str, str]) -> None:
    unknown = make_key()
    with pytest.raises(KeyRefused):
        act(new_context(), "switch", {"key": unknown, "keep refused": "no"})
    assert "MISTRAL_API_KEY" not in environ
    acted = act(new_context(), "switch", {"key": unknown, "keep refused": "yes"}, workspace="new")
    assert environ["MISTRAL_API_KEY"] == unknown.reveal()
    assert "expires" not in acted.person.names


@pytest.mark.slow_except("html")
@pytest.mark.parametrize("fault", ["silent", "html"])
def test_a_network_failure_does_not_count_against_the_key(
    fault: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    sandbox.set_fault(fault)
    acted = act(new_context(), "switch", {"key": key}, workspace="dev")
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert "nothing about the key" in acted.shown
    assert new_context().key_manager.workspaces()["dev"].verified is None


def test_with_several_workspaces_it_asks_which(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    keys = {name: sandbox.make_key(workspace=name) for name in ("dev", "prod")}
    for name, key in keys.items():
        act(new_context("cli"), "login", {"key": key}, workspace=name)
    with pytest.raises(CannotAsk, match="dev, prod"):
        act(new_context(), "switch")
    act(new_context(), "switch", {"workspace": "prod"})
    assert environ["MISTRAL_API_KEY"] == keys["prod"].reveal()
    acted = act(new_context(), "switch")
    assert "in use in this process" in acted.shown


@pytest.mark.parametrize("source", ["variable", "project"])
def test_a_workspace_can_be_chosen_in_advance(
    source: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    keys = {name: sandbox.make_key(workspace=name) for name in ("dev", "prod")}
    for name, key in keys.items():
        act(new_context("cli"), "login", {"key": key}, workspace=name)
    context = new_context()
    if source == "variable":
        environ["MISTRAL_NB_WORKSPACE"] = "prod"
    else:
        with open(os.path.join(str(context.folder), "pyproject.toml"), "w") as file:
            file.write('[tool.mistral-nb]\nworkspace = "prod"\n')
        with pytest.raises(CannotAsk, match="pyproject.toml"):
            act(Context("magic", environ, context.folder), "switch")
    acted = act(Context("magic", environ, context.folder), "switch", {"project": "yes"})
    assert environ["MISTRAL_API_KEY"] == keys["prod"].reveal()
    if source == "project":
        assert "pyproject.toml" in acted.shown
        _new_process(environ)
        assert act(Context("magic", environ, context.folder), "switch").person.asked == []


def test_an_unconfirmed_project_gets_no_key(new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]) -> None:
    act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace="prod")
    context = new_context()
    with open(os.path.join(str(context.folder), "pyproject.toml"), "w") as file:
        file.write('[tool.mistral-nb]\nworkspace = "prod"\n')
    with pytest.raises(WrongUsage):
        act(context, "switch", {"project": "no"})
    assert "MISTRAL_API_KEY" not in environ


@pytest.mark.parametrize("name", ["status", "a b", "-x", "ü", "x" * 65])
def test_invalid_names_are_refused_before_a_key_is_asked_for(name: str, new_context: NewContext) -> None:
    with pytest.raises(WrongUsage):
        act(new_context(), "switch", {"key": make_key()}, workspace=name)


def test_a_service_account_that_overrides_the_key_is_warned_about(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ["MISTRAL_SA_TOKEN_PATH"] = "/run/token"
    acted = act(new_context(), "switch", {"key": sandbox.make_key()})
    assert "MISTRAL_SA_TOKEN_PATH" in acted.shown


def test_keys_go_to_another_host_only_after_a_typed_yes(new_context: NewContext, environ: dict[str, str]) -> None:
    environ["MISTRAL_NB_API"] = "https://gateway.example.org"
    with pytest.raises(MistralNbError, match="not a Mistral host"):
        act(new_context(), "switch", {"key": make_key()})
    with pytest.raises(MistralNbError, match="not a Mistral host"):
        act(new_context(), "switch", {"key": make_key(), "host": "y"})
    environ["MISTRAL_NB_API"] = "http://gateway.example.org"
    with pytest.raises(MistralNbError, match="without https"):
        act(new_context(), "switch", {"key": make_key(), "host": "yes"})


def test_a_store_that_fails_leaves_the_key_usable_in_a_notebook(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    acted = act(new_context(), "switch", {"key": key}, workspace="dev")
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert "in memory only" in acted.shown


def test_no_keyring_and_no_prompt_is_an_error_on_the_command_line(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ["MISTRAL_NB_STORE"] = "auto"
    environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    with pytest.raises(StoreUnavailable, match="MISTRAL_NB_STORE=file"):
        act(new_context("cli"), "login", {"key": sandbox.make_key()}, workspace="dev")


def test_every_key_is_in_seen_before_it_is_asked_about_or_stored(new_context: NewContext, sandbox: Sandbox) -> None:
    key = sandbox.make_key()
    context = new_context()
    noted: list[bool] = []
    real = context.ask_api

    def verify(key_asked: object, base: str) -> object:
        noted.append(key.fingerprint in context.read_index().remembered)
        return real(key_asked, base)

    context.ask_api = verify
    act(context, "switch", {"key": key})
    assert noted == [True]


def test_subscribers_are_notified_of_a_key_before_it_is_used(new_context: NewContext, sandbox: Sandbox) -> None:
    heard: list[str] = []
    end = environment.on_secret_event(lambda change: heard.append(change.kind))
    act(new_context(), "switch", {"key": sandbox.make_key()})
    end()
    act(new_context(), "switch")
    assert heard == ["entered", "activated"]


def _new_process(environ: dict[str, str]) -> None:
    environ.pop("MISTRAL_API_KEY", None)
    environ.pop("MISTRAL_NB_ACTIVE", None)


def _write(environ: dict[str, str], text: str) -> str:
    path = os.path.join(environ["HOME"], "mounted")
    with open(path, "w") as file:
        file.write(text)
    return path
