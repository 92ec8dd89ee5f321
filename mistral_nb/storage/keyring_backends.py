"""Which keyring backends may hold a key, by their class.

Left to itself, ``keyring`` takes whatever is installed: with keyrings.alt or keyrings.cryptfile in
the environment that is a file, a plain one at worst, for everything in it.
"""

from collections.abc import Mapping
from typing import Any

from mistral_nb.errors import StoreUnavailable
from mistral_nb.storage.keyring_absence import OPTIONS, explain_absence

SECRET_SERVICE = ("keyring.backends.SecretService", "keyring.backends.libsecret")
APPROVED_BACKENDS = (
    "keyring.backends.macOS",
    "keyring.backends.Windows",
    "keyring.backends.kwallet",
    *SECRET_SERVICE,
)
QUIET_BACKENDS = ("keyring.backends.macOS", "keyring.backends.Windows", *SECRET_SERVICE)  # open no dialog if unlocked


def no_keyring_hint(first: str = "") -> str:
    """What to do without a keyring, as one sentence; ``first`` is what to try first."""
    return f"{first}, or {OPTIONS}" if first else OPTIONS[0].upper() + OPTIONS[1:]


def find_approved_backend(environ: Mapping[str, str]) -> Any:
    """The keyring backend to use. Raises `StoreUnavailable` with the reason against the one found.

    Slow (it imports keyring) and unbounded (D-Bus): to be called in a thread or a child.
    """
    backend = _load_backend(environ)
    if type(backend).__module__ in APPROVED_BACKENDS:
        return backend
    configured = _is_configured(environ)
    if _is_chainer(backend):
        if not configured:  # the chain was not configured: use its first approved link
            for link in backend.backends:
                if type(link).__module__ in APPROVED_BACKENDS:
                    return link
        for link in backend.backends:
            if reason := refusal_reason(type(link)):
                raise _unavailable_error(f"The keyring here is a chainer that holds {_backend_name(link)}, {reason}")
    if reason := refusal_reason(type(backend)):
        raise _unavailable_error(f"The keyring here is {_backend_name(backend)}, {reason}")
    if _is_absent(type(backend)):
        failed, first = explain_absence(environ)
        raise _unavailable_error(failed, no_keyring_hint(first))
    if not configured:
        raise _unavailable_error(
            f"The keyring here is {_backend_name(backend)}, which is not known to be safe "
            "and was not chosen explicitly.",
            f"Name it in PYTHON_KEYRING_BACKEND if it is what you want, or {OPTIONS}",
        )
    return backend


def refusal_reason(backend: type) -> str:
    """Why a backend of this class must not hold a key; empty when it may."""
    modules = {base.__module__ for base in backend.__mro__}
    names = " ".join(base.__name__ for base in backend.__mro__).lower()
    if "keyring.backends.null" in modules:
        return "which does not store anything."
    from_alt = backend.__module__.partition("keyrings.alt")[1] and "encrypted" not in backend.__name__.lower()
    if "plaintext" in names or from_alt:
        return "which writes keys in plain text."
    return ""


def _is_absent(backend: type) -> bool:
    """Whether this is what ``keyring`` has in place of a backend."""
    return any(base.__module__ == "keyring.backends.fail" for base in backend.__mro__)


def _load_backend(environ: Mapping[str, str]) -> Any:
    import configparser

    import keyring

    try:
        return keyring.get_keyring()
    except (configparser.Error, UnicodeDecodeError):
        damaged = f"The keyring's settings, {_settings_file()}, are damaged."
        raise _unavailable_error(damaged, no_keyring_hint("Correct or delete that file")) from None
    except Exception as error:  # noqa: BLE001, a bad name raises ModuleNotFoundError and worse
        failure = type(error).__name__
    name = environ.get("PYTHON_KEYRING_BACKEND")
    raise _unavailable_error(
        f"The keyring backend {name or 'named in keyringrc.cfg'} could not be loaded ({failure}).",
        no_keyring_hint("Correct PYTHON_KEYRING_BACKEND" if name else "Correct keyringrc.cfg"),
    )


def _is_configured(environ: Mapping[str, str]) -> bool:
    """Whether the user chose the backend: a variable, or a line in keyring's own settings."""
    if environ.get("PYTHON_KEYRING_BACKEND"):
        return True
    import configparser

    settings = configparser.RawConfigParser()
    try:
        settings.read(_settings_file(), encoding="utf-8")
    except (configparser.Error, ValueError):
        return False
    return settings.has_option("backend", "default-keyring")


def _settings_file() -> str:
    from keyring.util import platform_

    return str(platform_.config_root() / "keyringrc.cfg")


def _is_chainer(backend: Any) -> bool:
    return any(base.__module__ == "keyring.backends.chainer" for base in type(backend).__mro__)


def _backend_name(backend: Any) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def _unavailable_error(failed: str, todo: str = "") -> StoreUnavailable:
    return StoreUnavailable(failed, todo or no_keyring_hint())
