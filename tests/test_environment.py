"""The process's environment as state: our key is recognised by its fingerprint only."""

import pytest

from mistral_nb import environment
from mistral_nb.api_key import MARKER, Key
from mistral_nb.errors import IndexNotWritten
from mistral_nb.storage.index import COMPROMISED, Index, Workspace
from support.keys import make_key, make_text


def test_a_key_we_set_is_ours_here_and_in_children() -> None:
    env: dict[str, str] = {}
    key = make_key()
    environment.activate(key, "dev", "the keyring", env)
    active = environment.active_key(dict(env))
    assert active == environment.ActiveKey(key, "dev", is_ours=True, origin="the keyring")


def test_a_variable_changed_since_is_not_ours() -> None:
    env: dict[str, str] = {}
    environment.activate(make_key(), "dev", "the keyring", env)
    env["MISTRAL_API_KEY"] = make_key().reveal()
    active = environment.active_key(env)
    assert active
    assert not active.is_ours
    assert active.workspace is None


def test_deactivating_leaves_no_trace_in_the_environment() -> None:
    env = {"OTHER": "1"}
    environment.activate(make_key(), "dev", "the keyring", env)
    environment.deactivate(env)
    assert env == {"OTHER": "1"}


def test_subscribers_are_notified_until_they_unsubscribe() -> None:
    heard: list[str] = []
    end = environment.on_secret_event(lambda change: heard.append(change.kind))
    env: dict[str, str] = {}
    environment.activate(make_key(), "dev", "x", env)
    environment.deactivate(env)
    end()
    end()
    environment.activate(make_key(), "dev", "x", env)
    assert heard == ["activated", "deactivated"]


def test_an_unwritable_index_does_not_stop_a_key_and_is_reported(tmp_path) -> None:
    class Full(Index):
        def remember(self, key: Key, state: str = "live") -> None:
            raise IndexNotWritten("The index is full.", "Make room.")

    key = make_key()
    environment.register_key(key, Full(str(tmp_path)))
    assert environment.remember_problems() == ("The index is full. Make room.",)
    environment.register_key(key, Index(str(tmp_path)))
    assert environment.remember_problems() == ()


def test_what_does_not_look_like_a_key_is_remembered_once_it_is_confirmed(tmp_path) -> None:
    index, odd = Index(str(tmp_path)), Key(f"test-key-{make_text()}")
    environment.register_key(odd, index)
    assert odd in environment.known_secrets()
    assert odd.fingerprint not in index.read().remembered
    environment.register_key(odd, index, confirmed=True)
    assert odd.fingerprint in index.read().remembered
    leaked = Key(f"test-key-{make_text()}")
    environment.register_key(leaked, index, COMPROMISED)
    assert index.read().remembered[leaked.fingerprint].state == COMPROMISED


def test_the_keys_in_the_variables_are_registered_together(tmp_path) -> None:
    index, keys = Index(str(tmp_path)), [make_key() for _ in range(4)]
    names = ("MISTRAL_API_KEY", "MISTRAL_ADMIN_API_KEY", "CODESTRAL_API_KEY", "LLM_MISTRAL_KEY")
    others = {"OPENAI_API_KEY": make_text(), "MISTRAL_API_KEY_FILE": make_text(), "MISTRAL_NB_HOME": str(tmp_path)}
    environment.register_variables(others | {n: key.reveal() for n, key in zip(names, keys, strict=True)})
    assert set(index.read().remembered) == {key.fingerprint for key in keys}


def stored(**keys: Key) -> dict[str, Workspace]:
    return {name: Workspace("file", "current", key.fingerprint, key.tail) for name, key in keys.items()}


def test_a_key_that_others_set_is_the_one_of_the_workspace_that_keeps_it() -> None:
    key = make_key()
    active = environment.active_key({"MISTRAL_API_KEY": key.reveal()}, stored(dev=make_key(), prod=key))
    assert active
    assert (active.workspace, active.is_ours, active.origin) == ("prod", False, "the environment")


@pytest.mark.parametrize(
    ("marked", "kept", "expected"),
    [
        ("dev", ["dev", "prod"], "dev"),
        ("dev", ["prod"], "prod"),
        ("dev", [], "dev"),
        ("", ["prod"], "prod"),
        ("", [], None),
    ],
)
def test_the_fingerprint_outranks_the_name_that_it_was_set_for(
    marked: str, kept: list[str], expected: str | None
) -> None:
    env: dict[str, str] = {}
    key = make_key()
    environment.activate(key, marked or None, "the keyring", env)
    active = environment.active_key(env, stored(other=make_key(), **dict.fromkeys(kept, key)))
    assert active
    assert active.workspace == expected
    assert active.is_ours
    assert environment.marked_workspace(env) == marked


def test_a_key_that_a_parent_set_is_ours_and_comes_from_there() -> None:
    key = make_key()
    env = {"MISTRAL_API_KEY": key.reveal(), "MISTRAL_NB_ACTIVE": f"dev:{key.fingerprint}"}
    active = environment.active_key(env, stored(dev=key))
    assert active == environment.ActiveKey(key, "dev", is_ours=True, origin="the parent process")


def test_a_key_set_since_is_not_marked() -> None:
    env: dict[str, str] = {}
    environment.activate(make_key(), "dev", "the keyring", env)
    env["MISTRAL_API_KEY"] = make_key().reveal()
    assert environment.marked_workspace(env) is None


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, ""),
        (MARKER, "contains the marker"),
        (f"Bearer {MARKER}", "contains the marker"),
        ("", "is empty"),
        ("your_api_key", "contains a placeholder"),
        ("ä" * 32, "not a key"),
    ],
)
def test_what_stands_in_place_of_a_key_is_named(value: str | None, sentence: str) -> None:
    env = {} if value is None else {"MISTRAL_API_KEY": value}
    said = environment.no_key_sentence(env)
    assert sentence in said
    assert said == "" or said.endswith(("not a key.", "is empty."))
    assert environment.no_key_sentence({"MISTRAL_API_KEY": make_key().reveal()}) == ""
