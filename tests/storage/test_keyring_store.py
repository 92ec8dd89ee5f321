"""The keyring store on a real gnome-keyring: in order, locked, unanswered, frozen, not made yet."""

import contextlib
import json
import os
import signal
import sys

import pytest

from support.desktops import desktop, screen
from support.keys import for_child
from support.patience import PATIENCE, wait_for
from support.processes import started

LIMIT = 3.0
SLACK = 20 * PATIENCE  # a busy machine; what hangs takes longer

CALL = """
    import json, sys, time
    from support.keys import make_key
    from mistral_nb.errors import StoreError
    from mistral_nb.storage import keyring_store
    from mistral_nb.storage.keyring_store import KeyringStore

    what, frozen, *rest = sys.argv[1:]
    if frozen != "frozen":  # it answers: on a busy machine that takes longer than a person should wait
        keyring_store.PROBE_SECONDS = keyring_store._DIAGNOSIS_SECONDS = 50.0
    said = []
    store = KeyringStore(float(rest[0]) if rest else 50.0, said.append)
    start = time.monotonic()
    try:
        if what == "get":
            found = store.get("prod", "current")
            answer = ["found", found.fingerprint if found else ""]
        elif what == "put":
            key = make_key()
            store.put("prod", "current", key)
            answer = ["kept", key.fingerprint]
        elif what == "delete":
            store.delete("prod", "current")
            answer = ["deleted", ""]
        else:
            problem = store.unavailable_reason()
            answer = [type(problem).__name__, problem.failed] if problem else ["works", ""]
    except StoreError as error:
        assert error.todo.endswith("."), error.todo
        answer = [type(error).__name__, error.failed]
    print(json.dumps([*answer, time.monotonic() - start, said]))
"""


def call(session, what, *rest, frozen=False, **environ):
    """[outcome, sentence or fingerprint, seconds, what was said meanwhile]"""
    return json.loads(session.python(CALL, what, "frozen" if frozen else "", *map(str, rest), **environ))


@pytest.fixture(scope="module")
def open_session(tmp_path_factory):
    with desktop(tmp_path_factory.mktemp("open")) as running:
        yield running


@pytest.fixture
def locked_session(tmp_path):
    with desktop(tmp_path) as running:
        running.lock()
        yield running


def test_what_one_process_stores_another_reads(open_session):
    kept = call(open_session, "put")
    assert kept[0] == "kept"
    assert call(open_session, "get")[:2] == ["found", kept[1]]


@pytest.mark.slow
def test_a_deleted_key_is_gone_for_every_process(open_session):
    call(open_session, "put")
    assert call(open_session, "delete")[0] == "deleted"
    assert call(open_session, "get")[:2] == ["found", ""]


@pytest.mark.slow
def test_the_item_is_named_after_workspace_and_slot_and_contains_only_the_key(open_session):
    _, kept, *_ = call(open_session, "put")
    script = """
        import keyring
        from mistral_nb.api_key import fingerprint
        print(fingerprint(keyring.get_password("mistral-nb:prod", "Mistral API key")))
    """
    assert open_session.python(script) == kept
    labels = """
        import secretstorage
        connection = secretstorage.dbus_init()
        print([item.get_label() for item in secretstorage.get_default_collection(connection).get_all_items()])
    """
    assert "Password for 'Mistral API key' on 'mistral-nb:prod'" in open_session.python(labels)


@pytest.mark.slow
def test_the_key_is_in_no_argument_and_no_variable_of_the_writing_process(open_session):
    """What `ps` shows of the writer is looked through, and its environment."""
    script = """
        import os, subprocess, time
        from support.keys import make_key
        from mistral_nb.storage import keyring_store

        def shown(pid, name):
            # Popen returns when exec has begun; the kernel fills these in a moment later
            for _ in range(1000):
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    text = file.read()
                if text:
                    return text
                time.sleep(0.001)
            return b""

        key = make_key()
        os.environ["MISTRAL_API_KEY"] = key.reveal()
        seen, start = [], subprocess.Popen

        def watched(*arguments, **more):
            process = start(*arguments, **more)
            seen.extend(shown(process.pid, name) for name in ("cmdline", "environ"))
            return process

        subprocess.Popen = watched
        keyring_store.KeyringStore(50).put("args", "current", key)
        assert b"keyring_writer" in seen[0] and b"DBUS_SESSION_BUS_ADDRESS" in seen[1]
        assert not any(key.reveal().encode() in text for text in seen[:2])
        print("looked")
    """
    assert open_session.python(script) == "looked"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["get", "put", "delete", "unavailable_reason"])
def test_locked_without_a_display_it_says_so_at_once(locked_session, what):
    kind, sentence, seconds, _ = call(locked_session, what, 3000)
    assert (kind, sentence) == ("StoreLocked", "The keyring is locked.")
    assert seconds < SLACK, "a dialog was waited for"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["get", "put"])
def test_locked_with_a_display_but_no_answer_it_times_out(tmp_path, what):
    with screen() as display, desktop(tmp_path, display=display) as session:
        session.lock()
        kind, sentence, seconds, _ = call(session, what, LIMIT)
        assert (kind, sentence) == ("StoreLocked", "The keyring is locked.")
        assert 1 < seconds < LIMIT + SLACK, "no dialog was waited for, or for too long"


@pytest.mark.slow
def test_an_interactive_process_shows_that_a_dialog_may_be_open(tmp_path):
    with screen() as display, desktop(tmp_path, display=display) as session:
        session.lock()
        kind, _, seconds, said = call(session, "get", 10)
        assert (kind, said) == ("StoreLocked", ["Waiting for the keyring: is a dialog open?"])
        assert seconds < 10 + SLACK


@pytest.mark.slow
def test_with_a_display_and_a_person_a_locked_keyring_can_be_used(locked_session):
    """Nothing is opened here: that there is a display decides."""
    assert call(locked_session, "why_not", 60, DISPLAY=":99")[0] == "works"
    assert call(locked_session, "why_not", 60)[0] == "StoreLocked"
    assert call(locked_session, "why_not", 3, DISPLAY=":99")[0] == "StoreLocked"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "within"),
    [("get", "3 seconds"), ("put", "3 seconds"), ("delete", "3 seconds"), ("why_not", "1 second")],
)
def test_a_frozen_keyring_times_out(open_session, what, within):
    daemon = open_session.daemon()
    os.kill(daemon, signal.SIGSTOP)
    try:
        kind, sentence, seconds, _ = call(open_session, what, LIMIT, frozen=True)
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert (kind, sentence) == ("StoreTimedOut", f"The keyring did not answer within {within}.")
    assert seconds < LIMIT + SLACK
    assert call(open_session, "put")[0] == "kept"


@pytest.mark.slow
def test_a_write_that_timed_out_does_not_happen_later(open_session):
    """The daemon, awake again, has no writer left that could undo a newer write."""
    kept = call(open_session, "put")[1]
    daemon = open_session.daemon()
    os.kill(daemon, signal.SIGSTOP)
    try:
        assert call(open_session, "put", 1, frozen=True)[0] == "StoreTimedOut"
        assert not writers(open_session)
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert call(open_session, "get")[1] == kept


@pytest.mark.slow
def test_the_writer_ends_with_the_process_that_wanted_the_write(open_session):
    daemon = open_session.daemon()
    os.kill(daemon, signal.SIGSTOP)
    try:
        script = "from support.keys import make_key; from mistral_nb.storage.keyring_store import KeyringStore\n"
        words = [sys.executable, "-c", f"{script}KeyringStore(3000).put('prod', 'current', make_key())"]
        with started(words, env=open_session.environ | for_child()) as wanting:
            wait_for(lambda: any(map(asks_the_bus, writers(open_session))))
            wanting.kill()
            wanting.wait()
            wait_for(lambda: not writers(open_session))
    finally:
        os.kill(daemon, signal.SIGCONT)


def test_ctrl_c_ends_the_waiting(open_session):
    daemon = open_session.daemon()
    os.kill(daemon, signal.SIGSTOP)
    try:
        script = """
            import os, signal, threading, time
            from mistral_nb.storage.keyring_store import KeyringStore
            def press():  # once the main thread waits for the one that asks
                while not any(thread.name == "mistral-nb-store" for thread in threading.enumerate()):
                    time.sleep(0.01)
                time.sleep(0.2)
                os.kill(os.getpid(), signal.SIGINT)
            threading.Thread(target=press).start()
            start = time.monotonic()
            try:
                KeyringStore(3000).get("prod", "current")
            except KeyboardInterrupt:
                print(time.monotonic() - start)
        """
        assert float(open_session.python(script)) < 20 * PATIENCE
    finally:
        os.kill(daemon, signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["get", "put", "why_not"])
def test_without_a_keyring_the_error_says_how_to_get_one(tmp_path, what):
    with desktop(tmp_path, keyring=False) as session:
        kind, sentence, seconds, _ = call(session, what)
        assert (kind, sentence) == ("StoreLocked", "This desktop has no keyring yet.")
        assert seconds < SLACK


def test_without_a_bus_the_reason_and_alternatives_are_reported(open_session):
    kind, sentence, *_ = call(open_session, "why_not", DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere")
    assert kind == "StoreUnavailable"
    assert "keyring.backends" not in sentence


@pytest.mark.slow
def test_a_key_that_cannot_be_read_back_is_an_error(open_session):
    """As if the writer had said yes and written nothing."""
    script = """
        from support.keys import make_key
        from mistral_nb.errors import StoreError
        from mistral_nb.storage.keyring_store import KeyringStore

        store = KeyringStore(10, run=lambda request, seconds, late: {"ok": True})
        try:
            store.put("nobody", "current", make_key())
        except StoreError as error:
            print(error.failed)
    """
    assert open_session.python(script) == "The keyring accepted the key but did not return it."


def asks_the_bus(pid):
    """Whether the process has connected to the keyring's daemon."""
    with contextlib.suppress(OSError):
        descriptors = f"/proc/{pid}/fd"
        return any(os.readlink(f"{descriptors}/{name}").startswith("socket:") for name in os.listdir(descriptors))
    return False


def writers(session):
    """The process ids of the session's writing children."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as line, open(f"/proc/{name}/environ", "rb") as environ:
                if b"keyring_writer" in line.read() and session.folder.encode() in environ.read():
                    found.append(int(name))
        except OSError:
            continue
    return found
