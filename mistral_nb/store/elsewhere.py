"""Keys that other tools hold already: offered at the first prompt, by source and tail."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mistral_nb.config import VARIABLE, Environ
from mistral_nb.errors import MistralNbError
from mistral_nb.key import Key, key_or_none

VIBE_SERVICE = "ai.mistral.vibe"
_MOST_BYTES = 1 << 20  # a .env longer than this is none
_ROOT_MARKS = (".git", "pyproject.toml")
_LINE = re.compile(
    rf"""^\s*(?:export\s+)?{VARIABLE}\s*=\s*(?:"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)'|(?P<bare>[^\s\#]*))""",
    re.MULTILINE,
)


class Offer(NamedTuple):
    """A key found somewhere else, to be taken only on a yes. ``source`` is for a person to read."""

    source: str
    key: Key


def find_offers(environ: Environ, folder: str | None, *, keyring: bool) -> list[Offer]:
    """The keys of other tools, each key once; placeholders and unreadable places are passed over.

    ``folder`` (default: the working one) is where the project is looked for; with ``keyring``
    Mistral Vibe's item is read too, if that takes no dialog and under three seconds.
    """
    offers: dict[str, Offer] = {}
    for source, key in _look_everywhere(environ, folder, keyring):
        if key:
            offers.setdefault(key.fingerprint, Offer(source, key))
    return list(offers.values())


def _look_everywhere(environ: Environ, folder: str | None, keyring: bool) -> Iterator[tuple[str, Key | None]]:
    yield "Colab's secrets", _from_colab()
    yield "Kaggle's secrets", _from_kaggle(environ)
    for file in project_env_files(folder):
        yield file, read_env_file(file)
    if keyring:
        yield "Mistral Vibe's keyring item", _from_vibe_keyring(environ)
    home = environ.get("VIBE_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".vibe")
    file = os.path.join(home, ".env")
    yield f"Mistral Vibe's {file}", read_env_file(file)


def project_env_files(folder: str | None) -> Iterator[str]:
    """``.env`` in ``folder`` and above it, up to the project's root; without a root, in it alone."""
    try:
        place = os.path.abspath(folder or os.getcwd())
    except OSError:  # the working directory was deleted
        return iter(())
    places = [place]
    while not any(os.path.exists(os.path.join(place, mark)) for mark in _ROOT_MARKS):
        place, child = os.path.dirname(place), place
        if place == child:
            places = places[:1]
            break
        places.append(place)
    return (os.path.join(place, ".env") for place in places)


def read_env_file(path: str) -> Key | None:
    """The last ``MISTRAL_API_KEY=…`` of a ``.env`` that is a key."""
    if not os.path.isfile(path):  # opening a named pipe would wait for its writer
        return None
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            values = [match[match.lastgroup or 0] for match in _LINE.finditer(file.read(_MOST_BYTES))]
    except OSError:
        return None
    return key_or_none(values[-1]) if values else None


def _from_vibe_keyring(environ: Environ) -> Key | None:
    from mistral_nb.store.keyring import KeyringStore

    store = KeyringStore(environ=environ)
    try:
        return None if store.why_not() else store.read_item(VIBE_SERVICE, VARIABLE)
    except MistralNbError:
        return None


def _from_colab() -> Key | None:
    if "google.colab" not in sys.modules:
        return None

    def get() -> Any:
        from google.colab import userdata

        return userdata.get(VARIABLE)

    return _ask_host(get)


def _from_kaggle(environ: Environ) -> Key | None:
    if "kaggle_secrets" not in sys.modules and not environ.get("KAGGLE_KERNEL_RUN_TYPE"):
        return None

    def get() -> Any:
        from kaggle_secrets import UserSecretsClient

        return UserSecretsClient().get_secret(VARIABLE)

    return _ask_host(get)


def _ask_host(get: Callable[[], Any]) -> Key | None:
    """What a host's secrets hold. No such secret, no right to it and no network all raise."""
    try:
        return key_or_none(get())
    except Exception:  # noqa: BLE001, each host has its own errors, and none matters here
        return None
