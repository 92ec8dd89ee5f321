"""The keyring store on a real gnome-keyring: in order, locked, unanswered, frozen, not made yet."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from desktops import desktop, screen, wait_for

LIMIT = 3.0
SLACK = 1.0  # an interpreter's start is not in it: the script takes its own time

CALL = """
    import json, sys, time
    from keys import make_key
    from mistral_nb.errors import StoreError
    from mistral_nb.store.keyring import KeyringStore

    what, *rest = sys.argv[1:]
    said = []
    store = KeyringStore(float(rest[0]) if rest else 3.0, said.append)
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
            problem = store.why_not()
            answer = [type(problem).__name__, problem.failed] if problem else ["works", ""]
    except StoreError as error:
        assert error.todo.endswith("."), error.todo
        answer = [type(error).__name__, error.failed]
    print(json.dumps([*answer, time.monotonic() - start, said]))
"""


def call(session, what, *rest, **environ):
    """[outcome, sentence or fingerprint, seconds, what was said meanwhile]"""
    return json.loads(session.python(CALL, what, *map(str, rest), **environ))


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


def test_a_deleted_key_is_gone_for_every_process(open_session):
    call(open_session, "put")
    assert call(open_session, "delete")[0] == "deleted"
    assert call(open_session, "get")[:2] == ["found", ""]


def test_the_item_is_named_after_workspace_and_slot_and_holds_the_key_alone(open_session):
    _, kept, *_ = call(open_session, "put")
    script = """
        import keyring
        from mistral_nb.key import fingerprint
        print(fingerprint(keyring.get_password("mistral-nb:prod", "current")))
    """
    assert open_session.python(script) == kept


def test_the_key_is_in_no_argument_and_no_variable_of_the_writing_process(open_session):
    """What `ps` shows of the writer is looked through, and its environment."""
    script = """
        import os, subprocess, time
        from keys import make_key
        from mistral_nb.store import keyring

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
        keyring.KeyringStore(10).put("args", "current", key)
        assert b"keyring_child" in seen[0] and b"DBUS_SESSION_BUS_ADDRESS" in seen[1]
        assert not any(key.reveal().encode() in text for text in seen[:2])
        print("looked")
    """
    assert open_session.python(script) == "looked"


@pytest.mark.parametrize("what", ["get", "put", "delete", "why_not"])
def test_locked_without_a_display_it_says_so_at_once(locked_session, what):
    kind, sentence, seconds, _ = call(locked_session, what)
    assert (kind, sentence) == ("StoreLocked", "The keyring is locked.")
    assert seconds < 2.5, "a dialog was waited for"


@pytest.mark.parametrize("what", ["get", "put"])
def test_locked_with_a_display_and_nobody_there_it_gives_up_at_its_limit(tmp_path, what):
    with screen() as display, desktop(tmp_path, display=display) as session:
        session.lock()
        kind, sentence, seconds, _ = call(session, what, LIMIT)
        assert (kind, sentence) == ("StoreLocked", "The keyring is locked.")
        assert 1 < seconds < LIMIT + SLACK, "no dialog was waited for, or for too long"


def test_an_interactive_process_is_told_that_a_dialog_may_be_open(tmp_path):
    with screen() as display, desktop(tmp_path, display=display) as session:
        session.lock()
        kind, _, seconds, said = call(session, "get", 5)
        assert (kind, said) == ("StoreLocked", ["Waiting for the keyring: is a dialog open?"])
        assert seconds < 5 + SLACK


def test_with_a_display_and_somebody_there_a_locked_keyring_can_be_used(locked_session):
    """Nothing is opened here: that there is a display decides."""
    assert call(locked_session, "why_not", 60, DISPLAY=":99")[0] == "works"
    assert call(locked_session, "why_not", 60)[0] == "StoreLocked"
    assert call(locked_session, "why_not", 3, DISPLAY=":99")[0] == "StoreLocked"


@pytest.mark.parametrize(
    ("what", "within"),
    [("get", "3 seconds"), ("put", "3 seconds"), ("delete", "3 seconds"), ("why_not", "1 second")],
)
def test_a_frozen_keyring_is_given_up_at_the_limit(open_session, what, within):
    daemon = open_session.daemon()
    os.kill(daemon, signal.SIGSTOP)
    try:
        kind, sentence, seconds, _ = call(open_session, what, LIMIT)
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert (kind, sentence) == ("StoreTimedOut", f"The keyring did not answer within {within}.")
    assert seconds < LIMIT + SLACK
    assert call(open_session, "put")[0] == "kept"


def test_a_write_that_was_given_up_does_not_happen_later(open_session):
    """The daemon, awake again, has no writer left that could undo a newer write."""
    kept = call(open_session, "put")[1]
    daemon = open_session.daemon()
    os.kill(daemon, signal.SIGSTOP)
    try:
        assert call(open_session, "put", 1)[0] == "StoreTimedOut"
        assert not writers(open_session)
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert call(open_session, "get")[1] == kept


def test_the_writer_ends_with_the_process_that_wanted_the_write(open_session):
    daemon = open_session.daemon()
    os.kill(daemon, signal.SIGSTOP)
    try:
        script = "from keys import make_key; from mistral_nb.store.keyring import KeyringStore\n"
        wanting = subprocess.Popen(
            [sys.executable, "-c", f"{script}KeyringStore(30).put('prod', 'current', make_key())"],
            env=open_session.environ,
        )
        wait_for(lambda: writers(open_session))
        time.sleep(0.3)
        wanting.kill()
        wanting.wait(10)
        wait_for(lambda: not writers(open_session), 2)
    finally:
        os.kill(daemon, signal.SIGCONT)


def test_ctrl_c_ends_the_waiting(open_session):
    daemon = open_session.daemon()
    os.kill(daemon, signal.SIGSTOP)
    try:
        script = """
            import os, signal, threading, time
            from mistral_nb.store.keyring import KeyringStore
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            start = time.monotonic()
            try:
                KeyringStore(60).get("prod", "current")
            except KeyboardInterrupt:
                print(time.monotonic() - start)
        """
        assert float(open_session.python(script)) < 2
    finally:
        os.kill(daemon, signal.SIGCONT)


@pytest.mark.parametrize("what", ["get", "put", "why_not"])
def test_a_desktop_without_a_keyring_is_told_how_to_get_one(tmp_path, what):
    with desktop(tmp_path, keyring=False) as session:
        kind, sentence, seconds, _ = call(session, what)
        assert (kind, sentence) == ("StoreLocked", "This desktop has no keyring yet.")
        assert seconds < LIMIT + SLACK


def test_without_a_bus_the_reason_and_the_ways_out_are_said(open_session):
    kind, sentence, *_ = call(open_session, "why_not", DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere")
    assert kind == "StoreUnavailable"
    assert "no keyring works on this machine" in sentence


def test_a_key_that_is_not_given_back_is_an_error(open_session):
    """As if the writer had said yes and written nothing."""
    script = """
        from keys import make_key
        from mistral_nb.errors import StoreError
        from mistral_nb.store.keyring import KeyringStore

        store = KeyringStore(10, run=lambda request, seconds, late: {"ok": True})
        try:
            store.put("nobody", "current", make_key())
        except StoreError as error:
            print(error.failed)
    """
    assert open_session.python(script) == "The keyring took the key and did not give it back."


def writers(session):
    """The process ids of the session's writing children."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as line, open(f"/proc/{name}/environ", "rb") as environ:
                if b"keyring_child" in line.read() and session.folder.encode() in environ.read():
                    found.append(int(name))
        except OSError:
            continue
    return found
