"""Keys of other tools, and keys under a wrong name: offered at the first prompt, by source and tail."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mistral_nb.api_key import Key, key_or_none
from mistral_nb.bounded_read import read_file
from mistral_nb.config import API_KEY_VARIABLE, Environ, keys_in
from mistral_nb.errors import MistralNbError
from mistral_nb.key_variables import intended_variable, names_a_key, names_codestral, other_host
from mistral_nb.paths import parents

VIBE_SERVICE = "ai.mistral.vibe"
HOST_SECONDS = 20.0  # that a host's secrets may take: Colab asks the person for access
_MAX_BYTES = 1 << 20  # a .env longer than this is none
_ROOT_MARKS = (".git", "pyproject.toml")
_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][\w.-]*)\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s\#]*))"""
)


class DiscoveredKey(NamedTuple):
    """A key found somewhere else, used only if confirmed. ``source`` is for display."""

    source: str
    key: Key


class MisnamedKey(NamedTuple):
    """A key under a name that does not say what it is for, in the environment or, with a ``file``, in a ``.env``."""

    variable: str
    key: Key
    file: str = ""
    is_alone: bool = True  # no key under the name that was probably meant is beside it

    @property
    def place(self) -> str:
        return f"{self.variable} in {self.file}" if self.file else self.variable

    @property
    def other_host(self) -> str:
        """Who serves this key if not Mistral, by the variable's name."""
        return other_host(self.variable)

    @property
    def intended(self) -> str:
        """The variable that was probably meant."""
        return intended_variable(self.variable)

    @property
    def is_for_codestral(self) -> bool:
        return names_codestral(self.variable)


def find_misnamed_keys(environ: Environ, folder: str | None) -> list[MisnamedKey]:
    """The keys under names that were probably meant to be ``MISTRAL_API_KEY``, each key once.

    In the environment and in the project's ``.env`` files (``folder`` as for `discover_keys`).
    """
    found: dict[str, MisnamedKey] = {}
    places = [("", keys_in(environ)), *((file, read_env_keys(file)) for file in project_env_files(folder))]
    for file, keys in places:
        for variable, key in keys.items():
            intended = intended_variable(variable)
            if intended and (key.is_standard or other_host(variable)):
                found.setdefault(key.fingerprint, MisnamedKey(variable, key, file, intended not in keys))
    return list(found.values())


def discover_keys(environ: Environ, folder: str | None, *, keyring: bool) -> list[DiscoveredKey]:
    """The keys of other tools, each key once; placeholders and unreadable places are passed over.

    ``folder`` (default: the working one) is where the project is looked for; with ``keyring``
    Mistral Vibe's item is read too, if that takes no dialog and under three seconds.
    """
    offers: dict[str, DiscoveredKey] = {}
    for source, key in _search_sources(environ, folder, keyring):
        if key:
            offers.setdefault(key.fingerprint, DiscoveredKey(source, key))
    return list(offers.values())


def _search_sources(environ: Environ, folder: str | None, keyring: bool) -> Iterator[tuple[str, Key | None]]:
    yield "Colab's secrets", _read_colab_secret()
    yield "Kaggle's secrets", _read_kaggle_secret(environ)
    for file in project_env_files(folder):
        yield file, read_env_file(file)
    if keyring:
        yield "Mistral Vibe's keyring item", _read_vibe_keyring(environ)
    home = environ.get("VIBE_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".vibe")
    file = os.path.join(home, ".env")
    if os.path.isabs(file):  # without a home it would be in a folder named ~ of the working one
        yield f"Mistral Vibe's {file}", read_env_file(file)


def project_env_files(folder: str | None) -> Iterator[str]:
    """``.env`` in ``folder`` and above it, up to the project's root; without a root, in it alone."""
    places: list[str] = []
    for place in parents(folder):
        places.append(place)
        if any(os.path.exists(os.path.join(place, mark)) for mark in _ROOT_MARKS):
            break
    else:
        places = places[:1]
    return (os.path.join(place, ".env") for place in places)


def read_env_file(path: str) -> Key | None:
    """The last ``MISTRAL_API_KEY=…`` of a ``.env``, if it is a key."""
    return read_env_keys(path).get(API_KEY_VARIABLE)


def read_env_keys(path: str) -> dict[str, Key]:
    """The keys in the lines of a ``.env``, by name; of a name that comes twice, the last."""
    try:
        text = read_file(path, _MAX_BYTES).decode("utf-8-sig", errors="replace")
    except OSError:
        return {}
    lines = map(_LINE.match, text.splitlines())
    return keys_in({m["name"]: m[m.lastgroup or 0] for m in lines if m and names_a_key(m["name"])})


def _read_vibe_keyring(environ: Environ) -> Key | None:
    from mistral_nb.storage.keyring_store import KeyringStore

    store = KeyringStore(environ=environ)
    try:
        return None if store.unavailable_reason() else store.read_item(VIBE_SERVICE, API_KEY_VARIABLE)
    except MistralNbError:
        return None


def _read_colab_secret() -> Key | None:
    if "google.colab" not in sys.modules:
        return None

    def get() -> Any:
        from google.colab import userdata

        return userdata.get(API_KEY_VARIABLE)

    return _call_host(get)


def _read_kaggle_secret(environ: Environ) -> Key | None:
    if "kaggle_secrets" not in sys.modules and not environ.get("KAGGLE_KERNEL_RUN_TYPE"):
        return None

    def get() -> Any:
        from kaggle_secrets import UserSecretsClient

        return UserSecretsClient().get_secret(API_KEY_VARIABLE)

    return _call_host(get)


def _call_host(get: Callable[[], Any]) -> Key | None:
    """What a host's secrets hold. No such secret, no right to it, no network and no answer in time all raise."""
    from mistral_nb.storage.timeouts import run_here_with_timeout

    try:
        return key_or_none(run_here_with_timeout(get, HOST_SECONDS))
    except Exception:  # noqa: BLE001, each host has its own errors, and none matters here
        return None
