"""Which keyring backends may hold a key, told by their class.

Left to itself, ``keyring`` takes whatever is installed: with keyrings.alt or keyrings.cryptfile in
the environment that is a file, a plain one at worst, for everything in it.
"""

from collections.abc import Mapping
from typing import Any

from mistral_nb.errors import StoreUnavailable

SECRET_SERVICE = ("keyring.backends.SecretService", "keyring.backends.libsecret")
APPROVED = (
    "keyring.backends.macOS",
    "keyring.backends.Windows",
    "keyring.backends.kwallet",
    *SECRET_SERVICE,
)
_OUTS = (
    "set MISTRAL_API_KEY or MISTRAL_API_KEY_FILE, "
    "or MISTRAL_NB_STORE=file with a passphrase in MISTRAL_NB_PASSPHRASE_FILE."
)


def ways_out(first: str = "") -> str:
    """What to do without a keyring, as one sentence; ``first`` is what to try before."""
    return f"{first}, or {_OUTS}" if first else _OUTS[0].upper() + _OUTS[1:]


def approved(environ: Mapping[str, str]) -> Any:
    """The keyring backend to use. Raises `StoreUnavailable` with the reason against the one found.

    Slow (it imports keyring) and unbounded (D-Bus): to be called in a thread or a child.
    """
    backend = _found(environ)
    if type(backend).__module__ in APPROVED:
        return backend
    configured = _is_configured(environ)
    if _is_chainer(backend):
        if not configured:  # then nobody asked for the chain: its first approved link will do
            for link in backend.backends:
                if type(link).__module__ in APPROVED:
                    return link
        for link in backend.backends:
            if reason := why_refused(type(link)):
                raise _unavailable(f"The keyring here is a chainer that holds {_name(link)}, {reason}")
    if reason := why_refused(type(backend)):
        raise _unavailable(f"The keyring here is {_name(backend)}, {reason}")
    if not configured:
        raise _unavailable(
            f"The keyring here is {_name(backend)}, which is not known to be safe and which nobody chose.",
            f"Name it in PYTHON_KEYRING_BACKEND if it is what you want, or {_OUTS}",
        )
    return backend


def why_refused(backend: type) -> str:
    """Why a backend of this class must not hold a key; empty when it may."""
    modules = {base.__module__ for base in backend.__mro__}
    names = " ".join(base.__name__ for base in backend.__mro__).lower()
    if "keyring.backends.fail" in modules:
        return "which means that no keyring works on this machine."
    if "keyring.backends.null" in modules:
        return "which forgets what it is given."
    from_alt = backend.__module__.partition("keyrings.alt")[1] and "encrypted" not in backend.__name__.lower()
    if "plaintext" in names or from_alt:
        return "which writes keys in plain text."
    return ""


def _found(environ: Mapping[str, str]) -> Any:
    import keyring

    try:
        return keyring.get_keyring()
    except Exception as error:  # noqa: BLE001, a bad name raises ModuleNotFoundError and worse
        failure = type(error).__name__
    name = environ.get("PYTHON_KEYRING_BACKEND")
    raise _unavailable(
        f"The keyring backend {name or 'named in keyringrc.cfg'} could not be loaded ({failure}).",
        ways_out("Correct PYTHON_KEYRING_BACKEND" if name else "Correct keyringrc.cfg"),
    )


def _is_configured(environ: Mapping[str, str]) -> bool:
    """Whether the user chose the backend: a variable, or a line in keyring's own settings."""
    if environ.get("PYTHON_KEYRING_BACKEND"):
        return True
    import configparser

    from keyring.util import platform_

    settings = configparser.RawConfigParser()
    try:
        settings.read(str(platform_.config_root() / "keyringrc.cfg"), encoding="utf-8")
    except (configparser.Error, ValueError):
        return False
    return settings.has_option("backend", "default-keyring")


def _is_chainer(backend: Any) -> bool:
    return any(base.__module__ == "keyring.backends.chainer" for base in type(backend).__mro__)


def _name(backend: Any) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def _unavailable(failed: str, todo: str = "") -> StoreUnavailable:
    return StoreUnavailable(failed, todo or ways_out())
