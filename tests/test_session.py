"""The process's environment as state: what is ours is told by its fingerprint alone."""

from keys import make_key

from mistral_nb import session
from mistral_nb.errors import IndexNotWritten
from mistral_nb.key import Key
from mistral_nb.store.index import Index


def test_what_we_set_is_ours_here_and_in_children() -> None:
    env: dict[str, str] = {}
    key = make_key()
    session.activate(key, "dev", "the keyring", env)
    active = session.active(dict(env))
    assert active == session.Active(key, "dev", ours=True, origin="the keyring")


def test_a_variable_changed_since_is_not_ours() -> None:
    env: dict[str, str] = {}
    session.activate(make_key(), "dev", "the keyring", env)
    env["MISTRAL_API_KEY"] = make_key().reveal()
    active = session.active(env)
    assert active
    assert not active.ours
    assert active.workspace is None


def test_deactivating_leaves_no_trace_in_the_environment() -> None:
    env = {"OTHER": "1"}
    session.activate(make_key(), "dev", "the keyring", env)
    session.deactivate(env)
    assert env == {"OTHER": "1"}


def test_subscribers_are_told_until_they_end_it() -> None:
    heard: list[str] = []
    end = session.on_change(lambda change: heard.append(change.kind))
    env: dict[str, str] = {}
    session.activate(make_key(), "dev", "x", env)
    session.deactivate(env)
    end()
    end()
    session.activate(make_key(), "dev", "x", env)
    assert heard == ["activated", "deactivated"]


def test_an_index_that_cant_be_written_does_not_stop_a_key_and_is_said(tmp_path) -> None:
    class Full(Index):
        def remember(self, key: Key, state: str = "live") -> None:
            raise IndexNotWritten("The index is full.", "Make room.")

    key = make_key()
    session.enter(key, Full(str(tmp_path)))
    assert session.unremembered() == ("The index is full. Make room.",)
    session.enter(key, Index(str(tmp_path)))
    assert session.unremembered() == ()
