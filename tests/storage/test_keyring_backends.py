"""Which keyring backends are refused, told by their class; each in a process of its own.

keyrings.alt and keyrings.cryptfile are not installed here: small backends under the same class paths
stand in for them, with the entry points by which keyring finds the real ones.
"""

import os
import subprocess
import sys
import textwrap

import pytest

from support import TESTS
from support.patience import PATIENCE

PLAIN, CRYPT = "keyrings.alt.file.PlaintextKeyring", "keyrings.cryptfile.cryptfile.CryptFileKeyring"
ENCRYPTED = "keyrings.alt.file.EncryptedKeyring"
OWN = "house.Safe"

BACKEND = """
    from keyring.backend import KeyringBackend
    from keyring.compat import properties

    class {name}(KeyringBackend):
        kept = {{}}

        @properties.classproperty
        def priority(cls):
            return {priority}

        def get_password(self, service, username):
            return self.kept.get((service, username))

        def set_password(self, service, username, password):
            self.kept[service, username] = password

        def delete_password(self, service, username):
            del self.kept[service, username]
"""

LOOK = """
    from mistral_nb.storage import keyring_store
    from mistral_nb.storage.keyring_store import KeyringStore
    keyring_store.PROBE_SECONDS = 50.0  # a busy machine does not import keyring in one
    problem = KeyringStore(50).unavailable_reason()
    print(type(problem).__name__, problem or "", sep="|")
"""


@pytest.fixture
def installed(tmp_path):
    """Installs backends (class path → priority) and returns the environment that has them."""

    def install(configured=None, line_in_rc=None, **backends):
        site = tmp_path / "site"
        for path, priority in backends.items():
            module, _, name = path.rpartition(".")
            file = site.joinpath(*module.split(".")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as code:
                code.write(textwrap.dedent(BACKEND.format(name=name, priority=priority)))
            info = site / f"backend_{name}-1.dist-info"
            info.mkdir(exist_ok=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: backend-{name}\nVersion: 1\n")
            (info / "entry_points.txt").write_text(f"[keyring.backends]\n{name} = {module}\n")
        config = tmp_path / "config" / "python_keyring"
        config.mkdir(parents=True)
        if line_in_rc:
            (config / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring={line_in_rc}\n")
        environ = {
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(site), TESTS]),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }
        return environ | ({"PYTHON_KEYRING_BACKEND": configured} if configured else {})

    return install


def look(environ, script=LOOK):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split("|")


FORGETS = "keyring.backends.null.Keyring, which does not store anything."
OFF = "The keyring is turned off: PYTHON_KEYRING_BACKEND names none. Unset it, or set MISTRAL_API_KEY"
PLAINLY = f"{PLAIN}, which writes keys in plain text."
CHAINER = "keyring.backends.chainer.ChainerBackend"


@pytest.mark.parametrize(
    ("backends", "settings", "reason"),
    [
        ({}, {}, ", or set MISTRAL_API_KEY or"),
        ({}, {"configured": "keyring.backends.fail.Keyring"}, OFF),
        ({}, {"configured": "keyring.backends.null.Keyring"}, FORGETS),
        ({}, {"line_in_rc": "keyring.backends.null.Keyring"}, FORGETS),
        ({PLAIN: 0.5}, {}, PLAINLY),
        ({PLAIN: 0.5}, {"configured": PLAIN}, PLAINLY),
        ({PLAIN: 0.5}, {"line_in_rc": PLAIN}, PLAINLY),
        ({CRYPT: 2.5}, {}, f"{CRYPT}, which is not known to be safe and was not chosen explicitly."),
        ({OWN: 9}, {}, f"{OWN}, which is not known to be safe and was not chosen explicitly."),
        ({PLAIN: 0.5, CRYPT: 2.5}, {}, f"a chainer that holds {PLAINLY}"),
        ({PLAIN: 0.5, OWN: 9}, {"configured": CHAINER}, f"a chainer that holds {PLAINLY}"),
        ({"keyrings.alt.Gnome.Keyring": 1}, {"configured": "keyrings.alt.Gnome.Keyring"}, "in plain text."),
    ],
)
def test_a_backend_that_does_not_keep_a_key_safe_is_refused_with_the_reason(installed, backends, settings, reason):
    kind, sentences = look(installed(**settings, **backends))
    assert kind == "StoreUnavailable"
    assert reason in sentences
    assert "MISTRAL_API_KEY_FILE" in sentences or "PYTHON_KEYRING_BACKEND" in sentences


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backends", "settings"),
    [
        ({OWN: 9}, {"configured": OWN}),
        ({OWN: 9}, {"line_in_rc": OWN}),
        ({CRYPT: 2.5}, {"configured": CRYPT}),
        ({ENCRYPTED: 0.6}, {"configured": ENCRYPTED}),
        ({OWN: 9, CRYPT: 2.5}, {"configured": CHAINER}),
    ],
)
def test_what_the_user_chose_is_used(installed, backends, settings):
    environ = installed(**settings, **backends)
    assert look(environ) == ["NoneType", ""]
    kind, sentences = look(environ, LOOK.replace("unavailable_reason", "quiet_problem"))
    assert (kind, "may ask" in sentences) == ("StoreUnavailable", True), "it would be written without asking"


def test_an_unapproved_backend_beside_an_approved_one_is_skipped(installed):
    """keyring itself would chain the two; the real macOS class needs a Mac, so its path is taken."""
    script = """
        import types
        import keyring.core
        from keyring.backends import chainer
        from mistral_nb.storage.keyring_backends import find_approved_backend

        good = type("Keyring", (), {"__module__": "keyring.backends.SecretService"})()
        plain = type("PlaintextKeyring", (), {"__module__": "keyrings.alt.file"})()
        chain = type("Chain", (chainer.ChainerBackend,), {"backends": [plain, good], "priority": 0})()
        keyring.core.set_keyring(chain)
        print(type(find_approved_backend({})).__module__)
    """
    assert look(installed(), script) == ["keyring.backends.SecretService"]


def test_damaged_settings_are_named_with_their_file(installed, tmp_path):
    environ = installed()
    file = tmp_path / "config" / "python_keyring" / "keyringrc.cfg"
    file.write_text("default-keyring")
    _, sentences = look(environ)
    assert sentences.startswith(f"The keyring's settings, {file}, are damaged. Correct or delete that file, or set")


@pytest.mark.parametrize("name", ["no.such.Backend", "keyring.backends.null.Missing", "nonsense"])
def test_a_backend_that_can_not_be_loaded_is_named(installed, name):
    kind, sentences = look(installed(configured=name))
    assert kind == "StoreUnavailable"
    assert f"The keyring backend {name} could not be loaded" in sentences
    assert "Correct PYTHON_KEYRING_BACKEND, or set MISTRAL_API_KEY" in sentences


@pytest.mark.slow
def test_a_refused_backend_is_not_written_to(installed):
    """The child that writes looks for itself."""
    script = """
        import keyring, sys
        from support.keys import make_key
        from mistral_nb.errors import StoreUnavailable
        from mistral_nb.storage.keyring_store import KeyringStore
        try:
            KeyringStore(50).put("prod", "current", make_key())
        except StoreUnavailable as error:
            print(len(keyring.get_keyring().kept), error, sep="|")
    """
    kept, sentences = look(installed(**{PLAIN: 0.5}), script)
    assert kept == "0"
    assert "plain text" in sentences
