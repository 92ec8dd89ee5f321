"""A desktop session for a test: its own D-Bus, its own gnome-keyring, its own home. All of it real."""

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from support import TESTS
from support.keys import for_child
from support.patience import PATIENCE
from support.requirements import need

PASSWORD = "pw123"
LONG_LIMITS = """
from mistral_nb.storage import keyring_store
keyring_store.PROBE_SECONDS = keyring_store.SECONDS = keyring_store._DIAGNOSIS_SECONDS = 50.0
"""  # what a process runs first whose keyring answers: on a busy machine that takes longer than a person should wait
_COMMAND = f"{LONG_LIMITS}\nimport sys\nfrom mistral_nb.cli import main\nsys.exit(main())"
_SESSION = """
    if [ "$1" = unlocked ]; then
        printf %s "$2" | gnome-keyring-daemon --unlock --components=secrets >/dev/null
    else
        gnome-keyring-daemon --start --components=secrets </dev/null >/dev/null
    fi
    echo "$DBUS_SESSION_BUS_ADDRESS"
    cat >/dev/null
"""


class Desktop:
    """A running session. ``environ`` is what a process of it has; ``folder`` is its home."""

    def __init__(self, folder: str, environ: dict[str, str]) -> None:
        self.folder = folder
        self.environ = environ

    def python(self, script: str, *arguments: str, seconds: float = 30, **environ: str) -> str:
        """What a script prints. It fails the test when it fails or takes too long."""
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), *arguments],
            env=self.environ | for_child() | environ,
            capture_output=True,
            text=True,
            timeout=seconds * PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def mistral_nb(self, *words: str, given: str = "", code: int = 0, **environ: str) -> str:
        """What the real command line says, on either stream; it waits for the keyring until that answers."""
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, *words],
            env=self.environ | environ,
            cwd=self.folder,
            input=given,
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def lock(self) -> None:
        self.python(
            """
            import secretstorage
            connection = secretstorage.dbus_init()
            collection = secretstorage.get_default_collection(connection)
            collection.lock()
            assert collection.is_locked()
            connection.close()
            """
        )

    def daemon(self) -> int:
        """The process id of the keyring's daemon, as the bus knows it."""
        return int(
            self.python(
                """
                import secretstorage
                from jeepney import DBusAddress, new_method_call
                bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
                ask = new_method_call(bus, "GetConnectionUnixProcessID", "s", ("org.freedesktop.secrets",))
                connection = secretstorage.dbus_init()
                print(connection.send_and_get_reply(ask).body[0])
                connection.close()
                """
            )
        )


@contextlib.contextmanager
def desktop(folder: Any, *, keyring: bool = True, display: str | None = None) -> Iterator[Desktop]:
    """A session in ``folder``; its keyring is there and open, or with ``keyring=False`` not made yet."""
    need("dbus-run-session", "gnome-keyring-daemon")
    home = os.path.realpath(folder)
    runtime = os.path.join(home, "run")
    os.makedirs(runtime, mode=0o700)
    environ = {
        "HOME": home,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": TESTS,
        "XDG_DATA_HOME": os.path.join(home, "data"),
        "XDG_CONFIG_HOME": os.path.join(home, "config"),
        "XDG_CACHE_HOME": os.path.join(home, "cache"),
        "XDG_RUNTIME_DIR": runtime,
        "MISTRAL_NB_HOME": os.path.join(home, "nb"),
        "PYTHONWARNINGS": "error",
    }
    if display:
        environ["DISPLAY"] = display
    arguments = ["unlocked" if keyring else "none", PASSWORD]
    session = subprocess.Popen(
        ["dbus-run-session", "--", "sh", "-c", _SESSION, "session", *arguments],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address = session.stdout.readline().strip()
        assert address, "the session did not start"
        yield Desktop(home, environ | {"DBUS_SESSION_BUS_ADDRESS": address})
    finally:
        session.stdin.close()
        session.stdout.close()
        session.wait(10 * PATIENCE)


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """A virtual X display."""
    need("Xvfb")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x8", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as numbers:
            yield f":{numbers.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10 * PATIENCE)
