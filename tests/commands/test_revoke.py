"""`revoke`: out of use at once; checked until Mistral refuses it; shows where it leaked."""

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.config import ADMIN_VARIABLE
from mistral_nb.errors import Cancelled, CannotAsk, WrongUsage
from mistral_nb.keys import key_report
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.scanning import leak_search
from mistral_nb.storage.index import COMPROMISED, LIVE
from mistral_nb.storage.key_manager import KeyManager
from support.commands import act
from support.keys import make_key

NewContext = Callable[..., Context]


@pytest.fixture
def leaked(new_context: NewContext, sandbox: Sandbox) -> Key:
    key = sandbox.make_key("prod")
    act(new_context(), "login", {"key": key, "expires": "", "name": ""}, workspace="prod")
    return key


def test_it_is_out_of_environment_and_workspace_before_mistral_is_asked(
    new_context: NewContext, leaked: Key, environ: dict[str, str]
) -> None:
    environ["CODESTRAL_API_KEY"] = leaked.reveal()
    context = new_context()
    states = []

    def verify(key: Key, base: str):
        states.append((dict(environ), context.read_index()))
        return Context().ask_api(key, base)

    context.ask_api = verify
    acted = act(context, "revoke", workspace="prod")
    ((seen_environ, contents),) = states
    assert leaked.reveal() not in seen_environ.values()
    assert "MISTRAL_NB_ACTIVE" not in seen_environ
    assert contents.workspaces == {}
    assert contents.remembered[leaked.fingerprint].state == COMPROMISED
    assert leaked.reveal() not in acted.shown


def test_it_exits_1_until_mistral_refuses_and_then_nothing_is_left(
    new_context: NewContext, sandbox: Sandbox, leaked: Key
) -> None:
    for _ in range(2):
        acted = act(new_context(), "revoke", workspace="prod")
        assert acted.report.exit_code == 1
        assert f"Mistral still accepts …{leaked.tail} until you delete it: https://console.mistral.ai/" in acted.shown
    sandbox.set_fault("503")
    assert act(new_context(), "revoke", workspace="prod").report.exit_code == 3
    sandbox.set_fault(None)
    sandbox.revoke(leaked)
    acted = act(new_context(), "revoke", workspace="prod")
    assert acted.report.exit_code == 0
    assert f"Mistral no longer accepts …{leaked.tail}" in acted.shown
    context = new_context()
    assert context.stores["file"].read_all() == {}
    assert context.read_index().remembered[leaked.fingerprint].state == COMPROMISED
    with pytest.raises(WrongUsage):
        act(new_context(), "revoke", workspace="prod")


def test_without_a_name_the_revoked_one_is_checked_again(
    new_context: NewContext, sandbox: Sandbox, leaked: Key
) -> None:
    act(new_context(), "revoke")
    sandbox.revoke(leaked)
    assert act(new_context(), "revoke").report.exit_code == 0


def test_a_key_in_no_workspace_is_revoked_from_the_environment(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    environ["MISTRAL_API_KEY"] = key.reveal()
    acted = act(new_context(), "revoke")
    assert "MISTRAL_API_KEY" not in environ
    assert acted.report.exit_code == 1
    assert new_context().read_index().remembered[key.fingerprint].state == COMPROMISED


def test_the_same_key_under_two_names_is_out_of_both(new_context: NewContext, leaked: Key) -> None:
    new_context().key_manager.keep("copy", leaked, store="file")
    act(new_context(), "revoke", workspace="prod")
    assert new_context().key_manager.workspaces() == {}


def test_a_stored_copy_that_one_in_memory_hides_is_out_of_use_too(
    new_context: NewContext, sandbox: Sandbox, leaked: Key
) -> None:
    context = new_context()
    with context.index.edit() as contents:
        stored = contents.workspaces.pop("prod")
    context.key_manager.keep("prod", leaked, {}, "memory")
    with context.index.edit() as contents:
        contents.workspaces["prod"] = stored  # as another process stores it now
    act(context, "revoke", workspace="prod")
    assert context.key_manager.workspaces() == {}


@pytest.mark.parametrize("meanwhile", ["renamed", "rotated"])
def test_a_concurrent_process_does_not_keep_the_leaked_key_in_use(
    meanwhile: str, new_context: NewContext, sandbox: Sandbox, leaked: Key
) -> None:
    new = sandbox.make_key("prod")

    class Late(KeyManager):
        def take_out_compromised(self, workspace: str, expected: str | None = None):
            if not others:
                others.append(new_context("cli"))
                if meanwhile == "renamed":
                    act(others[0], "edit", workspace="prod", rename="team")
                else:
                    act(others[0], "rotate", {"key": new, "expires": ""}, workspace="prod")
            return super().take_out_compromised(workspace, expected)

    others: list[Context] = []
    context = new_context("cli")
    context.__dict__["key_manager"] = Late(context.index, context.stores)
    acted = act(context, "revoke", workspace="prod")
    assert f"Mistral still accepts …{leaked.tail}" in acted.shown
    keeper = new_context("cli").key_manager
    assert [keeper.read(name) for name in keeper.workspaces()] == ([new] if meanwhile == "rotated" else [])
    (aside,) = keeper.retired_keys()
    assert (aside.fingerprint, aside.state) == (leaked.fingerprint, COMPROMISED)
    assert f"mistral-nb revoke {aside.former_workspace}" in acted.shown


def test_it_offers_to_add_a_new_key(
    new_context: NewContext, sandbox: Sandbox, leaked: Key, environ: dict[str, str]
) -> None:
    new = sandbox.make_key("prod")
    answers = {"new key": "yes", "key": new, "expires": "90d", "name": ""}
    acted = act(new_context(), "revoke", answers, workspace="prod")
    assert environ["MISTRAL_API_KEY"] == new.reveal()
    assert new_context().key_manager.read("prod") == new
    assert f"prod …{new.tail}" in acted.shown
    assert "If that was a mistake" not in acted.shown, "login would not offer it any more"
    assert acted.report.exit_code == 1  # the leaked one is still accepted
    sandbox.revoke(leaked)
    told = act(new_context(), "status").shown
    assert f"…{leaked.tail} may still be accepted" in told


def test_the_new_key_is_not_the_one_just_revoked(new_context: NewContext, sandbox: Sandbox, leaked: Key) -> None:
    new = sandbox.make_key("prod")
    answers = {"new key": "yes", "key": new, "take back": "yes"}
    acted = act(new_context("cli", interactive=True), "revoke", answers, workspace="prod")
    assert "take back" not in acted.person.names
    assert new_context().key_manager.read("prod") == new


def test_ctrl_c_after_the_new_key_says_where_it_is_kept(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ["MISTRAL_NB_STORE"] = "auto"
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    context, new = new_context(), sandbox.make_key("prod")
    context.key_manager.keep("prod", sandbox.make_key("prod"), {}, "memory")
    answers = {"new key": "yes", "key": new, "new passphrase": KeyboardInterrupt()}
    acted = act(context, "revoke", answers, workspace="prod")
    assert f"Cancelled; the key …{new.tail} is kept as prod" in acted.shown
    assert "No new key was saved" not in acted.shown
    assert "If that was a mistake" not in acted.shown


def test_a_refused_key_that_is_minutes_old_is_checked_again(new_context: NewContext, sandbox: Sandbox) -> None:
    young = sandbox.make_key("prod", waiting=True)
    act(new_context(), "login", {"key": young, "keep refused": "yes", "expires": "", "name": ""}, workspace="prod")
    acted = act(new_context(), "revoke", workspace="prod")
    assert acted.report.exit_code == 1
    assert "only minutes old" in acted.shown


def test_the_leaked_key_is_not_accepted_as_the_new_one(new_context: NewContext, sandbox: Sandbox, leaked: Key) -> None:
    act(new_context(), "revoke", workspace="prod")
    fresh = sandbox.make_key("prod")
    act(new_context(), "login", {"key": fresh, "expires": "", "name": ""}, workspace="prod")
    acted = act(
        new_context(), "rotate", {"key": [leaked, new := sandbox.make_key("prod")], "expires": ""}, workspace="prod"
    )
    assert any("was revoked here" in step for step in acted.steps)
    assert new_context().key_manager.read("prod") == new


def test_the_places_it_leaked_to_are_shown_with_cleanup_commands(
    new_context: NewContext, leaked: Key, environ: dict[str, str]
) -> None:
    folder = str(new_context().folder)
    top = os.path.dirname(folder)
    subprocess.run(["git", "init", "-q", top], check=True)
    _notebook(os.path.join(folder, "a b.ipynb"), leaked.reveal())
    _notebook(os.path.join(folder, ".ipynb_checkpoints", "a b-checkpoint.ipynb"), leaked.reveal())
    _notebook(os.path.join(folder, "clean.ipynb"), make_key().reveal())
    _write(os.path.join(top, "deploy.py"), f"key = '{leaked.reveal()}'")
    _write(os.path.join(folder, ".env"), f"MISTRAL_API_KEY={leaked.reveal()}")
    _history(environ, leaked.reveal())
    acted = act(new_context(), "revoke", workspace="prod")
    rows = {row.label: row for row in acted.report.rows}
    assert rows["this folder"].value == "1 file: a b.ipynb"
    assert rows["this folder"].repair == "!mistral-nb scrub 'a b.ipynb'"
    assert "a b-checkpoint.ipynb" in rows["checkpoints"].repair
    assert rows["settings"].value == "1 file: .env"
    assert "history.sqlite" in rows["IPython history"].value
    assert rows["the rest of the repository"].value == "1 file: ../deploy.py"
    assert "scan --git-history" in rows["git history"].repair
    assert "clean.ipynb" not in acted.shown
    assert leaked.reveal() not in acted.shown


def test_the_cleanup_commands_work(new_context: NewContext, leaked: Key, environ: dict[str, str]) -> None:
    file = _history(environ, leaked.reveal())
    acted = act(new_context("cli"), "revoke", workspace="prod", clean_history=True)
    rows = {row.label: row for row in acted.report.rows}
    assert rows["IPython history"].state == "ok"
    with open(file, "rb") as stream:
        assert leaked.reveal().encode() not in stream.read()


def test_a_place_without_the_key_is_reported_clean(new_context: NewContext, leaked: Key) -> None:
    acted = act(new_context(), "revoke", workspace="prod")
    assert {row.state for row in acted.report.rows} == {"ok"}


def test_the_search_ends_in_time(tmp_path, leaked: Key) -> None:
    _write(str(tmp_path / "a.txt"), leaked.reveal())
    assert leak_search.search_folder(str(tmp_path), leaked).files
    assert not leak_search.search_folder(str(tmp_path), leaked, seconds=-1).complete


def test_run_again_after_a_new_key_it_checks_the_revoked_one(
    new_context: NewContext, sandbox: Sandbox, leaked: Key
) -> None:
    told = act(new_context("cli"), "revoke", workspace="prod")
    assert "Then check again: mistral-nb revoke prod" in told.shown
    new = sandbox.make_key("prod")
    act(new_context("cli"), "login", {"key": new, "expires": ""}, workspace="prod")
    for answers in ({}, {"look again": "look"}):
        acted = act(new_context("cli"), "revoke", answers, workspace="prod")
        assert f"Mistral still accepts …{leaked.tail}" in acted.shown
        assert f"prod …{new.tail} is still in use" in acted.shown
        assert "If that was a mistake" not in acted.shown
    sandbox.revoke(leaked)
    assert act(new_context("cli"), "revoke", workspace="prod").report.exit_code == 0
    assert new_context().key_manager.read("prod") == new
    assert new_context().key_manager.retired_keys() == []


@pytest.mark.slow
def test_the_new_key_is_revoked_too_if_confirmed(
    new_context: NewContext, sandbox: Sandbox, leaked: Key, environ: dict[str, str]
) -> None:
    act(new_context(), "revoke", workspace="prod")
    new = sandbox.make_key("prod")
    act(new_context(), "login", {"key": new, "expires": ""}, workspace="prod")
    act(new_context(), "revoke", {"look again": "revoke"})
    assert new_context().key_manager.workspaces() == {}
    assert "MISTRAL_API_KEY" not in environ
    acted = act(new_context(), "revoke", workspace="prod")  # both wait now, and both are looked at
    assert all(f"Mistral still accepts …{key.tail}" in acted.shown for key in (leaked, new))
    sandbox.revoke(leaked)
    acted = act(new_context(), "revoke", workspace="prod")
    assert acted.report.exit_code == 1
    assert f"Mistral no longer accepts …{leaked.tail}" in acted.shown
    assert [aside.tail for aside in new_context().key_manager.retired_keys()] == [new.tail]


def test_a_key_only_in_the_environment_is_never_taken_for_a_stored_one(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str], leaked: Key
) -> None:
    environ["MISTRAL_API_KEY"] = sandbox.make_key().reveal()
    acted = act(new_context(), "revoke")
    assert "look again" not in acted.shown
    with pytest.raises(CannotAsk, match="revoke WORKSPACE"):
        act(new_context(), "revoke")
    assert new_context().key_manager.read("prod") == leaked
    act(new_context(), "revoke", {"workspace": "prod"})
    assert new_context().key_manager.workspaces() == {}


def test_a_stored_key_set_by_someone_else_is_removed_from_both(
    new_context: NewContext, leaked: Key, environ: dict[str, str]
) -> None:
    del environ["MISTRAL_NB_ACTIVE"]
    assert environ["MISTRAL_API_KEY"] == leaked.reveal()
    act(new_context(), "revoke")
    assert "MISTRAL_API_KEY" not in environ
    assert new_context().key_manager.workspaces() == {}


@pytest.mark.parametrize("variable", ["LLM_MISTRAL_KEY", "CODESTRAL_API_KEY", "MISTRAL_API_KEY"])
def test_it_is_removed_from_every_variable(
    variable: str, new_context: NewContext, sandbox: Sandbox, leaked: Key, environ: dict[str, str]
) -> None:
    act(new_context(), "login", {"key": sandbox.make_key("dev"), "expires": ""}, workspace="dev")
    environ[variable] = leaked.reveal()
    act(new_context(), "revoke", workspace="prod")
    assert leaked.reveal() not in environ.values()
    environ[variable] = leaked.reveal()
    act(new_context(), "revoke", workspace="prod")  # again
    assert leaked.reveal() not in environ.values()


@pytest.mark.parametrize(("answers", "kept_one"), [({}, False), ({"which leaked": "kept"}, True)])
def test_a_process_with_the_old_key_of_a_rotation_asks_which(
    answers: dict[str, str],
    kept_one: bool,
    new_context: NewContext,
    sandbox: Sandbox,
    leaked: Key,
    environ: dict[str, str],
) -> None:
    new = sandbox.make_key("prod")
    act(new_context(environ=dict(environ)), "rotate", {"key": new, "expires": ""}, workspace="prod")
    acted = act(new_context(), "revoke", answers)
    question = acted.person.asked[0].question
    assert f"This process uses …{leaked.tail}, but prod …{new.tail} is stored now" in question
    assert ("prod" not in new_context().key_manager.workspaces()) == kept_one
    assert ("MISTRAL_API_KEY" in environ) == kept_one
    if kept_one:
        assert f"This process uses another key of prod, …{leaked.tail}; it was not removed." in acted.steps
        return
    assert new_context().read_index().remembered[leaked.fingerprint].state == COMPROMISED
    assert "Then check again: %mistral_key revoke prod" in acted.shown
    sandbox.revoke(leaked)
    assert act(new_context(), "revoke").report.exit_code == 0
    assert new_context().key_manager.read("prod") == new


def test_a_key_of_this_process_that_is_no_longer_stored_is_removed(
    new_context: NewContext, leaked: Key, environ: dict[str, str]
) -> None:
    act(new_context(environ=dict(environ)), "logout", workspace="prod", yes=True)
    act(new_context(), "revoke", workspace="prod")
    assert "MISTRAL_API_KEY" not in environ


@pytest.mark.parametrize("first", ["prod", "copy"])
def test_under_two_names_either_checks_again(
    first: str, new_context: NewContext, sandbox: Sandbox, leaked: Key
) -> None:
    new_context().key_manager.keep("copy", leaked, store="file")
    acted = act(new_context(), "revoke", workspace=first)
    assert f"Then check again: %mistral_key revoke {first}" in acted.shown
    for name in ("prod", "copy"):
        assert act(new_context(), "revoke", workspace=name).report.exit_code == 1
    sandbox.revoke(leaked)
    assert act(new_context(), "revoke", workspace=first).report.exit_code == 0
    assert new_context().key_manager.retired_keys() == []
    assert new_context().stores["file"].read_all() == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled("Cancelled at the prompt; nothing was changed.")])
def test_ctrl_c_at_the_last_question_reports_the_key_as_revoked(
    stop: BaseException, new_context: NewContext, leaked: Key
) -> None:
    with pytest.raises(Cancelled, match=f"…{leaked.tail} is out of use anyway. Then check again") as caught:
        act(new_context(), "revoke", {"new key": stop}, workspace="prod")
    assert "nothing was changed" not in str(caught.value)


def test_a_pending_key_that_leaked_is_never_used(
    new_context: NewContext, sandbox: Sandbox, leaked: Key, environ: dict[str, str]
) -> None:
    new = sandbox.make_key("prod", waiting=True)
    act(new_context("cli"), "rotate", {"key": new}, workspace="prod")
    environ["MISTRAL_API_KEY"] = new.reveal()
    acted = act(new_context(), "revoke")
    assert f"…{new.tail} was the pending key of prod; it is no longer pending." in acted.steps
    assert new_context().key_manager.pending_keys() == {}
    assert new_context().key_manager.read("prod") == leaked


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def _notebook(path: str, text: str) -> None:
    cell = {"cell_type": "code", "source": [f"key = '{text}'\n"], "outputs": [], "metadata": {}, "execution_count": 1}
    _write(path, json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def _history(environ: dict[str, str], text: str) -> str:
    """A database as IPython makes it."""
    folder = os.path.join(environ["IPYTHONDIR"], "profile_default")
    os.makedirs(folder, exist_ok=True)
    file = os.path.join(folder, "history.sqlite")
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE history (session integer, line integer, source text, source_raw text)")
        database.execute("CREATE TABLE output_history (session integer, line integer, output text)")
        database.execute("INSERT INTO history VALUES (1, 1, ?, ?)", (text, text))
    database.close()
    return file


def test_a_key_that_no_variable_held_is_not_called_removed_from_the_environment(
    new_context: NewContext, leaked: Key, environ: dict[str, str]
) -> None:
    for name in ("MISTRAL_API_KEY", "MISTRAL_NB_ACTIVE"):
        environ.pop(name, None)
    shown = act(new_context("cli"), "revoke", workspace="prod").shown
    assert f"prod …{leaked.tail} was removed from its workspace and marked as compromised." in shown


def test_it_asks_first_and_a_no_changes_nothing(new_context: NewContext, leaked: Key, environ: dict[str, str]) -> None:
    before = new_context().read_index()
    with pytest.raises(Cancelled, match="Nothing was revoked"):
        act(new_context(), "revoke", {"revoke": "no"}, workspace="prod")
    unattended = {"revoke": CannotAsk("Cannot prompt here.")}
    with pytest.raises(CannotAsk, match=r"--yes\.$"):
        act(new_context(), "revoke", unattended, workspace="prod")
    environ[ADMIN_VARIABLE] = make_key().reveal()
    with pytest.raises(CannotAsk, match="--yes, with --manual to leave it at Mistral"):
        act(new_context(), "revoke", unattended, workspace="prod")
    del environ[ADMIN_VARIABLE]
    assert new_context().read_index() == before
    assert environ["MISTRAL_API_KEY"] == leaked.reveal()
    acted = act(new_context(), "revoke", {"revoke": "no"}, workspace="prod", yes=True)
    assert "revoke" not in acted.person.names
    assert new_context().key_manager.workspaces() == {}


def test_a_key_revoked_by_mistake_is_taken_back_by_login(new_context: NewContext, leaked: Key) -> None:
    shown = act(new_context("cli"), "revoke", {"revoke": "yes"}, workspace="prod").shown
    assert "If that was a mistake: mistral-nb login prod offers to take it back." in shown
    act(new_context("cli", interactive=True), "login", {"take back": "yes", "expires": ""}, workspace="prod")
    context = new_context("cli")
    assert context.key_manager.read("prod") == leaked
    assert context.key_manager.retired_keys() == []
    assert context.read_index().remembered[leaked.fingerprint].state == LIVE


def test_taken_back_into_memory_it_stays_stored(new_context: NewContext, leaked: Key, environ: dict[str, str]) -> None:
    act(new_context("cli"), "revoke", {"revoke": "yes"}, workspace="prod")
    environ["MISTRAL_NB_STORE"] = "memory"
    acted = act(new_context(interactive=True), "login", {"take back": "yes"}, workspace="prod")
    assert "in memory only" in acted.shown
    context = new_context()  # a new process
    [copy] = context.key_manager.retired_keys()
    assert context.key_manager.read_retired(copy) == leaked
    assert context.read_index().remembered[leaked.fingerprint].state == LIVE
    [row] = [row for row in key_report.attention_rows(context) if row.label == "revoked: prod"]
    assert "was taken back into use, in memory only" in row.value
    assert row.repair == "%mistral_key login prod"


def test_ctrl_c_where_no_store_is_open_leaves_it_revoked_and_stored(
    new_context: NewContext, leaked: Key, environ: dict[str, str]
) -> None:
    act(new_context("cli"), "revoke", {"revoke": "yes"}, workspace="prod")
    environ["MISTRAL_NB_STORE"] = "memory"
    answers = {"take back": "yes", "try again": KeyboardInterrupt()}
    with pytest.raises(Cancelled, match="is not kept: no store is open here"):
        act(new_context("cli", interactive=True), "login", answers, workspace="prod")
    context = new_context("cli")
    [copy] = context.key_manager.retired_keys()
    assert context.key_manager.read_retired(copy) == leaked
    assert context.read_index().remembered[leaked.fingerprint].state == COMPROMISED


def test_what_is_not_taken_back_stays_revoked(new_context: NewContext, sandbox: Sandbox, leaked: Key) -> None:
    act(new_context("cli"), "revoke", {"revoke": "yes"}, workspace="prod")
    new = sandbox.make_key("prod")
    answers = {"take back": "no", "key": new, "expires": ""}
    act(new_context("cli", interactive=True), "login", answers, workspace="prod")
    context = new_context("cli")
    assert context.key_manager.read("prod") == new
    assert [aside.fingerprint for aside in context.key_manager.retired_keys()] == [leaked.fingerprint]
    assert context.read_index().remembered[leaked.fingerprint].state == COMPROMISED
