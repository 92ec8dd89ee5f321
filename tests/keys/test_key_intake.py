"""Obtaining and storing a key: typing mistakes, stores that fail, concurrent processes."""

import os
from collections.abc import Callable

import pytest

from mistral_nb.api_key import Key
from mistral_nb.command_context import Context
from mistral_nb.errors import CannotAsk, MistralNbError, NotAKey, PassphraseNeeded, WrongPassphrase, WrongUsage
from mistral_nb.sandbox.sandbox import Sandbox
from mistral_nb.storage.index import Index
from mistral_nb.storage.key_manager import KeyManager
from support.commands import PASSPHRASE, act
from support.fickle_store import Fickle
from support.key_traces import traces
from support.keys import make_key

NewContext = Callable[..., Context]


def test_a_key_pasted_as_a_name_is_refused(new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]) -> None:
    key = sandbox.make_key()
    acted = act(new_context(has_form=True), "switch", {"key": key, "workspace": [key.reveal(), "dev"]})
    assert key.reveal() not in acted.shown
    assert list(new_context().key_manager.workspaces()) == ["dev"]
    assert key.reveal() not in _index_text(environ)
    with pytest.raises(WrongUsage) as caught:
        act(new_context(), "switch", workspace=key.reveal())
    assert key.reveal() not in str(caught.value)


@pytest.mark.parametrize("pasted", ["{}", "my key {} here"])
def test_a_key_pasted_as_the_keys_name_is_refused_and_asked_for_again(
    pasted: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key, other = sandbox.make_key(), make_key()
    names = [pasted.format(other.reveal()), pasted.format(key.reveal()), "laptop"]
    typed = {"names": "".join(names).encode()}
    answers = {"key": key, "expires": "", "name": names}
    acted = act(new_context(has_form=True), "login", answers, workspace="dev")
    assert acted.person.names.count("name") == 3
    assert "looks like a key, not a name" in acted.shown
    assert new_context().key_manager.workspaces()["dev"].name == "laptop"
    for each in (key, other):
        assert traces(each.reveal(), {"index": _index_text(environ).encode(), "shown": acted.shown.encode()}) == []
        assert traces(each.reveal(), typed) == ["names"]


@pytest.mark.parametrize("command", ["login", "rotate"])
def test_a_key_given_as_the_keys_name_is_refused(
    command: str, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    act(new_context(), "login", {"key": key, "expires": ""}, workspace="dev")
    with pytest.raises(WrongUsage, match="looks like a key") as caught:
        act(new_context(), command, {}, workspace="dev", key_name=key.reveal())
    places = {"index": _index_text(environ).encode(), "error": str(caught.value).encode()}
    assert traces(key.reveal(), places) == []


def test_a_key_stored_by_another_process_meanwhile_needs_confirmation(
    new_context: NewContext, sandbox: Sandbox
) -> None:
    ours, theirs = sandbox.make_key(), sandbox.make_key()

    def someone_is_faster(ask: object) -> str:
        act(new_context("cli"), "login", {"key": theirs}, workspace="dev", expires="never")
        return ""

    answers = {"key": ours, "expires": someone_is_faster, "replace": "yes"}
    acted = act(new_context(has_form=True), "login", answers, workspace="dev")
    assert acted.person.names == ["key", "expires", "name", "replace"]
    assert theirs.tail in acted.person.asked[-1].question


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("other", "other"),
        ("", "dev-2"),
        ("no", "dev-2"),
        (["verify", "other"], "other"),
        (["dev", "other"], "other"),
        (["dev", "dev", "dev"], "dev-2"),
    ],
)
def test_in_place_of_replacing_the_new_key_gets_another_name_by_the_same_question(
    answer: str | list[str], name: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    old, new = sandbox.make_key(), sandbox.make_key()
    act(new_context("cli"), "login", {"key": old}, workspace="dev")
    acted = act(new_context("cli"), "login", {"key": new, "replace": answer}, workspace="dev")
    keeper = new_context().key_manager
    assert (keeper.read("dev"), keeper.read(name)) == (old, new)
    question = acted.person.asked[1].question
    assert old.tail in question and new.tail in question and "dev-2" in question


def test_in_a_form_declining_to_replace_asks_for_another_name(new_context: NewContext, sandbox: Sandbox) -> None:
    old, new = sandbox.make_key(), sandbox.make_key()
    act(new_context(), "login", {"key": old, "expires": ""}, workspace="dev")
    answers = {"key": new, "replace": "no", "workspace": "other", "expires": ""}
    act(new_context(has_form=True), "login", answers, workspace="dev")
    keeper = new_context().key_manager
    assert (keeper.read("dev"), keeper.read("other")) == (old, new)


@pytest.mark.parametrize("names", [["dev", "other"], ["dev", "dev", "dev"]])
def test_in_a_form_the_same_name_again_is_not_a_yes(
    names: list[str], new_context: NewContext, sandbox: Sandbox
) -> None:
    old, new = sandbox.make_key(), sandbox.make_key()
    act(new_context("cli"), "login", {"key": old}, workspace="dev")
    answers = {"key": new, "replace": "no", "workspace": list(names)}
    if "other" in names:
        acted = act(new_context(has_form=True), "login", answers, workspace="dev")
        assert "Workspace dev holds another key." in acted.shown
        assert new_context().key_manager.read("other") == new
    else:
        with pytest.raises(WrongUsage, match="was not changed"):
            act(new_context(has_form=True), "login", answers, workspace="dev")
    assert new_context().key_manager.read("dev") == old


def test_every_yes_to_trying_again_is_one_more_try(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key, asked = sandbox.make_key(), []
    file, there = environ["MISTRAL_NB_PASSPHRASE_FILE"], environ["MISTRAL_NB_PASSPHRASE_FILE"] + ".away"
    os.rename(file, there)

    def mend_at_the_fourth(ask: object) -> str:
        asked.append(ask)
        if len(asked) == 4:
            os.rename(there, file)
        return "yes"

    act(new_context("cli"), "login", {"key": key, "try again": mend_at_the_fourth}, workspace="dev")
    assert len(asked) == 4
    assert new_context().key_manager.read("dev") == key


def test_a_faster_process_is_not_taken_for_a_keyring_that_fails(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ["MISTRAL_NB_STORE"] = "auto"
    ours, theirs = sandbox.make_key(), sandbox.make_key()
    context = new_context("cli", interactive=True)

    class Raced(Fickle):
        """While it is asked whether it works, another process stores a key."""

        def unavailable_reason(self):
            if not self.items:
                KeyManager(context.index, context.stores).keep("dev", theirs, {}, "keyring")

    context.__dict__["stores"] = {**context.stores, "keyring": Raced()}
    acted = act(context, "login", {"key": ours, "replace": "other"}, workspace="dev")
    assert acted.person.names == ["key", "replace"]
    assert (context.key_manager.read("dev"), context.key_manager.read("other")) == (theirs, ours)


@pytest.mark.parametrize("mended", [True, False])
def test_on_the_command_line_a_store_that_failed_is_tried_again_with_the_same_key(
    mended: bool, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    key = sandbox.make_key()
    file, there = environ["MISTRAL_NB_PASSPHRASE_FILE"], environ["MISTRAL_NB_PASSPHRASE_FILE"] + ".away"
    os.rename(file, there)

    def mend(ask: object) -> str:
        if mended:
            os.rename(there, file)
        return "yes" if mended else "no"

    answers = {"key": [key], "expires": "", "try again": mend}
    if mended:
        act(new_context("cli"), "login", answers, workspace="dev")
        assert new_context().key_manager.read("dev") == key
    else:
        with pytest.raises(PassphraseNeeded, match="passphrase"):
            act(new_context("cli"), "login", answers, workspace="dev")


def test_on_the_command_line_memory_is_not_offered(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    environ |= {"MISTRAL_NB_STORE": "auto", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    del environ["MISTRAL_NB_PASSPHRASE_FILE"]
    answers = {"key": sandbox.make_key(), "expires": "", "new passphrase": "", "try again": "no"}
    with pytest.raises(MistralNbError, match="passphrase"):
        act(new_context("cli"), "login", answers, workspace="dev")
    environ["MISTRAL_NB_STORE"] = "memory"
    with pytest.raises(MistralNbError, match="ends with this command"):
        act(new_context("cli"), "login", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")


@pytest.mark.parametrize(("tries", "opens"), [(1, True), (2, True), (3, True), (4, False)])
def test_without_a_keyring_the_encrypted_file_that_is_there_asks_its_passphrase_three_times(
    tries: int, opens: bool, new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    old, new = sandbox.make_key(), sandbox.make_key()
    act(new_context("cli"), "login", {"key": old, "expires": ""}, workspace="old")
    before = environ.pop("MISTRAL_NB_PASSPHRASE_FILE")
    environ |= {"MISTRAL_NB_STORE": "auto", "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    answers = {
        "key": new,
        "expires": "",
        "new passphrase": [*["a wrong one"] * (tries - 1), PASSPHRASE],
        "try again": "no",
    }
    context = new_context("cli", interactive=True)
    if opens:
        acted = act(context, "login", answers, workspace="dev")
        assert acted.person.names.count("new passphrase") == tries
        assert "passphrase again" not in acted.person.names
        assert acted.shown.count("Wrong passphrase") == tries - 1
        asked = next(ask for ask in acted.person.asked if ask.name == "new passphrase")
        assert asked.question.startswith("Passphrase of the encrypted file")
    else:
        with pytest.raises(WrongPassphrase, match="Wrong passphrase, 3 times. If it is forgotten, .*new ones"):
            act(context, "login", answers, workspace="dev")
    environ |= {"MISTRAL_NB_STORE": "file", "MISTRAL_NB_PASSPHRASE_FILE": before}
    keeper = new_context().key_manager
    assert keeper.read("old") == old
    assert sorted(keeper.workspaces()) == (["dev", "old"] if opens else ["old"])


def test_a_wrong_piped_value_is_reported_as_such(new_context: NewContext) -> None:
    said = ["not a key", CannotAsk("Cannot prompt.")]
    with pytest.raises(NotAKey):
        act(new_context("cli"), "login", {"key": said}, workspace="dev")


def test_an_unknown_workspace_is_named_in_the_error(new_context: NewContext) -> None:
    with pytest.raises(CannotAsk, match=r"named nope.*mistral-nb login nope"):
        act(new_context("cli"), "login", workspace="nope")


def test_a_damaged_index_does_not_stop_a_person(
    new_context: NewContext, environ: dict[str, str], sandbox: Sandbox
) -> None:
    key = sandbox.make_key()
    os.makedirs(environ["MISTRAL_NB_HOME"])
    path = Index(environ["MISTRAL_NB_HOME"]).path
    with open(path, "w") as file:
        file.write("{")
    assert "damaged" in act(new_context(), "status").shown
    acted = act(new_context(), "switch", {"key": key}, workspace="dev")
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert "damaged" in acted.shown
    assert _index_text(environ) == "{"


def store_in_another_process(context: Context, workspace: str, key: Key) -> None:
    """A process with a memory of its own."""
    KeyManager(context.index, {"file": context.stores["file"]}).keep(workspace, key, {}, "file")


def test_deleting_a_key_in_memory_leaves_the_stored_key_of_that_name(new_context: NewContext, sandbox: Sandbox) -> None:
    stored, typed = sandbox.make_key(), sandbox.make_key()
    context = new_context()
    context.key_manager.keep("dev", typed, {}, "memory")
    store_in_another_process(context, "dev", stored)
    acted = act(context, "logout", {"logout": "yes"}, workspace="dev")
    assert typed.tail in acted.shown
    assert context.key_manager.read("dev") == stored


@pytest.mark.parametrize("again", ["the same key", "another"])
@pytest.mark.parametrize("stored", ["nothing stored", "another stored"])
def test_a_key_that_only_memory_took_can_be_added_to_the_store_later(
    again: str, stored: str, new_context: NewContext, sandbox: Sandbox
) -> None:
    typed = sandbox.make_key()
    new = typed if again == "the same key" else sandbox.make_key()
    context = new_context()
    context.key_manager.keep("dev", typed, {}, "memory")
    if stored == "another stored":
        store_in_another_process(context, "dev", sandbox.make_key())
    acted = act(context, "login", {"key": new, "expires": "", "replace": ["yes", "yes"]}, workspace="dev")
    assert acted.person.names.count("replace") == (new != typed) + (stored == "another stored")
    assert new_context().key_manager.read("dev") == new


def test_a_stored_key_that_one_in_memory_hides_is_asked_about_too(new_context: NewContext, sandbox: Sandbox) -> None:
    stored, typed = sandbox.make_key(), sandbox.make_key()
    context = new_context()
    context.key_manager.keep("dev", typed, {}, "memory")
    store_in_another_process(context, "dev", stored)
    key = sandbox.make_key()
    acted = act(context, "login", {"key": key, "replace": ["yes", "no"]}, workspace="dev")
    assert [typed.tail in acted.person.asked[1].question, stored.tail in acted.person.asked[2].question] == [True] * 2
    assert (new_context().key_manager.read("dev"), new_context().key_manager.read("dev-2")) == (stored, key)


def test_forgetting_with_a_wrong_passphrase_changes_nothing(
    new_context: NewContext, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    act(new_context("cli"), "login", {"key": sandbox.make_key(), "expires": ""}, workspace="dev")
    with open(environ["MISTRAL_NB_PASSPHRASE_FILE"], "w") as file:
        file.write("another passphrase")
    with pytest.raises(WrongPassphrase):
        act(new_context("cli"), "logout", workspace="dev", yes=True)
    assert list(new_context().key_manager.workspaces()) == ["dev"]
    assert new_context().read_index().pending_deletions == []


def test_quotes_in_the_variable_are_removed_and_reported(new_context: NewContext, environ: dict[str, str]) -> None:
    key = make_key()
    environ["MISTRAL_API_KEY"] = f'"{key.reveal()}"\n'
    acted = act(new_context(), "switch")
    assert environ["MISTRAL_API_KEY"] == key.reveal()
    assert "quotes" in acted.shown


def test_verify_checks_the_key_in_use_not_the_one_stored_since(new_context: NewContext, sandbox: Sandbox) -> None:
    old, newer = sandbox.make_key(), sandbox.make_key()
    act(new_context(), "login", {"key": old, "expires": ""}, workspace="dev")
    act(new_context("cli"), "login", {"key": newer, "expires": ""}, workspace="dev", yes=True)
    sandbox.revoke(old)
    acted = act(new_context(), "verify")
    assert acted.report.exit_code == 1
    assert old.tail in acted.shown


@pytest.mark.slow
def test_a_key_file_that_is_a_pipe_without_a_writer_does_not_hang(
    new_context: NewContext, environ: dict[str, str]
) -> None:
    path = os.path.join(environ["HOME"], "pipe")
    os.mkfifo(path)
    environ["MISTRAL_API_KEY_FILE"] = path
    with pytest.raises(MistralNbError, match="within 3 seconds"):
        act(new_context(), "switch")


def _index_text(environ: dict[str, str]) -> str:
    with open(Index(environ["MISTRAL_NB_HOME"]).path) as file:
        return file.read()


def test_a_key_from_a_cell_is_offered_first(new_context, sandbox, monkeypatch):
    from mistral_nb.guard import cell_keys

    key = sandbox.make_key()
    monkeypatch.setattr(cell_keys, "_cell_keys", [key])
    context = new_context("magic", interactive=True)
    acted = act(context, "login", {"from a cell": "yes"}, workspace="dev", expires="never", yes=True)
    assert acted.person.names[0] == "from a cell"
    assert key.reveal() not in acted.person.asked[0].question
    assert context.key_manager.workspaces()["dev"].fingerprint == key.fingerprint
    again = new_context("magic", interactive=True)
    acted = act(again, "login", {"key": sandbox.make_key()}, workspace="b", expires="never")
    assert "from a cell" not in acted.person.names


@pytest.mark.parametrize(("wished", "said"), [("prod", True), ("team-research", False), (None, False)])
def test_a_key_of_another_workspace_than_the_named_one_is_reported(
    wished: str | None, said: bool, new_context: NewContext, sandbox: Sandbox
) -> None:
    key = sandbox.make_key(workspace="Team Research")
    acted = act(new_context(), "login", {"key": key, "workspace": "dev", "expires": ""}, workspace=wished)
    assert ("The API accepts the key. At Mistral it belongs to workspace Team Research." in acted.steps) is said


def test_a_workspace_without_a_key_is_reported_before_asking_for_one(new_context: NewContext, sandbox: Sandbox) -> None:
    answers = {"key": sandbox.make_key(), "expires": ""}
    assert "No key is stored" not in act(new_context(interactive=True), "switch", answers, workspace="dev").shown
    acted = act(new_context(interactive=True), "switch", answers | {"key": sandbox.make_key()}, workspace="prdo")
    assert acted.steps[0] == "No key is stored for prdo; there is one for dev."
